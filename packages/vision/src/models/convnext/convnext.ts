import {
  Conv2d,
  constant,
  LayerNorm,
  Linear,
  Module,
  Parameter,
  StochasticDepth,
  type TensorModule,
} from "@ai/layers";
import { add, gelu, InputError, mean, mul, type Tensor } from "@ai/tensor";
import { ImageModel, type ImageModelParts } from "../image-model.js";
import type { ConvNextConfig } from "./convnext.config.js";

/** A 7×7 depthwise convolution, then two linear layers on the channels, beside a shortcut. */
class ConvNextBlock extends Module<[x: Tensor], Tensor> {
  static override readonly checkpointNames: Readonly<Record<string, string>> = {
    depthwise: "dwconv",
    norm: "layernorm",
    pointwise1: "pwconv1",
    pointwise2: "pwconv2",
    layerScale: "layer_scale_parameter",
  };
  readonly layerScale: Parameter | undefined;
  readonly depthwise: Conv2d;
  readonly norm: LayerNorm;
  readonly pointwise1: Linear;
  readonly pointwise2: Linear;
  readonly drop: StochasticDepth;

  constructor(
    channels: number,
    { layerScale, drop }: { readonly layerScale: number; readonly drop: number },
  ) {
    super();
    this.layerScale =
      layerScale > 0 ? new Parameter([channels], { initializer: constant(layerScale) }) : undefined;
    this.depthwise = new Conv2d(channels, channels, 7, { padding: 3, groups: channels });
    this.norm = new LayerNorm(channels, { epsilon: 1e-6 });
    this.pointwise1 = new Linear(channels, 4 * channels);
    this.pointwise2 = new Linear(4 * channels, channels);
    this.drop = new StochasticDepth(drop);
  }

  /** @param x `[batch, height, width, channels]` @returns the shape of `x` */
  protected forward(x: Tensor): Tensor {
    const hidden = gelu(this.pointwise1.call(this.norm.call(this.depthwise.call(x)))); // [batch, height, width, 4 · channels]
    const branch = this.pointwise2.call(hidden);
    return add(
      x,
      this.drop.call(this.layerScale === undefined ? branch : mul(branch, this.layerScale.value)),
    );
  }
}

/** Halves the picture (but for the first stage), then runs its blocks. */
class ConvNextStage extends Module<[x: Tensor], Tensor> {
  static override readonly checkpointNames: Readonly<Record<string, string>> = {
    downsampling: "downsampling_layer",
  };
  readonly downsampling: readonly TensorModule[];
  readonly layers: readonly ConvNextBlock[];

  /** @param inChannels Channels of the stage before; undefined for the first stage, which keeps the size. */
  constructor(inChannels: number | undefined, outChannels: number, blocks: readonly ConvNextBlock[]) {
    super();
    this.downsampling =
      inChannels === undefined
        ? []
        : [
            new LayerNorm(inChannels, { epsilon: 1e-6 }),
            new Conv2d(inChannels, outChannels, 2, { stride: 2 }),
          ];
    this.layers = blocks;
  }

  /** @param x `[batch, height, width, inChannels]` @returns `[batch, height / 2, width / 2, outChannels]` */
  protected forward(x: Tensor): Tensor {
    return [...this.downsampling, ...this.layers].reduce((hidden, layer) => layer.call(hidden), x);
  }
}

/** Cuts the picture into patches and normalizes them. */
class PatchEmbeddings extends Module<[images: Tensor], Tensor> {
  static override readonly checkpointNames: Readonly<Record<string, string>> = {
    patches: "patch_embeddings",
    norm: "layernorm",
  };
  readonly patches: Conv2d;
  readonly norm: LayerNorm;

  constructor(numChannels: number, channels: number, patchSize: number) {
    super();
    this.patches = new Conv2d(numChannels, channels, patchSize, { stride: patchSize });
    this.norm = new LayerNorm(channels, { epsilon: 1e-6 });
  }

  /** @param images `[batch, height, width, numChannels]` @returns `[batch, height / patchSize, width / patchSize, channels]` */
  protected forward(images: Tensor): Tensor {
    return this.norm.call(this.patches.call(images));
  }
}

/**
 * A convolutional network with the habits of Transformers. Names are Hugging Face's.
 * @see Liu, Mao, Wu, Feichtenhofer, Darrell, Xie (2022), "A ConvNet for the 2020s", https://arxiv.org/abs/2201.03545
 * @example
 * const model = new ConvNext({ ...CONVNEXT_SIZES["convnext-tiny"], numClasses: 1000 }).eval();
 * const scores = model.call(images); // images [batch, 224, 224, 3], scores [batch, 1000]
 */
export class ConvNext extends ImageModel {
  static override readonly checkpointNames: Readonly<Record<string, string>> = {
    embeddings: "convnext.embeddings",
    stages: "convnext.encoder.stages",
    norm: "convnext.layernorm",
  };
  readonly numChannels: number;
  readonly embeddings: PatchEmbeddings;
  readonly stages: readonly ConvNextStage[];
  readonly norm: LayerNorm;
  readonly classifier: Linear;
  readonly parts: ImageModelParts;

  /** @throws InputError for sizes out of range, or other than one depth for each stage. */
  constructor(config: ConvNextConfig) {
    super();
    const { numChannels = 3, patchSize = 4, hiddenSizes, depths, layerScale = 1e-6, dropPath = 0 } = config;
    if (hiddenSizes.length === 0 || hiddenSizes.length !== depths.length)
      throw new InputError(
        `ConvNext: expected a depth for each of ${hiddenSizes.length} stages, got [${depths.join(", ")}]`,
      );
    const numBlocks = depths.reduce((total, depth) => total + depth, 0);
    let block = 0;
    this.numChannels = numChannels;
    this.embeddings = new PatchEmbeddings(numChannels, hiddenSizes[0], patchSize);
    this.stages = hiddenSizes.map((channels, stage) => {
      const blocks = Array.from({ length: depths[stage] }, () => {
        const drop = numBlocks === 1 ? 0 : (dropPath * block++) / (numBlocks - 1);
        return new ConvNextBlock(channels, { layerScale, drop });
      });
      return new ConvNextStage(hiddenSizes[stage - 1], channels, blocks);
    });
    const embeddingDim = hiddenSizes[hiddenSizes.length - 1];
    this.norm = new LayerNorm(embeddingDim, { epsilon: config.epsilon ?? 1e-12 });
    this.classifier = new Linear(embeddingDim, config.numClasses);
    const paths = hiddenSizes.map((channels, stage) => ({
      path: `convnext.encoder.stages.${stage}`,
      channels,
      stride: patchSize * 2 ** stage,
    }));
    this.parts = {
      stages: paths,
      embeddingDim,
      classifiers: ["classifier"],
      gradCamLayer: paths[paths.length - 1].path,
      attentionLayers: [],
      prefixTokens: 0,
    };
  }

  protected embed(images: Tensor): Tensor {
    const features = this.stages.reduce((x, stage) => stage.call(x), this.embeddings.call(images)); // [batch, rows, columns, embeddingDim]
    return this.norm.call(mean(features, { axes: [1, 2] })); // [batch, embeddingDim]
  }

  protected classify(embedding: Tensor): Tensor {
    return this.classifier.call(embedding);
  }
}
