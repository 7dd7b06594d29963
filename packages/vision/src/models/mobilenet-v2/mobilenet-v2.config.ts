import type { WeightMapping } from "@ai/tensor";
import type { StridePadding } from "../conv-norm.js";
import { HuggingFaceConfig } from "../hugging-face-config.js";

/** Sizes of a {@link MobileNetV2}. */
export interface MobileNetV2Config {
  /** Channels of the pictures. Default 3. */
  readonly numChannels?: number;
  /** Factor of all channels. Default 1. */
  readonly depthMultiplier?: number;
  /** Channels are multiples of this. Default 8. */
  readonly depthDivisibleBy?: number;
  /** Least number of channels. Default 8. */
  readonly minDepth?: number;
  /** Channels inside a block over those that it reads. Default 6. */
  readonly expandRatio?: number;
  /** Pixels that one cell of the last map spans: 8, 16 or 32; below 32 later layers are dilated. Default 32. */
  readonly outputStride?: number;
  /** Whether the first block has no expansion of its own. Default true. */
  readonly firstLayerIsExpansion?: boolean;
  /** Whether the last layer keeps 1280 channels with a `depthMultiplier` below 1. Default true. */
  readonly finegrainedOutput?: boolean;
  /** Hugging Face's weights came from TensorFlow, torchvision's have `"symmetric"`. Default `"tensorflow"`. */
  readonly padding?: StridePadding;
  /** Added to variances. Default 1e-3, torchvision 1e-5. */
  readonly epsilon?: number;
  /** Share of the embedding that is dropped in training. Default 0.2. */
  readonly dropout?: number;
  readonly numClasses: number;
}

/** What torchvision's weights need beside {@link MOBILENET_V2_FROM_TORCHVISION}. */
export const MOBILENET_V2_TORCHVISION = {
  padding: "symmetric",
  epsilon: 1e-5,
} as const satisfies Partial<MobileNetV2Config>;

/**
 * Reads the `config.json` of a Hugging Face `mobilenet_v2`.
 * @throws InputError for another model type, or a value that this MobileNetV2 does not have.
 */
export function readMobileNetV2Config(json: Readonly<Record<string, unknown>>): MobileNetV2Config {
  const config = new HuggingFaceConfig("MobileNetV2", json, ["mobilenet_v2"]);
  config.expect("hidden_act", "relu6");
  return {
    numChannels: config.number("num_channels", 3),
    depthMultiplier: config.number("depth_multiplier", 1),
    depthDivisibleBy: config.number("depth_divisible_by", 8),
    minDepth: config.number("min_depth", 8),
    expandRatio: config.number("expand_ratio", 6),
    outputStride: config.number("output_stride", 32),
    firstLayerIsExpansion: config.flag("first_layer_is_expansion", true),
    finegrainedOutput: config.flag("finegrained_output", true),
    padding: config.flag("tf_padding", true) ? "tensorflow" : "symmetric",
    epsilon: config.number("layer_norm_eps", 1e-3),
    dropout: config.number("classifier_dropout_prob", 0.8),
    numClasses: config.numClasses(),
  };
}

/** A convolution with its norm that torchvision has as `first` and `second`. */
const pair = (first: string, second: string, to: string) => [
  { from: `${first}.weight`, to: `${to}.convolution.weight` },
  { from: `${second}.{rest}`, to: `${to}.normalization.{rest}` },
];

/** From torchvision's names to Hugging Face's, which are ours. */
export const MOBILENET_V2_FROM_TORCHVISION: WeightMapping = [
  ...pair("features.0.0", "features.0.1", "mobilenet_v2.conv_stem.first_conv"),
  ...pair("features.1.conv.0.0", "features.1.conv.0.1", "mobilenet_v2.conv_stem.conv_3x3"),
  ...pair("features.1.conv.1", "features.1.conv.2", "mobilenet_v2.conv_stem.reduce_1x1"),
  ...Array.from({ length: 16 }, (_, index) => {
    const [theirs, ours] = [`features.${index + 2}.conv`, `mobilenet_v2.layer.${index}`];
    return [
      ...pair(`${theirs}.0.0`, `${theirs}.0.1`, `${ours}.expand_1x1`),
      ...pair(`${theirs}.1.0`, `${theirs}.1.1`, `${ours}.conv_3x3`),
      ...pair(`${theirs}.2`, `${theirs}.3`, `${ours}.reduce_1x1`),
    ];
  }).flat(),
  ...pair("features.18.0", "features.18.1", "mobilenet_v2.conv_1x1"),
  { from: "classifier.1.{rest}", to: "classifier.{rest}" },
];
