import { HuggingFaceConfig } from "../hugging-face-config.js";

/** Sizes of a {@link ViT} or {@link DeiT}. */
export interface ViTConfig {
  /** Channels of the pictures. Default 3. */
  readonly numChannels?: number;
  /** Height and width of the pictures. */
  readonly imageSize: readonly [number, number];
  /** Pixels of a patch in each direction. */
  readonly patchSize: number;
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly numHeads: number;
  /** Size between the two linear layers of a block. */
  readonly intermediateSize: number;
  /** Whether queries, keys and values have a bias. Default true. */
  readonly bias?: boolean;
  /** Added to variances. Default 1e-12. */
  readonly epsilon?: number;
  /** Share of hidden values that is dropped in training. Default 0. */
  readonly dropout?: number;
  /** Share of attention weights that is dropped in training. Default 0. */
  readonly attentionDropout?: number;
  readonly numClasses: number;
}

/** Sizes of a {@link DeiT}. */
export interface DeiTConfig extends ViTConfig {
  /** Whether the distillation token has a classifier too, and scores are the mean of both. */
  readonly hasTeacher: boolean;
}

/** The published sizes at 224 pixels. */
export const VIT_SIZES = {
  "vit-tiny-patch16": { hiddenSize: 192, numLayers: 12, numHeads: 3, intermediateSize: 768 },
  "vit-small-patch16": { hiddenSize: 384, numLayers: 12, numHeads: 6, intermediateSize: 1536 },
  "vit-base-patch16": { hiddenSize: 768, numLayers: 12, numHeads: 12, intermediateSize: 3072 },
  "vit-large-patch16": { hiddenSize: 1024, numLayers: 24, numHeads: 16, intermediateSize: 4096 },
} as const;

/**
 * Reads the `config.json` of a Hugging Face `vit`.
 * @throws InputError for another model type, or a value that this ViT does not have.
 */
export function readViTConfig(json: Readonly<Record<string, unknown>>): ViTConfig {
  return readSizes(new HuggingFaceConfig("ViT", json, ["vit"]));
}

/**
 * Reads the `config.json` of a Hugging Face `deit`.
 * @throws InputError for another model type, or a value that this DeiT does not have.
 */
export function readDeiTConfig(json: Readonly<Record<string, unknown>>): DeiTConfig {
  const config = new HuggingFaceConfig("DeiT", json, ["deit"]);
  const architectures: unknown = json.architectures;
  const hasTeacher =
    Array.isArray(architectures) && architectures.includes("DeiTForImageClassificationWithTeacher");
  return { ...readSizes(config), hasTeacher };
}

function readSizes(config: HuggingFaceConfig): ViTConfig {
  config.expect("hidden_act", "gelu");
  const side = config.number("image_size", 224);
  return {
    numChannels: config.number("num_channels", 3),
    imageSize: [side, side],
    patchSize: config.number("patch_size", 16),
    hiddenSize: config.number("hidden_size", 768),
    numLayers: config.number("num_hidden_layers", 12),
    numHeads: config.number("num_attention_heads", 12),
    intermediateSize: config.number("intermediate_size", 3072),
    bias: config.flag("qkv_bias", true),
    epsilon: config.number("layer_norm_eps", 1e-12),
    dropout: config.number("hidden_dropout_prob", 0),
    attentionDropout: config.number("attention_probs_dropout_prob", 0),
    numClasses: config.numClasses(),
  };
}
