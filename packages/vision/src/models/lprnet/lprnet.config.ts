import { HuggingFaceConfig } from "../hugging-face-config.js";
import { LPRNET_SYMBOLS } from "./lprnet-symbols.js";

/** Sizes of an {@link LPRNet}. */
export interface LPRNetConfig {
  /** Symbols, the CTC blank among them. */
  readonly numClasses: number;
  /** Share of features that is dropped in training. Default 0.5. */
  readonly dropout?: number;
  /** Channels of the blocks are `widthFactor` times the published 64, 128, 256; both 4 and they divide. Default 1. */
  readonly widthFactor?: number;
}

/**
 * Reads a `config.json` of `model_type` `lprnet`: `dropout`, `width_factor`, and the symbols as labels, 68 where there are
 * none; the last one is the CTC blank. Transformers has no such model; the fields are ours.
 * @throws InputError for another model type or a value that this network does not have.
 */
export function readLPRNetConfig(json: Readonly<Record<string, unknown>>): LPRNetConfig {
  const config = new HuggingFaceConfig("LPRNet", { num_labels: LPRNET_SYMBOLS.length, ...json }, ["lprnet"]);
  return {
    numClasses: config.numClasses(),
    dropout: config.number("dropout", 0.5),
    widthFactor: config.number("width_factor", 1),
  };
}
