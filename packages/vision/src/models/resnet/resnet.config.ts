import type { WeightMapping } from "@ai/tensor";
import { HuggingFaceConfig } from "../hugging-face-config.js";

/** Sizes of the convolutional part of a {@link ResNet}. */
export interface ResNetBackboneConfig {
  /** Channels of the pictures. Default 3. */
  readonly numChannels?: number;
  /** Channels of the first convolution. Default 64. */
  readonly embeddingSize?: number;
  /** Two 3×3 convolutions a block, or 1×1, 3×3, 1×1. */
  readonly block: "basic" | "bottleneck";
  /** Channels of the stages. */
  readonly hiddenSizes: readonly number[];
  /** Blocks of the stages. */
  readonly depths: readonly number[];
  /** Whether the first stage halves the picture too. Default false. */
  readonly downsampleInFirstStage?: boolean;
  /** Whether a bottleneck's first 1×1 convolution has the stride (2015) instead of its 3×3 (torchvision). Default false. */
  readonly downsampleInBottleneck?: boolean;
}

/** Sizes of a {@link ResNet}. */
export interface ResNetConfig extends ResNetBackboneConfig {
  readonly numClasses: number;
}

const basic = { block: "basic", hiddenSizes: [64, 128, 256, 512] } as const;
const bottleneck = { block: "bottleneck", hiddenSizes: [256, 512, 1024, 2048] } as const;

/** The published sizes, without a classifier. */
export const RESNET_SIZES = {
  "resnet-18": { ...basic, depths: [2, 2, 2, 2] },
  "resnet-34": { ...basic, depths: [3, 4, 6, 3] },
  "resnet-50": { ...bottleneck, depths: [3, 4, 6, 3] },
  "resnet-101": { ...bottleneck, depths: [3, 4, 23, 3] },
  "resnet-152": { ...bottleneck, depths: [3, 8, 36, 3] },
} as const satisfies Record<string, ResNetBackboneConfig>;

/**
 * Reads the `config.json` of a Hugging Face `resnet`.
 * @throws InputError for another model type, or a value that this ResNet does not have.
 */
export function readResNetConfig(json: Readonly<Record<string, unknown>>): ResNetConfig {
  const config = new HuggingFaceConfig("ResNet", json, ["resnet"]);
  config.expect("hidden_act", "relu");
  return {
    numChannels: config.number("num_channels", 3),
    embeddingSize: config.number("embedding_size", 64),
    block: config.oneOf("layer_type", ["basic", "bottleneck"], "bottleneck"),
    hiddenSizes: config.numbers("hidden_sizes", bottleneck.hiddenSizes),
    depths: config.numbers("depths", [3, 4, 6, 3]),
    downsampleInFirstStage: config.flag("downsample_in_first_stage", false),
    downsampleInBottleneck: config.flag("downsample_in_bottleneck", false),
    numClasses: config.numClasses(),
  };
}

/** From Hugging Face's names to torchvision's, which are ours. */
export const RESNET_FROM_HUGGING_FACE: WeightMapping = [
  { from: "resnet.embedder.embedder.convolution.weight", to: "conv1.weight" },
  { from: "resnet.embedder.embedder.normalization.{rest}", to: "bn1.{rest}" },
  ...[0, 1, 2, 3].flatMap((stage) => {
    const [theirs, ours] = [`resnet.encoder.stages.${stage}.layers.{block}`, `layer${stage + 1}.{block}`];
    return [
      { from: `${theirs}.shortcut.convolution.weight`, to: `${ours}.downsample.0.weight` },
      { from: `${theirs}.shortcut.normalization.{rest}`, to: `${ours}.downsample.1.{rest}` },
      ...[0, 1, 2].flatMap((layer) => [
        { from: `${theirs}.layer.${layer}.convolution.weight`, to: `${ours}.conv${layer + 1}.weight` },
        { from: `${theirs}.layer.${layer}.normalization.{rest}`, to: `${ours}.bn${layer + 1}.{rest}` },
      ]),
    ];
  }),
  { from: "classifier.1.{rest}", to: "fc.{rest}" },
];
