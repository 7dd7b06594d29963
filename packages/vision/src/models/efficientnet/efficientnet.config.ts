import type { WeightMapping, WeightRule } from "@ai/tensor";
import type { StridePadding } from "../conv-norm.js";
import { HuggingFaceConfig } from "../hugging-face-config.js";

/** Sizes of an {@link EfficientNet}. */
export interface EfficientNetConfig {
  /** Channels of the pictures. Default 3. */
  readonly numChannels?: number;
  /** Factor of channels. */
  readonly widthCoefficient: number;
  /** Factor of the number of blocks, rounded up. */
  readonly depthCoefficient: number;
  /** Channels are multiples of this. Default 8. */
  readonly depthDivisor?: number;
  /** Lite: ReLU6, no squeeze and excitation, first and last layers unscaled. Default false. */
  readonly lite?: boolean;
  /** Of each stage: size of the filters, channels that it reads and gives, stride, expansion and blocks. Default B0's. */
  readonly stages?: readonly EfficientNetStage[];
  /** Hidden channels of squeeze and excitation over the block's inputs. Default 0.25. */
  readonly squeezeRatio?: number;
  /** Channels of the last map. Default 1280 · widthCoefficient, rounded. */
  readonly hiddenDim?: number;
  /** Hugging Face's and the Lite weights came from TensorFlow, torchvision's have `"symmetric"`. Default `"end"`. */
  readonly padding?: StridePadding;
  /** Blocks with `"symmetric"` padding all the same, since their inputs have an odd size at the published resolution. Default none. */
  readonly symmetricBlocks?: readonly number[];
  /** Added to variances. Default 1e-3, torchvision 1e-5. */
  readonly epsilon?: number;
  /** Share of the embedding that is dropped in training. Default 0.2. */
  readonly dropout?: number;
  /** Share of samples that the last block drops in training; earlier ones drop fewer. Default 0.2. */
  readonly dropConnect?: number;
  readonly numClasses: number;
}

/** One stage of an {@link EfficientNet}, before scaling. */
export interface EfficientNetStage {
  readonly kernelSize: number;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly stride: number;
  readonly expandRatio: number;
  readonly repeats: number;
}

const row = (
  [kernelSize, inChannels, outChannels]: readonly [number, number, number],
  [stride, expandRatio, repeats]: readonly [number, number, number],
): EfficientNetStage => ({ kernelSize, inChannels, outChannels, stride, expandRatio, repeats });

/** The stages of the paper's table 1. */
export const EFFICIENTNET_STAGES: readonly EfficientNetStage[] = /* @__PURE__ */ [
  row([3, 32, 16], [1, 1, 1]),
  row([3, 16, 24], [2, 6, 2]),
  row([5, 24, 40], [2, 6, 2]),
  row([3, 40, 80], [2, 6, 3]),
  row([5, 80, 112], [1, 6, 3]),
  row([5, 112, 192], [2, 6, 4]),
  row([3, 192, 320], [1, 6, 1]),
];

/** The published sizes. */
export const EFFICIENTNET_SIZES = {
  "efficientnet-b0": { widthCoefficient: 1, depthCoefficient: 1, dropout: 0.2 },
  "efficientnet-b1": { widthCoefficient: 1, depthCoefficient: 1.1, dropout: 0.2 },
  "efficientnet-b2": { widthCoefficient: 1.1, depthCoefficient: 1.2, dropout: 0.3 },
  "efficientnet-b3": { widthCoefficient: 1.2, depthCoefficient: 1.4, dropout: 0.3 },
  "efficientnet-b4": { widthCoefficient: 1.4, depthCoefficient: 1.8, dropout: 0.4 },
  "efficientnet-b5": { widthCoefficient: 1.6, depthCoefficient: 2.2, dropout: 0.4 },
  "efficientnet-b6": { widthCoefficient: 1.8, depthCoefficient: 2.6, dropout: 0.5 },
  "efficientnet-b7": { widthCoefficient: 2, depthCoefficient: 3.1, dropout: 0.5 },
  "efficientnet-lite0": { widthCoefficient: 1, depthCoefficient: 1, dropout: 0.2, lite: true },
} as const satisfies Record<string, Omit<EfficientNetConfig, "numClasses">>;

/** What torchvision's weights need beside {@link efficientNetFromTorchvision}. */
export const EFFICIENTNET_TORCHVISION = {
  padding: "symmetric",
  epsilon: 1e-5,
} as const satisfies Partial<EfficientNetConfig>;

/** Blocks of each stage. */
export function blocksOfStages(config: EfficientNetConfig): number[] {
  const { stages = EFFICIENTNET_STAGES, depthCoefficient, lite = false } = config;
  return stages.map(({ repeats }, index) =>
    lite && (index === 0 || index === stages.length - 1) ? repeats : Math.ceil(depthCoefficient * repeats),
  );
}

/**
 * Reads the `config.json` of a Hugging Face `efficientnet`.
 * @throws InputError for another model type, or a value that this EfficientNet does not have.
 */
