import { HuggingFaceConfig } from "../hugging-face-config.js";

/** Sizes of a {@link ConvNext}. */
export interface ConvNextConfig {
  /** Channels of the pictures. Default 3. */
  readonly numChannels?: number;
  /** Pixels of a patch in each direction. Default 4. */
  readonly patchSize?: number;
  /** Channels of the stages. */
  readonly hiddenSizes: readonly number[];
  /** Blocks of the stages. */
  readonly depths: readonly number[];
  /** First value of the factors of each block's channels; 0 leaves them out. Default 1e-6. */
  readonly layerScale?: number;
  /** Share of samples that the last block drops in training; earlier ones drop fewer. Default 0. */
  readonly dropPath?: number;
  /** Added to the variance before the classifier. Default 1e-12. */
  readonly epsilon?: number;
  readonly numClasses: number;
}

/** The published sizes. */
export const CONVNEXT_SIZES = {
  "convnext-tiny": { hiddenSizes: [96, 192, 384, 768], depths: [3, 3, 9, 3] },
  "convnext-small": { hiddenSizes: [96, 192, 384, 768], depths: [3, 3, 27, 3] },
  "convnext-base": { hiddenSizes: [128, 256, 512, 1024], depths: [3, 3, 27, 3] },
  "convnext-large": { hiddenSizes: [192, 384, 768, 1536], depths: [3, 3, 27, 3] },
} as const satisfies Record<string, Omit<ConvNextConfig, "numClasses">>;

/**
 * Reads the `config.json` of a Hugging Face `convnext`.
 * @throws InputError for another model type, or a value that this ConvNext does not have.
 */
export function readConvNextConfig(json: Readonly<Record<string, unknown>>): ConvNextConfig {
  const config = new HuggingFaceConfig("ConvNext", json, ["convnext"]);
  config.expect("hidden_act", "gelu");
  return {
    numChannels: config.number("num_channels", 3),
    patchSize: config.number("patch_size", 4),
    hiddenSizes: config.numbers("hidden_sizes", CONVNEXT_SIZES["convnext-tiny"].hiddenSizes),
    depths: config.numbers("depths", CONVNEXT_SIZES["convnext-tiny"].depths),
    layerScale: config.number("layer_scale_init_value", 1e-6),
    dropPath: config.number("drop_path_rate", 0),
    epsilon: config.number("layer_norm_eps", 1e-12),
    numClasses: config.numClasses(),
  };
}
