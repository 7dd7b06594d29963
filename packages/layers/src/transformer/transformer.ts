import type { Tensor } from "@ai/tensor";
import type { AttentionMasks } from "../attention-masks.js";
import { xavierUniform } from "../initializers.js";
import { Linear } from "../linear.js";
import { Module } from "../module.js";
import type { Initializer } from "../parameter.js";
import { assertOptionNames } from "../training/option-names.js";
import type { DecoderMasks } from "./decoder-layer.js";
import type { TransformerLayerOptions } from "./feed-forward.js";
import { TransformerDecoder, TransformerEncoder } from "./stacks.js";

/** Options of {@link Transformer}. */
export interface TransformerOptions extends TransformerLayerOptions {
  /** Default 6. */
  readonly numEncoderLayers?: number;
  /** Default 6. */
  readonly numDecoderLayers?: number;
  /** As of {@link TransformerEncoder}. Default false. */
  readonly checkpointing?: boolean;
}

/** Masks of a call of {@link Transformer}. */
export interface TransformerMasks extends DecoderMasks {
  /** What a source position may not see among the source. */
  readonly source?: AttentionMasks;
}

type Inputs = [source: Tensor, target: Tensor, masks?: TransformerMasks];

/**
 * An encoder over the source and a decoder over the target that looks at it, a layer norm after each: the whole without
 * embeddings and output layer. All matrices start Xavier uniform.
 *
 * Submodules, PyTorch's names: `encoder.layers.0` …, `encoder.norm`, `decoder.layers.0` …, `decoder.norm`.
 * @see Vaswani et al. (2017), "Attention is all you need", https://arxiv.org/abs/1706.03762
 * @example
 * const model = new Transformer(512, 8);
 * const masks = { source: { keyPaddingMask }, memory: { keyPaddingMask }, target: { isCausal: true } };
 * const y = model.call(source, target, masks); // y [batch, targetLength, 512]
 */
export class Transformer extends Module<Inputs, Tensor> {
  readonly encoder: TransformerEncoder;
  readonly decoder: TransformerDecoder;

  /** @throws InputError for sizes or options out of range. */
  constructor(dim: number, numHeads: number, options: TransformerOptions = {}) {
    super();
    assertOptionNames(new.target.name, options, [
      "numEncoderLayers",
      "numDecoderLayers",
      "checkpointing?",
      "dimFeedforward",
      "dropout",
      "activation",
      "epsilon",
      "normFirst?",
      "bias?",
    ]);
    const { numEncoderLayers = 6, numDecoderLayers = 6, ...others } = options;
    const stack = { ...others, finalNorm: true };
    this.encoder = new TransformerEncoder(dim, numHeads, { ...stack, numLayers: numEncoderLayers });
    this.decoder = new TransformerDecoder(dim, numHeads, { ...stack, numLayers: numDecoderLayers });
    for (const [, part] of this.namedModules()) {
      if (!((part as unknown) instanceof Linear)) continue;
      const { weight, inFeatures: fanIn, outFeatures: fanOut } = part as unknown as Linear;
      (weight as { initializer: Initializer }).initializer = xavierUniform({ fanIn, fanOut });
    }
  }

  /**
   * @param source `[batch, sourceLength, dim]`
   * @param target `[batch, targetLength, dim]`
   * @returns `[batch, targetLength, dim]`
   * @throws ShapeError or InputError for inputs or masks that do not fit.
   */
  protected forward(...[source, target, masks]: Inputs): Tensor {
    if (masks !== undefined) assertOptionNames("call", masks, ["source", "target", "memory"]);
    const { source: sourceMasks, ...decoderMasks } = masks ?? {};
    return this.decoder.call(target, this.encoder.call(source, sourceMasks), decoderMasks);
  }
}
