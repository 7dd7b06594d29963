import { Conv2d, Dropout, LayerNorm, Linear, Module, normal, Parameter } from "@ai/layers";
import { add, broadcastTo, concat, gelu, InputError, reshape, ShapeError, type Tensor } from "@ai/tensor";
import { ProjectedAttention } from "../projected-attention.js";
import type { ViTConfig } from "./vit.config.js";

class ViTAttention extends ProjectedAttention {
  static override readonly checkpointNames: Readonly<Record<string, string>> = {
    query: "attention.query",
    key: "attention.key",
    value: "attention.value",
    output: "output.dense",
  };
}

/** Self-attention and a feed-forward part, each with a layer norm before and a shortcut beside it. */
class ViTLayer extends Module<[x: Tensor, needsWeights: boolean], Tensor> {
  static override readonly checkpointNames: Readonly<Record<string, string>> = {
    normBefore: "layernorm_before",
    normAfter: "layernorm_after",
    intermediate: "intermediate.dense",
    output: "output.dense",
  };
  readonly attention: ViTAttention;
  readonly intermediate: Linear;
  readonly output: Linear;
  readonly normBefore: LayerNorm;
  readonly normAfter: LayerNorm;
  readonly dropout: Dropout;

  constructor(config: ViTConfig) {
    super();
    const { hiddenSize, numHeads, intermediateSize, bias, epsilon = 1e-12, dropout = 0 } = config;
    this.attention = new ViTAttention(hiddenSize, numHeads, { bias, dropout: config.attentionDropout });
    this.intermediate = new Linear(hiddenSize, intermediateSize);
    this.output = new Linear(intermediateSize, hiddenSize);
    this.normBefore = new LayerNorm(hiddenSize, { epsilon });
    this.normAfter = new LayerNorm(hiddenSize, { epsilon });
    this.dropout = new Dropout(dropout);
  }

  /** @param x `[batch, tokens, hiddenSize]` @returns the shape of `x` */
  protected forward(x: Tensor, needsWeights: boolean): Tensor {
    const normalized = this.normBefore.call(x);
    const { output } = this.attention.call({
      query: normalized,
      key: normalized,
      value: normalized,
      needsWeights,
    });
    const attended = add(this.dropout.call(output), x);
    const hidden = gelu(this.intermediate.call(this.normAfter.call(attended))); // [batch, tokens, intermediateSize]
    return add(this.dropout.call(this.output.call(hidden)), attended);
  }
}

/** Patches of the picture and the first tokens, with their positions. */
class ViTEmbeddings extends Module<[images: Tensor], Tensor> {
  static override readonly checkpointNames: Readonly<Record<string, string>> = {
    classToken: "cls_token",
    distillationToken: "distillation_token",
    positions: "position_embeddings",
    projection: "patch_embeddings.projection",
  };
  readonly classToken: Parameter;
  readonly distillationToken: Parameter | undefined;
  readonly positions: Parameter;
  readonly projection: Conv2d;
  readonly dropout: Dropout;
  readonly imageSize: readonly [number, number];

  constructor(config: ViTConfig, isDistilled: boolean) {
    super();
    const { imageSize, patchSize, hiddenSize, numChannels = 3, dropout = 0 } = config;
    if (imageSize.some((side) => !Number.isInteger(side / patchSize)))
      throw new InputError(
        `ViT: expected pictures that patches of ${patchSize} fill, got ${imageSize.join(" by ")}`,
      );
    const numPatches = (imageSize[0] / patchSize) * (imageSize[1] / patchSize);
    const token = (): Parameter =>
      new Parameter([1, 1, hiddenSize], { initializer: normal({ standardDeviation: 0.02 }) });
    this.imageSize = imageSize;
    this.classToken = token();
    this.distillationToken = isDistilled ? token() : undefined;
    const tokens = numPatches + (isDistilled ? 2 : 1);
    this.positions = new Parameter([1, tokens, hiddenSize], {
      initializer: normal({ standardDeviation: 0.02 }),
    });
    this.projection = new Conv2d(numChannels, hiddenSize, patchSize, { stride: patchSize });
    this.dropout = new Dropout(dropout);
  }

  /** @param images `[batch, height, width, channels]` @returns `[batch, prefix + patches, hiddenSize]` */
  protected forward(images: Tensor): Tensor {
    const [batch, height, width] = images.shape;
    if (height !== this.imageSize[0] || width !== this.imageSize[1])
      throw new ShapeError(
        `expected pictures of ${this.imageSize.join(" by ")}, for which there are positions, got ${height} by ${width}; resize them`,
      );
    const hiddenSize = this.projection.outChannels;
    const patches = reshape(this.projection.call(images), [batch ?? 1, -1, hiddenSize]); // [batch, patches, hiddenSize]
    const prefix = [this.classToken, this.distillationToken].flatMap((token) =>
      token === undefined ? [] : [broadcastTo(token.value, [batch ?? 1, 1, hiddenSize])],
    );
    const tokens = concat([...prefix, patches], { axis: 1 }); // [batch, prefix + patches, hiddenSize]
    return this.dropout.call(add(tokens, this.positions.value));
  }
}

/** The part of a vision Transformer below the classifier. */
export class ViTEncoder extends Module<[images: Tensor, needsWeights: boolean], Tensor> {
  static override readonly checkpointNames: Readonly<Record<string, string>> = {
    layers: "encoder.layer",
    norm: "layernorm",
  };
  readonly embeddings: ViTEmbeddings;
  readonly layers: readonly ViTLayer[];
  readonly norm: LayerNorm;

  constructor(config: ViTConfig, isDistilled: boolean) {
    super();
    this.embeddings = new ViTEmbeddings(config, isDistilled);
    this.layers = Array.from({ length: config.numLayers }, () => new ViTLayer(config));
    this.norm = new LayerNorm(config.hiddenSize, { epsilon: config.epsilon ?? 1e-12 });
  }

  /** @param images `[batch, height, width, channels]` @returns `[batch, prefix + patches, hiddenSize]` */
  protected forward(images: Tensor, needsWeights: boolean): Tensor {
    const tokens = this.layers.reduce(
      (x, layer) => layer.call(x, needsWeights),
      this.embeddings.call(images),
    );
    return this.norm.call(tokens);
  }
}
