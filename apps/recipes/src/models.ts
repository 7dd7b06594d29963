import { Conv2d, Flatten, Linear, MaxPool2d, Module, ReLU, Sequential, TransformerEncoder } from "@ai/layers";
import { mean, reshape, type Tensor } from "@ai/tensor";
import { IMAGE_SIZE } from "./digits.js";

/** Two convolutions and two linear layers. Input `[batch, 28, 28, 1]`, output `[batch, 10]`. */
export function convolutional(channels = 12): Sequential {
  return new Sequential(
    new Conv2d(1, channels, 5, { stride: 2, padding: 2 }),
    new ReLU(),
    new MaxPool2d(2),
    new Conv2d(channels, 2 * channels, 3, { padding: 1 }),
    new ReLU(),
    new MaxPool2d(2),
    new Flatten(),
    new Linear(2 * channels * 9, 64),
    new ReLU(),
    new Linear(64, 10),
  );
}

/** Linear layers alone: most of its bytes are three matrices. */
export function dense(hidden: number): Sequential {
  return new Sequential(
    new Flatten(),
    new Linear(IMAGE_SIZE * IMAGE_SIZE, hidden),
    new ReLU(),
    new Linear(hidden, hidden),
    new ReLU(),
    new Linear(hidden, 10),
  );
}

/** A transformer that reads a picture row by row. */
export class RowReader extends Module<[images: Tensor], Tensor> {
  readonly embedding: Linear;
  readonly encoder: TransformerEncoder;
  readonly head: Linear;

  constructor({ dim, numLayers, checkpointing }: { dim: number; numLayers: number; checkpointing: boolean }) {
    super();
    this.embedding = new Linear(IMAGE_SIZE, dim);
    this.encoder = new TransformerEncoder(dim, 4, {
      numLayers,
      dimFeedforward: 2 * dim,
      dropout: 0.1,
      normFirst: true,
      finalNorm: true,
      checkpointing,
    });
    this.head = new Linear(dim, 10);
  }

  protected forward(images: Tensor): Tensor {
    const rows = reshape(images, [images.shape[0], IMAGE_SIZE, IMAGE_SIZE]); // [batch, 28, 28]
    return this.head.call(mean(this.encoder.call(this.embedding.call(rows)), { axes: 1 })); // [batch, 10]
  }
}
