import { HuggingFaceConfig } from "../hugging-face-config.js";

/** Sizes of a {@link ResNet9}. */
export interface ResNet9Config {
  /** Channels of the pictures. Default 3. */
  readonly numChannels?: number;
  /** Channels of the first convolution; the last has eight times as many. Default 16. */
  readonly width?: number;
  readonly numClasses: number;
}

/**
 * Reads a `config.json` of `model_type` `resnet9`: `width`, `num_channels` and the labels. Transformers has no such
 * model; the fields are ours.
 * @throws InputError for another model type or a value that this network does not have.
 */
export function readResNet9Config(json: Readonly<Record<string, unknown>>): ResNet9Config {
  const config = new HuggingFaceConfig("ResNet9", json, ["resnet9"]);
  return {
    numChannels: config.number("num_channels", 3),
    width: config.number("width", 16),
    numClasses: config.numClasses(),
  };
}
