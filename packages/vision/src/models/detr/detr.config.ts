import type { WeightMapping } from "@ai/tensor";
import { HuggingFaceConfig } from "../hugging-face-config.js";
import {
  RESNET_FROM_HUGGING_FACE,
  RESNET_SIZES,
  type ResNetBackboneConfig,
} from "../resnet/resnet.config.js";

/** Sizes of a {@link Detr}. */
export interface DetrConfig {
  readonly backbone: ResNetBackboneConfig;
  /** Objects that are looked for at once. */
  readonly numQueries: number;
  readonly dim: number;
  readonly encoderLayers: number;
  readonly encoderHeads: number;
  readonly encoderFeedForward: number;
  readonly decoderLayers: number;
  readonly decoderHeads: number;
  readonly decoderFeedForward: number;
  /** Share of hidden values that is dropped in training. Default 0.1. */
  readonly dropout?: number;
  /** Share of attention weights that is dropped in training. Default 0. */
  readonly attentionDropout?: number;
  /** Classes without the one for "no object". */
  readonly numClasses: number;
}

/**
 * Reads the `config.json` of a Hugging Face `detr` with a ResNet backbone, of timm's or its own.
 * @throws InputError for another model type, or a value that this DETR does not have.
 */
export function readDetrConfig(json: Readonly<Record<string, unknown>>): DetrConfig {
  const config = new HuggingFaceConfig("DETR", json, ["detr"]);
  config.expect("activation_function", "relu");
  config.expect("position_embedding_type", "sine");
  config.expect("activation_dropout", 0);
  config.expect("encoder_layerdrop", 0);
  config.expect("decoder_layerdrop", 0);
  if (config.has("dilation")) config.expect("dilation", false);
  return {
    backbone: readBackbone(config, json),
    numQueries: config.number("num_queries", 100),
    dim: config.number("d_model", 256),
    encoderLayers: config.number("encoder_layers", 6),
    encoderHeads: config.number("encoder_attention_heads", 8),
    encoderFeedForward: config.number("encoder_ffn_dim", 2048),
    decoderLayers: config.number("decoder_layers", 6),
    decoderHeads: config.number("decoder_attention_heads", 8),
    decoderFeedForward: config.number("decoder_ffn_dim", 2048),
    dropout: config.number("dropout", 0.1),
    attentionDropout: config.number("attention_dropout", 0),
    numClasses: config.numClasses(),
  };
}

function readBackbone(
  config: HuggingFaceConfig,
  json: Readonly<Record<string, unknown>>,
): ResNetBackboneConfig {
  const numChannels = config.number("num_channels", 3);
  if (!config.has("backbone_config")) {
    const name = config.oneOf("backbone", ["resnet50", "resnet101"], "resnet50");
    return { ...RESNET_SIZES[name === "resnet50" ? "resnet-50" : "resnet-101"], numChannels };
  }
  const own = new HuggingFaceConfig(
    "DETR backbone",
    json.backbone_config as Readonly<Record<string, unknown>>,
    ["resnet"],
  );
  own.expect("hidden_act", "relu");
  const size = RESNET_SIZES["resnet-50"];
  return {
    numChannels,
    embeddingSize: own.number("embedding_size", 64),
    block: own.oneOf("layer_type", ["basic", "bottleneck"], size.block),
    hiddenSizes: own.numbers("hidden_sizes", size.hiddenSizes),
    depths: own.numbers("depths", size.depths),
    downsampleInFirstStage: own.flag("downsample_in_first_stage", false),
    downsampleInBottleneck: own.flag("downsample_in_bottleneck", false),
  };
}

const BACKBONE = "model.backbone.conv_encoder.model";

/** From the names of a DETR whose backbone is Hugging Face's ResNet to those with timm's, which are ours. */
export const DETR_FROM_HUGGING_FACE_BACKBONE: WeightMapping = RESNET_FROM_HUGGING_FACE.flatMap((rule) =>
  "ignore" in rule || typeof rule.from !== "string" || !rule.from.startsWith("resnet.")
    ? []
    : [{ ...rule, from: `${BACKBONE}${rule.from.slice("resnet".length)}`, to: `${BACKBONE}.${rule.to}` }],
);
