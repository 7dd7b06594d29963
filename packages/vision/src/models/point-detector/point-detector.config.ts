import { HuggingFaceConfig } from "../hugging-face-config.js";
import type { ResNetBackboneConfig } from "../resnet/resnet.config.js";

/** Sizes of a {@link PointDetector}. */
export interface PointDetectorConfig {
  /** At least four stages' worth of strides: the first stage's map is not used. */
  readonly backbone: ResNetBackboneConfig;
  /** Channels of the pyramid and the head. */
  readonly headChannels: number;
  /** Convolutions of the head before it answers. */
  readonly headDepth: number;
  /** Groups of the head's group norms. Default 8. */
  readonly headGroups?: number;
  readonly numClasses: number;
}

/** A size that trains from scratch on two cores in minutes. */
export const POINT_DETECTOR_SMALL = {
  backbone: { block: "basic", embeddingSize: 16, hiddenSizes: [24, 48, 72, 96], depths: [1, 1, 1, 1] },
  headChannels: 48,
  headDepth: 2,
} as const satisfies Omit<PointDetectorConfig, "numClasses">;

/**
 * Reads a `config.json` of `model_type` `point_detector`: the sizes of {@link PointDetectorConfig} in Hugging Face's
 * spelling, and the labels. Transformers has no such model; the fields are ours.
 * @throws InputError for another model type or a value that this network does not have.
 */
export function readPointDetectorConfig(json: Readonly<Record<string, unknown>>): PointDetectorConfig {
  const config = new HuggingFaceConfig("PointDetector", json, ["point_detector"]);
  const { backbone, headChannels, headDepth } = POINT_DETECTOR_SMALL;
  return {
    backbone: {
      numChannels: config.number("num_channels", 3),
      block: config.oneOf("layer_type", ["basic", "bottleneck"], backbone.block),
      embeddingSize: config.number("embedding_size", backbone.embeddingSize),
      hiddenSizes: config.numbers("hidden_sizes", backbone.hiddenSizes),
      depths: config.numbers("depths", backbone.depths),
    },
    headChannels: config.number("head_channels", headChannels),
    headDepth: config.number("head_depth", headDepth),
    headGroups: config.number("head_groups", 8),
    numClasses: config.numClasses(),
  };
}

/** The `config.json` that {@link readPointDetectorConfig} reads back, with labels for `classes`. */
export function writePointDetectorConfig(
  { backbone, headChannels, headDepth, headGroups = 8 }: Omit<PointDetectorConfig, "numClasses">,
  classes: readonly string[],
): Readonly<Record<string, unknown>> {
  return {
    architectures: ["PointDetector"],
    model_type: "point_detector",
    num_channels: backbone.numChannels ?? 3,
    layer_type: backbone.block,
    embedding_size: backbone.embeddingSize ?? 64,
    hidden_sizes: backbone.hiddenSizes,
    depths: backbone.depths,
    head_channels: headChannels,
    head_depth: headDepth,
    head_groups: headGroups,
    id2label: Object.fromEntries(classes.map((name, index) => [String(index), name])),
    label2id: Object.fromEntries(classes.map((name, index) => [name, index])),
  };
}
