import { BatchNorm2d, Conv2d, convNormActivation, Linear, Module } from "@ai/layers";
import { add, maxPool2d, mean, type Tensor } from "@ai/tensor";
import { ImageModel, type ImageModelParts } from "../image-model.js";
import type { ResNet9Config } from "./resnet9.config.js";

/** A 3×3 convolution, batch norm, ReLU. */
class ConvBlock extends Module<[x: Tensor], Tensor> {
  readonly conv: Conv2d;
  readonly bn: BatchNorm2d;

  constructor(inChannels: number, outChannels: number) {
    super();
    this.conv = new Conv2d(inChannels, outChannels, 3, { padding: 1, bias: false });
    this.bn = new BatchNorm2d(outChannels);
  }

  /** @param x `[batch, height, width, inChannels]` @returns `[batch, height, width, outChannels]` */
  protected forward(x: Tensor): Tensor {
    return convNormActivation(x, { convolution: this.conv, norm: this.bn, activation: "relu" });
  }
}

/** A convolution, half the size, and perhaps two more convolutions beside a shortcut. */
class Stage extends Module<[x: Tensor], Tensor> {
  readonly conv: ConvBlock;
  readonly residual1: ConvBlock | undefined;
  readonly residual2: ConvBlock | undefined;

  constructor(inChannels: number, outChannels: number, isResidual: boolean) {
    super();
    this.conv = new ConvBlock(inChannels, outChannels);
    this.residual1 = isResidual ? new ConvBlock(outChannels, outChannels) : undefined;
    this.residual2 = isResidual ? new ConvBlock(outChannels, outChannels) : undefined;
  }

  /** @param x `[batch, height, width, inChannels]` @returns `[batch, height / 2, width / 2, outChannels]` */
  protected forward(x: Tensor): Tensor {
    const pooled = maxPool2d(this.conv.call(x), { kernelSize: 2 }); // [batch, height / 2, width / 2, outChannels]
    if (this.residual1 === undefined || this.residual2 === undefined) return pooled;
    return add(pooled, this.residual2.call(this.residual1.call(pooled)));
  }
}

/**
 * A small residual network for small pictures that learns in few epochs: eight convolutions and a linear layer, the
 * shape that David Page's CIFAR-10 speed records made known.
 * @see Coleman et al. (2017), "DAWNBench: an end-to-end deep learning benchmark and competition"
 * @see He, Zhang, Ren, Sun (2015), "Deep residual learning for image recognition", https://arxiv.org/abs/1512.03385
 * @example
 * const model = new ResNet9({ width: 16, numClasses: 10 });
 * const scores = model.call(images); // images [batch, 32, 32, 3], scores [batch, 10]
 */
export class ResNet9 extends ImageModel {
  readonly numChannels: number;
  readonly prep: ConvBlock;
  readonly layer1: Stage;
  readonly layer2: Stage;
  readonly layer3: Stage;
  readonly linear: Linear;
  readonly parts: ImageModelParts;

  /** @throws InputError for sizes out of range. */
  constructor({ numChannels = 3, width = 16, numClasses }: ResNet9Config) {
    super();
    this.numChannels = numChannels;
    this.prep = new ConvBlock(numChannels, width);
    this.layer1 = new Stage(width, 2 * width, true);
    this.layer2 = new Stage(2 * width, 4 * width, false);
    this.layer3 = new Stage(4 * width, 8 * width, true);
    this.linear = new Linear(8 * width, numClasses);
    this.parts = {
      stages: [2, 4, 8].map((stride, index) => ({
        path: `layer${index + 1}`,
        channels: width * stride,
        stride,
      })),
      embeddingDim: 8 * width,
      classifiers: ["linear"],
      gradCamLayer: "layer3",
      attentionLayers: [],
      prefixTokens: 0,
    };
  }

  protected embed(images: Tensor): Tensor {
    const stem = this.prep.call(images); // [batch, height, width, channels]
    const features = this.layer3.call(this.layer2.call(this.layer1.call(stem))); // [batch, height / 8, width / 8, 8 · channels]
    return mean(features, { axes: [1, 2] }); // [batch, embeddingDim]
  }

  protected classify(embedding: Tensor): Tensor {
    return this.linear.call(embedding);
  }
}
