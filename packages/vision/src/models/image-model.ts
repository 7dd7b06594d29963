import { Module } from "@ai/layers";
import { InputError, ShapeError, type Tensor } from "@ai/tensor";

/** A feature map that a model computes on its way. */
export interface FeatureStage {
  /** Path of the module that gives it, `[batch, height / stride, width / stride, channels]`. */
  readonly path: string;
  readonly channels: number;
  /** Pixels that one cell spans. */
  readonly stride: number;
}

/** What a model declares of itself, so that shared code (explaining, fine-tuning, detectors) never asks which model it has. */
export interface ImageModelParts {
  /** Feature maps from fine to coarse; empty where the model has none. */
  readonly stages: readonly FeatureStage[];
  /** Size of the embedding that the classifier reads. */
  readonly embeddingDim: number;
  /** Paths of the modules that turn the embedding into classes: a model of other classes gets new ones. */
  readonly classifiers: readonly string[];
  /** Path of the module whose output Grad-CAM weighs; undefined for a model without convolutional features. */
  readonly gradCamLayer: string | undefined;
  /** Paths of the attention modules in order, for attention rollout: each gives `{ output, weights }`. */
  readonly attentionLayers: readonly string[];
  /** Tokens before those of the patches, such as a class token. */
  readonly prefixTokens: number;
  /** Edge of the squares of pixels that the other tokens stand for; left out by a model without tokens. */
  readonly patchSize?: number;
}

/** Options of a call of an {@link ImageModel}. */
export interface ImageModelCallOptions {
  /** Scores of the classes (default), or the embedding that they are computed from. */
  readonly output?: "classes" | "embedding";
  /** Whether attention modules compute their weights, for hooks that read them. Default false, which is faster. */
  readonly attentionWeights?: boolean;
}

/** A classifier of pictures: `embed`, then `classify`. */
export abstract class ImageModel extends Module<[images: Tensor, options?: ImageModelCallOptions], Tensor> {
  /** What the model declares of itself. */
  abstract readonly parts: ImageModelParts;
  /** Channels of the pictures. */
  abstract readonly numChannels: number;

  /** @returns `[batch, embeddingDim]` */
  protected abstract embed(images: Tensor, options: ImageModelCallOptions): Tensor;

  /** @param embedding `[batch, embeddingDim]` @returns `[batch, classes]` */
  protected abstract classify(embedding: Tensor): Tensor;

  /**
   * @param images `[batch, height, width, channels]`, preprocessed as the weights want it.
   * @returns scores before the softmax `[batch, classes]`, or the embedding `[batch, embeddingDim]`
   * @throws ShapeError for another rank or number of channels, InputError for options that the model does not know.
   */
  protected forward(images: Tensor, options: ImageModelCallOptions = {}): Tensor {
    assertImages(images, this.numChannels);
    assertCallOptions(options, this.parts);
    const embedding = this.embed(images, options);
    return options.output === "embedding" ? embedding : this.classify(embedding);
  }
}

/** @throws ShapeError unless `images` is `[batch, height, width, channels]`. */
export function assertImages(images: Tensor, channels: number): void {
  const shape = images?.shape as readonly number[] | undefined;
  if (shape === undefined)
    throw new InputError(`expected a tensor of images, got ${typeof images}; make one with tensor()`);
  if (shape.length !== 4 || shape[3] !== channels)
    throw new ShapeError(
      `expected images [batch, height, width, ${channels}], got [${shape.join(", ")}]; images are channels-last`,
    );
}

function assertCallOptions(options: ImageModelCallOptions, parts: ImageModelParts): void {
  const { output = "classes", attentionWeights = false, ...others } = options;
  const unknown = Object.keys(others);
  if (unknown.length > 0)
    throw new InputError(`expected options output and attentionWeights, got ${unknown.join(", ")}`);
  if (output !== "classes" && output !== "embedding")
    throw new InputError(`expected output "classes" or "embedding", got ${String(output)}`);
  if (attentionWeights && parts.attentionLayers.length === 0)
    throw new InputError("expected attentionWeights false, got true; this model has no attention");
}
