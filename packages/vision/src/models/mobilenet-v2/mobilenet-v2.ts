import { Dropout, Linear, Module } from "@ai/layers";
import { add, InputError, mean, type Tensor } from "@ai/tensor";
import { ConvNorm, type ConvNormOptions, roundChannels } from "../conv-norm.js";
import { type FeatureStage, ImageModel, type ImageModelParts } from "../image-model.js";
import type { MobileNetV2Config } from "./mobilenet-v2.config.js";

/** Channels that the blocks read and give, and the strides of all but the first. */
const CHANNELS = [16, 24, 24, 32, 32, 32, 64, 64, 64, 64, 96, 96, 96, 160, 160, 160, 320];
const STRIDES = [2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1];

/** Expand by 1×1, filter each channel by 3×3, reduce by 1×1 without activation. */
class InvertedResidual extends Module<[x: Tensor], Tensor> {
  static override readonly checkpointNames: Readonly<Record<string, string>> = {
    first: "first_conv",
    expand: "expand_1x1",
    depthwise: "conv_3x3",
    reduce: "reduce_1x1",
  };
  /** The very first convolution of the network. */
  readonly first: ConvNorm | undefined;
  readonly expand: ConvNorm | undefined;
  readonly depthwise: ConvNorm;
  readonly reduce: ConvNorm;
  readonly isResidual: boolean;

  constructor(
    inChannels: number,
    outChannels: number,
    options: ConvNormOptions & {
      readonly width: number;
      readonly expands: boolean;
      readonly isStem?: boolean;
    },
  ) {
    super();
    const { width, expands, isStem = false, stride, dilation, ...shared } = options;
    const active: ConvNormOptions = { ...shared, activation: "relu6" };
    this.first = isStem
      ? new ConvNorm(inChannels, width, { ...active, kernelSize: 3, stride: 2 })
      : undefined;
    this.expand = expands ? new ConvNorm(isStem ? width : inChannels, width, active) : undefined;
    this.depthwise = new ConvNorm(width, width, {
      ...active,
      kernelSize: 3,
      stride,
      dilation,
      groups: width,
    });
    this.reduce = new ConvNorm(width, outChannels, shared);
    this.isResidual = !isStem && stride === 1 && inChannels === outChannels;
  }

  /** @param x `[batch, height, width, inChannels]` @returns `[batch, height / stride, width / stride, outChannels]` */
  protected forward(x: Tensor): Tensor {
    const layers = [this.first, this.expand, this.depthwise, this.reduce];
    const reduced = layers.reduce((hidden, layer) => layer?.call(hidden) ?? hidden, x);
    return this.isResidual ? add(x, reduced) : reduced;
  }
}

/**
 * A small network for phones: inverted residual blocks. Names are Hugging Face's; {@link MOBILENET_V2_FROM_TORCHVISION}
 * maps torchvision's.
 * @see Sandler, Howard, Zhu, Zhmoginov, Chen (2018), "MobileNetV2", https://arxiv.org/abs/1801.04381
 * @example
 * const model = new MobileNetV2({ numClasses: 1001 }).eval();
 * const scores = model.call(images); // images [batch, 224, 224, 3], scores [batch, 1001]
 */
export class MobileNetV2 extends ImageModel {
  static override readonly checkpointNames: Readonly<Record<string, string>> = {
    stem: "mobilenet_v2.conv_stem",
    layers: "mobilenet_v2.layer",
    head: "mobilenet_v2.conv_1x1",
  };
  readonly numChannels: number;
  readonly stem: InvertedResidual;
  readonly layers: readonly InvertedResidual[];
  readonly head: ConvNorm;
  readonly dropout: Dropout;
  readonly classifier: Linear;
  readonly parts: ImageModelParts;

  /** @throws InputError for sizes out of range. */
  constructor(config: MobileNetV2Config) {
    super();
    const { depthMultiplier = 1, depthDivisibleBy = 8, minDepth = 8, expandRatio = 6 } = config;
    const { numChannels = 3, outputStride = 32, padding = "tensorflow", epsilon = 1e-3 } = config;
    if (![8, 16, 32].includes(outputStride))
      throw new InputError(`MobileNetV2: expected an outputStride of 8, 16 or 32, got ${outputStride}`);
    const round = (channels: number): number =>
      roundChannels(Math.round(channels), depthDivisibleBy, minDepth);
    const sizes = CHANNELS.map((channels) => round(channels * depthMultiplier));
    const shared = { padding, epsilon };
    this.numChannels = numChannels;
    this.stem = new InvertedResidual(numChannels, sizes[0], {
      ...shared,
      width: round(32 * depthMultiplier),
      expands: !(config.firstLayerIsExpansion ?? true),
      isStem: true,
      stride: 1,
    });
    const plan = planStrides(outputStride);
    this.layers = plan.map(
      ({ stride, dilation }, index) =>
        new InvertedResidual(sizes[index], sizes[index + 1], {
          ...shared,
          width: round(sizes[index] * expandRatio),
          expands: true,
          stride,
          dilation,
        }),
    );
    const keepsHead = (config.finegrainedOutput ?? true) && depthMultiplier < 1;
    const embeddingDim = keepsHead ? 1280 : round(1280 * depthMultiplier);
    this.head = new ConvNorm(sizes[sizes.length - 1], embeddingDim, { ...shared, activation: "relu6" });
    this.dropout = new Dropout(config.dropout ?? 0.2);
    this.classifier = new Linear(embeddingDim, config.numClasses);
    // the last map of each size
    const stages: FeatureStage[] = plan
      .map(({ total }, index) => ({
        path: `mobilenet_v2.layer.${index}`,
        channels: sizes[index + 1],
        stride: total,
      }))
      .filter(({ stride }, index) => plan[index + 1]?.total !== stride);
    this.parts = {
      stages,
      embeddingDim,
      classifiers: ["classifier"],
      gradCamLayer: "mobilenet_v2.conv_1x1",
      attentionLayers: [],
      prefixTokens: 0,
    };
  }

  protected embed(images: Tensor): Tensor {
    const features = this.layers.reduce((x, layer) => layer.call(x), this.stem.call(images)); // [batch, rows, columns, channels]
    return mean(this.head.call(features), { axes: [1, 2] }); // [batch, embeddingDim]
  }

  protected classify(embedding: Tensor): Tensor {
    return this.classifier.call(this.dropout.call(embedding));
  }
}

/** Strides until the output stride is reached, dilations from there on. */
function planStrides(outputStride: number): { stride: number; dilation: number; total: number }[] {
  let total = 2;
  let dilation = 1;
  return STRIDES.map((wanted) => {
    if (total === outputStride) {
      const step = { stride: 1, dilation, total };
      dilation *= wanted;
      return step;
    }
    total *= wanted;
    return { stride: wanted, dilation: 1, total };
  });
}
