import { Linear } from "@ai/layers";
import { add, mul, narrow, reshape, split, type Tensor } from "@ai/tensor";
import { ImageModel, type ImageModelCallOptions, type ImageModelParts } from "../image-model.js";
import type { DeiTConfig, ViTConfig } from "./vit.config.js";
import { ViTEncoder } from "./vit-encoder.js";

/** What a ViT declares of itself. */
function partsOf(
  { hiddenSize, numLayers, patchSize }: ViTConfig,
  { name, prefixTokens, classifiers }: { name: string; prefixTokens: number; classifiers: readonly string[] },
): ImageModelParts {
  return {
    stages: [],
    embeddingDim: hiddenSize * classifiers.length,
    classifiers,
    gradCamLayer: undefined,
    attentionLayers: Array.from(
      { length: numLayers },
      (_, layer) => `${name}.encoder.layer.${layer}.attention`,
    ),
    prefixTokens,
    patchSize,
  };
}

/** The first tokens, each as its own embedding side by side. @returns `[batch, count · dim]` */
function firstTokens(tokens: Tensor, count: number): Tensor {
  const [batch, , dim]: readonly number[] = tokens.shape;
  return reshape(narrow(tokens, { axis: 1, start: 0, length: count }), [batch, count * dim]);
}

/**
 * Vision Transformer: patches as tokens, a class token in front. Names are Hugging Face's.
 * @see Dosovitskiy et al. (2020), "An image is worth 16x16 words", https://arxiv.org/abs/2010.11929
 * @example
 * const size = { ...VIT_SIZES["vit-base-patch16"], imageSize: [224, 224], patchSize: 16 } as const;
 * const scores = new ViT({ ...size, numClasses: 1000 }).eval().call(images); // images [batch, 224, 224, 3], scores [batch, 1000]
 */
export class ViT extends ImageModel {
  static override readonly checkpointNames: Readonly<Record<string, string>> = { encoder: "vit" };
  readonly numChannels: number;
  readonly encoder: ViTEncoder;
  readonly classifier: Linear;
  readonly parts: ImageModelParts;

  /** @throws InputError for sizes out of range. */
  constructor(config: ViTConfig) {
    super();
    this.numChannels = config.numChannels ?? 3;
    this.encoder = new ViTEncoder(config, false);
    this.classifier = new Linear(config.hiddenSize, config.numClasses);
    this.parts = partsOf(config, { name: "vit", prefixTokens: 1, classifiers: ["classifier"] });
  }

  protected embed(images: Tensor, { attentionWeights = false }: ImageModelCallOptions): Tensor {
    return firstTokens(this.encoder.call(images, attentionWeights), 1); // [batch, hiddenSize]
  }

  protected classify(embedding: Tensor): Tensor {
    return this.classifier.call(embedding);
  }
}

/**
 * A {@link ViT} with a distillation token beside the class token. With a teacher's classifier, scores are the mean of both
 * tokens' and the embedding is both side by side. Names are Hugging Face's.
 * @see Touvron et al. (2020), "Training data-efficient image transformers", https://arxiv.org/abs/2012.12877
 */
export class DeiT extends ImageModel {
  static override readonly checkpointNames: Readonly<Record<string, string>> = {
    encoder: "deit",
    classClassifier: "cls_classifier",
    distillationClassifier: "distillation_classifier",
  };
  readonly numChannels: number;
  readonly encoder: ViTEncoder;
  readonly classifier: Linear | undefined;
  readonly classClassifier: Linear | undefined;
  readonly distillationClassifier: Linear | undefined;
  readonly parts: ImageModelParts;

  /** @throws InputError for sizes out of range. */
  constructor(config: DeiTConfig) {
    super();
    const linear = (): Linear => new Linear(config.hiddenSize, config.numClasses);
    this.numChannels = config.numChannels ?? 3;
    this.encoder = new ViTEncoder(config, true);
    this.classifier = config.hasTeacher ? undefined : linear();
    this.classClassifier = config.hasTeacher ? linear() : undefined;
    this.distillationClassifier = config.hasTeacher ? linear() : undefined;
    const classifiers = config.hasTeacher ? ["cls_classifier", "distillation_classifier"] : ["classifier"];
    this.parts = partsOf(config, { name: "deit", prefixTokens: 2, classifiers });
  }

  protected embed(images: Tensor, { attentionWeights = false }: ImageModelCallOptions): Tensor {
    return firstTokens(this.encoder.call(images, attentionWeights), this.parts.classifiers.length); // [batch, embeddingDim]
  }

  protected classify(embedding: Tensor): Tensor {
    const { classifier, classClassifier, distillationClassifier } = this;
    if (classClassifier === undefined || distillationClassifier === undefined)
      return classifier!.call(embedding);
    const [ofClass, ofTeacher] = split(embedding, 2, { axis: 1 });
    return mul(add(classClassifier.call(ofClass), distillationClassifier.call(ofTeacher)), 0.5);
  }
}
