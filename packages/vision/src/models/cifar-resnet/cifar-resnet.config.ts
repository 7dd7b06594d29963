import type { WeightMapping } from "@ai/tensor";
import { HuggingFaceConfig } from "../hugging-face-config.js";

/** Sizes of a {@link CifarResNet}. */
export interface CifarResNetConfig {
  /** Channels of the pictures. Default 3. */
  readonly numChannels?: number;
  /** Blocks of each of the three stages: 3 for ResNet-20, `(layers − 2) / 6` for others. */
  readonly depth: number;
  /** Channels of the first stage; each further one has twice as many. Default 16. */
  readonly width?: number;
  readonly numClasses: number;
}

/** The published sizes. */
export const CIFAR_RESNET_SIZES = {
  "resnet-20": { depth: 3 },
  "resnet-32": { depth: 5 },
  "resnet-44": { depth: 7 },
  "resnet-56": { depth: 9 },
  "resnet-110": { depth: 18 },
} as const satisfies Record<string, Omit<CifarResNetConfig, "numClasses">>;

/** Checkpoints of a model that was wrapped in `DataParallel`, such as akamaster's. */
export const CIFAR_RESNET_FROM_DATA_PARALLEL: WeightMapping = [{ from: "module.{rest*}", to: "{rest*}" }];

/**
 * Reads a `config.json` of `model_type` `cifar_resnet`: `depth` (blocks of a stage), `width`, `num_channels` and the
 * labels. Transformers has no such model; the fields are ours.
 * @throws InputError for another model type or a value that this ResNet does not have.
 */
export function readCifarResNetConfig(json: Readonly<Record<string, unknown>>): CifarResNetConfig {
  const config = new HuggingFaceConfig("CifarResNet", json, ["cifar_resnet"]);
  return {
    numChannels: config.number("num_channels", 3),
    depth: config.number("depth", 3),
    width: config.number("width", 16),
    numClasses: config.numClasses(),
  };
}
