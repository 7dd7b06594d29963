import { BatchNorm2d, Conv2d, convNormActivation, Linear, Module, Sequential } from "@ai/layers";
import { add, mean, pad, relu, stridedSlice, type Tensor } from "@ai/tensor";
import { ImageModel, type ImageModelParts } from "../image-model.js";
import type { CifarResNetConfig } from "./cifar-resnet.config.js";

/** Two 3×3 convolutions beside a shortcut that has no parameters (option A of the paper). */
class CifarBlock extends Module<[x: Tensor], Tensor> {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly halves: boolean;

  constructor(inChannels: number, outChannels: number) {
    super();
    this.halves = inChannels !== outChannels;
    const stride = this.halves ? 2 : 1;
    this.conv1 = new Conv2d(inChannels, outChannels, 3, { stride, padding: 1, bias: false });
    this.bn1 = new BatchNorm2d(outChannels);
    this.conv2 = new Conv2d(outChannels, outChannels, 3, { padding: 1, bias: false });
    this.bn2 = new BatchNorm2d(outChannels);
  }

  /** @param x `[batch, height, width, inChannels]` @returns `[batch, height / stride, width / stride, outChannels]` */
  protected forward(x: Tensor): Tensor {
    const hidden = convNormActivation(x, { convolution: this.conv1, norm: this.bn1, activation: "relu" }); // [batch, height / stride, width / stride, outChannels]
    return relu(
      add(
        convNormActivation(hidden, { convolution: this.conv2, norm: this.bn2 }),
        this.halves ? this.#shortcut(x) : x,
      ),
    );
  }

  /** Every second pixel, zeros as new channels on both sides. */
  #shortcut(x: Tensor): Tensor {
    const added = (this.conv2.outChannels - this.conv1.inChannels) / 2;
    const pixels = stridedSlice(x, { strides: [1, 2, 2, 1] }); // [batch, height / 2, width / 2, inChannels]
    return pad(pixels, [
      [0, 0],
      [0, 0],
      [0, 0],
      [added, added],
    ]); // [batch, height / 2, width / 2, outChannels]
  }
}

/**
 * Residual network for pictures of 32×32 pixels: three stages, shortcuts without parameters. Names as in
 * akamaster/pytorch_resnet_cifar10; {@link CIFAR_RESNET_FROM_DATA_PARALLEL} takes its files' prefix away.
 * @see He, Zhang, Ren, Sun (2015), "Deep residual learning for image recognition", https://arxiv.org/abs/1512.03385, section 4.2
 * @example
 * const model = new CifarResNet({ ...CIFAR_RESNET_SIZES["resnet-20"], numClasses: 10 });
 * const scores = model.call(images); // images [batch, 32, 32, 3], scores [batch, 10]
 */
export class CifarResNet extends ImageModel {
  readonly numChannels: number;
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly layer1: Sequential;
  readonly layer2: Sequential;
  readonly layer3: Sequential;
  readonly linear: Linear;
  readonly parts: ImageModelParts;

  /** @throws InputError for sizes out of range. */
  constructor({ numChannels = 3, depth, width = 16, numClasses }: CifarResNetConfig) {
    super();
    this.numChannels = numChannels;
    this.conv1 = new Conv2d(numChannels, width, 3, { padding: 1, bias: false });
    this.bn1 = new BatchNorm2d(width);
    const stage = (before: number, channels: number): Sequential =>
      new Sequential(
        ...Array.from(
          { length: depth },
          (_, index) => new CifarBlock(index === 0 ? before : channels, channels),
        ),
      );
    this.layer1 = stage(width, width);
    this.layer2 = stage(width, 2 * width);
    this.layer3 = stage(2 * width, 4 * width);
    this.linear = new Linear(4 * width, numClasses);
    this.parts = {
      stages: [1, 2, 4].map((stride, index) => ({
        path: `layer${index + 1}`,
        channels: width * stride,
        stride,
      })),
      embeddingDim: 4 * width,
      classifiers: ["linear"],
      gradCamLayer: "layer3",
      attentionLayers: [],
      prefixTokens: 0,
    };
  }

  protected embed(images: Tensor): Tensor {
    const stem = convNormActivation(images, { convolution: this.conv1, norm: this.bn1, activation: "relu" }); // [batch, height, width, channels]
    const features = this.layer3.call(this.layer2.call(this.layer1.call(stem))); // [batch, height / 4, width / 4, 4 · channels]
    return mean(features, { axes: [1, 2] }); // [batch, embeddingDim]
  }

  protected classify(embedding: Tensor): Tensor {
    return this.linear.call(embedding);
  }
}
