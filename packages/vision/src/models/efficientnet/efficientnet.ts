import { Conv2d, Dropout, Linear, Module, StochasticDepth } from "@ai/layers";
import { add, mean, mul, sigmoid, silu, type Tensor } from "@ai/tensor";
import { ConvNorm, type ConvNormOptions, roundChannels } from "../conv-norm.js";
import { type FeatureStage, ImageModel, type ImageModelParts } from "../image-model.js";
import { blocksOfStages, EFFICIENTNET_STAGES, type EfficientNetConfig } from "./efficientnet.config.js";

class Stem extends ConvNorm {
  static override readonly checkpointNames: Readonly<Record<string, string>> = { normalization: "batchnorm" };
}

class Expansion extends ConvNorm {
  static override readonly checkpointNames: Readonly<Record<string, string>> = {
    convolution: "expand_conv",
    normalization: "expand_bn",
  };
}

class Depthwise extends ConvNorm {
  static override readonly checkpointNames: Readonly<Record<string, string>> = {
    convolution: "depthwise_conv",
    normalization: "depthwise_norm",
  };
}

class Projection extends ConvNorm {
  static override readonly checkpointNames: Readonly<Record<string, string>> = {
    convolution: "project_conv",
    normalization: "project_bn",
  };
}

class Top extends ConvNorm {
  static override readonly checkpointNames: Readonly<Record<string, string>> = {
    convolution: "top_conv",
    normalization: "top_bn",
  };
}

/** Weighs channels by what the whole picture holds. */
class SqueezeExcite extends Module<[x: Tensor], Tensor> {
  readonly reduce: Conv2d;
  readonly expand: Conv2d;

  constructor(channels: number, squeezed: number) {
    super();
    this.reduce = new Conv2d(channels, squeezed, 1);
    this.expand = new Conv2d(squeezed, channels, 1);
  }

  /** @param x `[batch, height, width, channels]` @returns the shape of `x` */
  protected forward(x: Tensor): Tensor {
    const squeezed = mean(x, { axes: [1, 2], keepDims: true }); // [batch, 1, 1, channels]
    return mul(x, sigmoid(this.expand.call(silu(this.reduce.call(squeezed)))));
  }
}

interface BlockOptions extends ConvNormOptions {
  readonly expandRatio: number;
  readonly squeezed: number | undefined;
  readonly isResidual: boolean;
  readonly dropProbability: number;
}

/** Expand by 1×1, filter each channel, weigh the channels, reduce by 1×1 without activation. */
class MobileBlock extends Module<[x: Tensor], Tensor> {
  static override readonly checkpointNames: Readonly<Record<string, string>> = {
    depthwise: "depthwise_conv",
    squeezeExcite: "squeeze_excite",
  };
  readonly expansion: Expansion | undefined;
  readonly depthwise: Depthwise;
  readonly squeezeExcite: SqueezeExcite | undefined;
  readonly projection: Projection;
  readonly drop: StochasticDepth;
  readonly isResidual: boolean;

  constructor(inChannels: number, outChannels: number, options: BlockOptions) {
    super();
    const { expandRatio, squeezed, isResidual, dropProbability, kernelSize, stride, padding, ...shared } =
      options;
    const width = inChannels * expandRatio;
    this.expansion = expandRatio === 1 ? undefined : new Expansion(inChannels, width, shared);
    this.depthwise = new Depthwise(width, width, { ...shared, kernelSize, stride, padding, groups: width });
    this.squeezeExcite = squeezed === undefined ? undefined : new SqueezeExcite(width, squeezed);
    this.projection = new Projection(width, outChannels, { epsilon: shared.epsilon });
    this.drop = new StochasticDepth(dropProbability);
    this.isResidual = isResidual;
  }

  /** @param x `[batch, height, width, inChannels]` @returns `[batch, height / stride, width / stride, outChannels]` */
  protected forward(x: Tensor): Tensor {
    const layers = [this.expansion, this.depthwise, this.squeezeExcite, this.projection];
    const projected = layers.reduce((hidden, layer) => layer?.call(hidden) ?? hidden, x);
    return this.isResidual ? add(this.drop.call(projected), x) : projected;
  }
}

