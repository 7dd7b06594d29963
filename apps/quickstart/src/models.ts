import { Conv2d, Flatten, Linear, LSTM, MaxPool2d, Module, ReLU, Sequential } from "@ai/layers";
import { narrow, reshape, type Tensor } from "@ai/tensor";
import { IMAGE_SIZE } from "./mnist.js";

const DIGITS = 10;

/**
 * The convolutional network of PyTorch's tutorials: two convolutions with pooling, two linear layers.
 * Input `[batch, 28, 28, 1]`, output logits `[batch, 10]`.
 */
export function buildCnn(): Sequential {
  return new Sequential(
    new Conv2d(1, 32, 3), // [batch, 26, 26, 32]
    new ReLU(),
    new MaxPool2d(2), // [batch, 13, 13, 32]
    new Conv2d(32, 64, 3), // [batch, 11, 11, 64]
    new ReLU(),
    new MaxPool2d(2), // [batch, 5, 5, 64]
    new Flatten(), // [batch, 1600]
    new Linear(1600, 128),
    new ReLU(),
    new Linear(128, DIGITS),
  );
}

/**
 * Reads a digit row by row, from top to bottom, with two stacked LSTM layers, and classifies from the last step.
 * Input `[batch, 28, 28, 1]`, output logits `[batch, 10]`.
 * @see Hochreiter, Schmidhuber 1997, "Long Short-Term Memory"
 */
export class RowReader extends Module<[images: Tensor], Tensor> {
  readonly lstm = new LSTM(IMAGE_SIZE, 128, { numLayers: 2 });
  readonly output = new Linear(128, DIGITS);

  protected forward(images: Tensor): Tensor {
    const rows = reshape(images, [images.shape[0], IMAGE_SIZE, IMAGE_SIZE]); // [batch, length, 28]
    const { state } = this.lstm.call(rows);
    const last = narrow(state.hidden, { axis: 0, start: 1, length: 1 }); // [1, batch, 128], the upper layer after the last row
    return this.output.call(reshape(last, [images.shape[0], 128]));
  }
}