export function readEfficientNetConfig(json: Readonly<Record<string, unknown>>): EfficientNetConfig {
  const config = new HuggingFaceConfig("EfficientNet", json, ["efficientnet"]);
  config.oneOf("hidden_act", ["swish", "silu"], "swish");
  config.expect("pooling_type", "mean");
  const column = (name: string, key: keyof EfficientNetStage): readonly number[] =>
    config.numbers(
      name,
      EFFICIENTNET_STAGES.map((stage) => stage[key]),
    );
  const columns = {
    kernelSize: column("kernel_sizes", "kernelSize"),
    inChannels: column("in_channels", "inChannels"),
    outChannels: column("out_channels", "outChannels"),
    stride: column("strides", "stride"),
    expandRatio: column("expand_ratios", "expandRatio"),
    repeats: column("num_block_repeats", "repeats"),
  };
  return {
    numChannels: config.number("num_channels", 3),
    widthCoefficient: config.number("width_coefficient", 2),
    depthCoefficient: config.number("depth_coefficient", 3.1),
    depthDivisor: config.number("depth_divisor", 8),
    stages: columns.kernelSize.map((_, index) => ({
      kernelSize: columns.kernelSize[index],
      inChannels: columns.inChannels[index],
      outChannels: columns.outChannels[index],
      stride: columns.stride[index],
      expandRatio: columns.expandRatio[index],
      repeats: columns.repeats[index],
    })),
    squeezeRatio: config.number("squeeze_expansion_ratio", 0.25),
    hiddenDim: config.number("hidden_dim", 2560),
    symmetricBlocks: config.numbers("depthwise_padding", []),
    epsilon: config.number("batch_norm_eps", 1e-3),
    dropout: config.number("dropout_rate", 0.5),
    dropConnect: config.number("drop_connect_rate", 0.2),
    numClasses: config.numClasses(),
  };
}

/** From torchvision's names to Hugging Face's, which are ours; they number blocks by stage, so it depends on the depth. */
export function efficientNetFromTorchvision(config: EfficientNetConfig): WeightMapping {
  const { stages = EFFICIENTNET_STAGES } = config;
  const rules: WeightRule[] = [
    { from: "features.0.0.weight", to: "efficientnet.embeddings.convolution.weight" },
    { from: "features.0.1.{rest}", to: "efficientnet.embeddings.batchnorm.{rest}" },
  ];
  let block = 0;
  blocksOfStages(config).forEach((count, stage) => {
    for (let index = 0; index < count; index++, block++) {
      const theirs = `features.${stage + 1}.${index}.block`;
      const ours = `efficientnet.encoder.blocks.${block}`;
      const expands = stages[stage].expandRatio !== 1;
      const layers = [
        ...(expands ? [["expansion.expand_conv", "expansion.expand_bn"]] : []),
        ["depthwise_conv.depthwise_conv", "depthwise_conv.depthwise_norm"],
        ["squeeze_excite.reduce", "squeeze_excite.expand"],
        ["projection.project_conv", "projection.project_bn"],
      ];
      layers.forEach(([first, second], position) => {
        const isSqueeze = first.startsWith("squeeze");
        rules.push(
          { from: `${theirs}.${position}.${isSqueeze ? "fc1" : "0"}.{rest}`, to: `${ours}.${first}.{rest}` },
          { from: `${theirs}.${position}.${isSqueeze ? "fc2" : "1"}.{rest}`, to: `${ours}.${second}.{rest}` },
        );
      });
    }
  });
  const last = `features.${stages.length + 1}`;
  return [
    ...rules,
    { from: `${last}.0.weight`, to: "efficientnet.encoder.top_conv.weight" },
    { from: `${last}.1.{rest}`, to: "efficientnet.encoder.top_bn.{rest}" },
    { from: "classifier.1.{rest}", to: "classifier.{rest}" },
  ];
}

/** From the names of lukemelas's PyTorch port (`_conv_stem`, `_blocks`), which the Lite weights have, to ours. */
export const EFFICIENTNET_FROM_PORT: WeightMapping = [
  { from: "_conv_stem.weight", to: "efficientnet.embeddings.convolution.weight" },
  { from: "_bn0.{rest}", to: "efficientnet.embeddings.batchnorm.{rest}" },
  { from: "_conv_head.weight", to: "efficientnet.encoder.top_conv.weight" },
  { from: "_bn1.{rest}", to: "efficientnet.encoder.top_bn.{rest}" },
  { from: "_fc.{rest}", to: "classifier.{rest}" },
  ...(
    [
      ["_expand_conv", "expansion.expand_conv"],
      ["_bn0", "expansion.expand_bn"],
      ["_depthwise_conv", "depthwise_conv.depthwise_conv"],
      ["_bn1", "depthwise_conv.depthwise_norm"],
      ["_se_reduce", "squeeze_excite.reduce"],
      ["_se_expand", "squeeze_excite.expand"],
      ["_project_conv", "projection.project_conv"],
      ["_bn2", "projection.project_bn"],
    ] as const
  ).map(([theirs, ours]) => ({
    from: `_blocks.{block}.${theirs}.{rest}`,
    to: `efficientnet.encoder.blocks.{block}.${ours}.{rest}`,
  })),
];