/**
 * EfficientNet B0 to B7 and Lite: one network scaled in width and depth. Names are Hugging Face's;
 * {@link efficientNetFromTorchvision} and {@link EFFICIENTNET_FROM_PORT} map others.
 * @see Tan, Le (2019), "EfficientNet", https://arxiv.org/abs/1905.11946
 * @example
 * const model = new EfficientNet({ ...EFFICIENTNET_SIZES["efficientnet-b0"], numClasses: 1000 }).eval();
 * const scores = model.call(images); // images [batch, 224, 224, 3], scores [batch, 1000]
 */
export class EfficientNet extends ImageModel {
  static override readonly checkpointNames: Readonly<Record<string, string>> = {
    stem: "efficientnet.embeddings",
    blocks: "efficientnet.encoder.blocks",
    top: "efficientnet.encoder",
  };
  readonly numChannels: number;
  readonly stem: Stem;
  readonly blocks: readonly MobileBlock[];
  readonly top: Top;
  readonly dropout: Dropout;
  readonly classifier: Linear;
  readonly parts: ImageModelParts;

  /** @throws InputError for sizes out of range. */
  constructor(config: EfficientNetConfig) {
    super();
    const { numChannels = 3, widthCoefficient, depthDivisor = 8, lite = false, squeezeRatio = 0.25 } = config;
    const { padding = "end", epsilon = 1e-3, dropConnect = 0.2, symmetricBlocks = [] } = config;
    const stages = config.stages ?? EFFICIENTNET_STAGES;
    const round = (channels: number): number => roundChannels(channels * widthCoefficient, depthDivisor);
    const shared = { epsilon, activation: lite ? "relu6" : "silu" } as const;
    const stemChannels = lite ? stages[0].inChannels : round(stages[0].inChannels);
    const embeddingDim = config.hiddenDim ?? (lite ? 1280 : round(1280));
    const counts = blocksOfStages(config);
    const numBlocks = counts.reduce((total, count) => total + count, 0);
    const maps: FeatureStage[] = [];
    const blocks: MobileBlock[] = [];
    let channels = stemChannels;
    let total = 2;
    for (const [index, stage] of stages.entries())
      for (let repeat = 0; repeat < counts[index]; repeat++) {
        const stride = repeat === 0 ? stage.stride : 1;
        const outChannels = round(stage.outChannels);
        blocks.push(
          new MobileBlock(channels, outChannels, {
            ...shared,
            kernelSize: stage.kernelSize,
            stride,
            padding: symmetricBlocks.includes(blocks.length) ? "symmetric" : padding,
            expandRatio: stage.expandRatio,
            squeezed: lite ? undefined : Math.max(1, Math.floor(channels * squeezeRatio)),
            isResidual: repeat > 0,
            dropProbability: (dropConnect * blocks.length) / numBlocks,
          }),
        );
        channels = outChannels;
        total *= stride;
        const map = { path: `efficientnet.encoder.blocks.${blocks.length - 1}`, channels, stride: total };
        if (maps.at(-1)?.stride === total) maps.pop(); // the last map of each size
        maps.push(map);
      }
    this.numChannels = numChannels;
    this.stem = new Stem(numChannels, stemChannels, { ...shared, kernelSize: 3, stride: 2, padding });
    this.blocks = blocks;
    this.top = new Top(channels, embeddingDim, shared);
    this.dropout = new Dropout(config.dropout ?? 0.2);
    this.classifier = new Linear(embeddingDim, config.numClasses);
    this.parts = {
      stages: maps,
      embeddingDim,
      classifiers: ["classifier"],
      gradCamLayer: "efficientnet.encoder",
      attentionLayers: [],
      prefixTokens: 0,
    };
  }

  protected embed(images: Tensor): Tensor {
    const features = this.blocks.reduce((x, block) => block.call(x), this.stem.call(images)); // [batch, rows, columns, channels]
    return mean(this.top.call(features), { axes: [1, 2] }); // [batch, embeddingDim]
  }

  protected classify(embedding: Tensor): Tensor {
    return this.classifier.call(this.dropout.call(embedding));
  }
}
