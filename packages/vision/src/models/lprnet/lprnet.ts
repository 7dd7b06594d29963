import {
  BatchNorm2d,
  Conv2d,
  Dropout,
  MaxPool2d,
  Module,
  ReLU,
  Sequential,
  type TensorModule,
} from "@ai/layers";
import {
  avgPool2d,
  concat,
  div,
  InputError,
  mean,
  ShapeError,
  square,
  stridedSlice,
  type Tensor,
} from "@ai/tensor";
import { assertImages } from "../image-model.js";
import type { TextRecognitionModelParts } from "../text-recognition-model.js";
import type { LPRNetConfig } from "./lprnet.config.js";

/** 1×1 to a quarter of the channels, 3×1, 1×3, 1×1. */
class SmallBlock extends Module<[x: Tensor], Tensor> {
  readonly block: Sequential;

  constructor(inChannels: number, outChannels: number) {
    super();
    const width = outChannels / 4;
    this.block = new Sequential(
      new Conv2d(inChannels, width, 1),
      new ReLU(),
      new Conv2d(width, width, [3, 1], { padding: [1, 0] }),
      new ReLU(),
      new Conv2d(width, width, [1, 3], { padding: [0, 1] }),
      new ReLU(),
      new Conv2d(width, outChannels, 1),
    );
  }

  /** @param x `[batch, height, width, inChannels]` @returns `[batch, height, width, outChannels]` */
  protected forward(x: Tensor): Tensor {
    return this.block.call(x);
  }
}

/** PyTorch's `MaxPool3d((1, 3, 3), stride=(step, 1, across))` on an image: 3×3 windows of every `step`-th channel. */
class ChannelStepPool extends Module<[x: Tensor], Tensor> {
  readonly pool: MaxPool2d;
  readonly step: number;

  constructor(step: number, across: number) {
    super();
    this.pool = new MaxPool2d(3, { stride: [1, across] });
    this.step = step;
  }

  /** @param x `[batch, height, width, channels]` @returns `[batch, height − 2, (width − 3) / across + 1, channels / step]` */
  protected forward(x: Tensor): Tensor {
    const channels = this.step === 1 ? x : stridedSlice(x, { strides: [1, 1, 1, this.step] }); // [batch, height, width, channels / step]
    return this.pool.call(channels);
  }
}

/** Positions in `backbone` whose results are context for the classes, and how they shrink to 4 rows and the width of the last. */
const CONTEXT = [
  { after: 2, kernelSize: [5, 5], stride: [5, 5] },
  { after: 6, kernelSize: [5, 5], stride: [5, 5] },
  { after: 13, kernelSize: [4, 10], stride: [4, 2] },
  { after: 22, kernelSize: undefined, stride: undefined },
] as const;

/**
 * Reads number plates of 94×24 pixels without cutting them into characters: scores of symbols at 18 positions, which
 * {@link decodeCtc} turns into text. Names as in sirius-ai/LPRNet_Pytorch. Context is scaled for each picture by itself;
 * the original takes the mean over the batch, which is the same for a batch of one.
 * @see Zherzdev, Gruzdev (2018), "LPRNet: License plate recognition via deep neural networks", https://arxiv.org/abs/1806.10447
 * @example
 * const model = new LPRNet({ numClasses: LPRNET_SYMBOLS.length }).eval();
 * const scores = model.call(images); // images [batch, 24, 94, 3] BGR in [−1, 1], scores [batch, 18, 68]
 */
export class LPRNet extends Module<[images: Tensor], Tensor> {
  readonly numClasses: number;
  readonly backbone: Sequential;
  readonly container: Sequential;
  readonly parts: TextRecognitionModelParts;

  /** @throws InputError for sizes out of range. */
  constructor({ numClasses, dropout = 0.5, widthFactor = 1 }: LPRNetConfig) {
    super();
    const [narrow, middle, wide] = [64, 128, 256].map((channels) => channels * widthFactor);
    if (!Number.isInteger(narrow / 16))
      throw new InputError(`LPRNet: expected a widthFactor that is a multiple of 0.25, got ${widthFactor}`);
    const layers: TensorModule[] = [
      new Conv2d(3, narrow, 3),
      new BatchNorm2d(narrow),
      new ReLU(),
      new ChannelStepPool(1, 1),
      new SmallBlock(narrow, middle),
      new BatchNorm2d(middle),
      new ReLU(),
      new ChannelStepPool(2, 2),
      new SmallBlock(narrow, wide),
      new BatchNorm2d(wide),
      new ReLU(),
      new SmallBlock(wide, wide),
      new BatchNorm2d(wide),
      new ReLU(),
      new ChannelStepPool(4, 2),
      new Dropout(dropout),
      new Conv2d(narrow, wide, [1, 4]),
      new BatchNorm2d(wide),
      new ReLU(),
      new Dropout(dropout),
      new Conv2d(wide, numClasses, [13, 1]),
      new BatchNorm2d(numClasses),
      new ReLU(),
    ];
    this.numClasses = numClasses;
    this.parts = { blank: numClasses - 1, gradCamLayer: "backbone.13" };
    this.backbone = new Sequential(...layers);
    this.container = new Sequential(new Conv2d(narrow + middle + wide + numClasses, numClasses, 1));
  }

  /**
   * @param images `[batch, 24, 94, 3]`
   * @returns `[batch, 18, numClasses]` scores of the symbols, left to right
   * @throws ShapeError for pictures of another size.
   */
  protected forward(images: Tensor): Tensor {
    assertImages(images, 3);
    const [, height, width] = images.shape;
    if (height !== 24 || width !== 94)
      throw new ShapeError(`expected pictures 24 high and 94 wide, got ${height} and ${width}; resize them`);
    const context: Tensor[] = [];
    let x = images;
    for (const [index, layer] of this.backbone.layers.entries()) {
      x = layer.call(x);
      const place = CONTEXT.find(({ after }) => after === index);
      if (place === undefined) continue;
      const { kernelSize, stride } = place;
      const pooled =
        kernelSize === undefined ? x : avgPool2d(x, { kernelSize: [...kernelSize], stride: [...stride] }); // [batch, 4, 18, channels]
      context.push(div(pooled, mean(square(pooled), { axes: [1, 2, 3], keepDims: true })));
    }
    const scores = this.container.call(concat(context, { axis: 3 })); // [batch, 4, 18, numClasses]
    return mean(scores, { axes: 1 }); // [batch, 18, numClasses]
  }
}
