import { HuggingFaceConfig } from "../hugging-face-config.js";

/** Sizes of a {@link FastestDet}; the defaults are those of its COCO weights. */
export interface FastestDetConfig {
  /** Channels of the pictures. Default 3. */
  readonly numChannels?: number;
  /** Channels after the first convolution. Default 24. */
  readonly stemChannels?: number;
  /** Channels of the three stages. Default 48, 96, 192. */
  readonly stageChannels?: readonly [number, number, number];
  /** Blocks of the three stages. Default 4, 8, 4. */
  readonly stageDepths?: readonly [number, number, number];
  /** Channels of the head. Default 96. */
  readonly headChannels?: number;
  readonly numClasses: number;
}

/**
 * Reads a `config.json` of `model_type` `fastest_det`: the sizes of {@link FastestDetConfig} in Hugging Face's spelling,
 * and the labels, 80 classes where there are none. Transformers has no such model; the fields are ours.
 * @throws InputError for another model type or a value that this network does not have.
 */
export function readFastestDetConfig(json: Readonly<Record<string, unknown>>): FastestDetConfig {
  const config = new HuggingFaceConfig("FastestDet", { num_labels: 80, ...json }, ["fastest_det"]);
  return {
    numChannels: config.number("num_channels", 3),
    stemChannels: config.number("stem_channels", 24),
    stageChannels: config.numbers("stage_channels", [48, 96, 192]) as [number, number, number],
    stageDepths: config.numbers("stage_depths", [4, 8, 4]) as [number, number, number],
    headChannels: config.number("head_channels", 96),
    numClasses: config.numClasses(),
  };
}
