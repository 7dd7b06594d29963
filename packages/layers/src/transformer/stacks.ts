import { checkpoint, InputError, type Tensor } from "@ai/tensor";
import type { AttentionMasks } from "../attention-masks.js";
import { assertIntegers } from "../checks.js";
import { Module } from "../module.js";
import { LayerNorm } from "../normalization.js";
import type { Parameter } from "../parameter.js";
import { assertOptionNames } from "../training/option-names.js";
import { type DecoderMasks, TransformerDecoderLayer } from "./decoder-layer.js";
import { TransformerEncoderLayer } from "./encoder-layer.js";
import type { TransformerLayerOptions } from "./feed-forward.js";

/** Options of {@link TransformerEncoder} and {@link TransformerDecoder}. */
export interface TransformerStackOptions extends TransformerLayerOptions {
  /** Layers on top of each other. */
  readonly numLayers: number;
  /** A layer norm after the last layer, which `normFirst` wants. Default false. */
  readonly finalNorm?: boolean;
  /** Keep only each layer's input for the backward pass and compute the rest again: less memory, a third more time. Default false. */
  readonly checkpointing?: boolean;
}

/** @throws InputError for an unknown option or a number of layers below 1. */
function assertStack(layer: string, options: TransformerStackOptions): void {
  if (options?.numLayers === undefined)
    throw new InputError(
      `${layer}: expected options with numLayers, got ${typeof options === "number" ? `${String(options)}; pass { numLayers: ${String(options)} }` : "none"}`,
    );
  assertOptionNames(layer, options, [
    "numLayers",
    "finalNorm?",
    "checkpointing?",
    "dimFeedforward",
    "dropout",
    "activation",
    "epsilon",
    "normFirst?",
    "bias?",
  ]);
  assertIntegers(layer, { numLayers: options.numLayers });
}

/** Values that a layer's gradient reaches. */
const parametersOf = (layer: { parameters(): Parameter[] }): Tensor[] =>
  layer.parameters().map(({ value }) => value);

/**
 * Encoder layers one after the other. Submodules, PyTorch's names: `layers.0` …, `norm`.
 * @see Vaswani et al. (2017), "Attention is all you need", https://arxiv.org/abs/1706.03762, section 3.1
 * @example
 * const encoder = new TransformerEncoder(256, 8, { numLayers: 6, normFirst: true, finalNorm: true });
 * const y = encoder.call(x, { keyPaddingMask }); // x and y [batch, length, 256]
 */
export class TransformerEncoder extends Module<[x: Tensor, masks?: AttentionMasks], Tensor> {
  readonly layers: readonly TransformerEncoderLayer[];
  readonly norm: LayerNorm | undefined;
  readonly checkpointing: boolean;

  /** @throws InputError for sizes or options out of range. */
  constructor(dim: number, numHeads: number, options: TransformerStackOptions) {
    super();
    assertStack(new.target.name, options);
    const { numLayers, finalNorm = false, checkpointing = false, ...layerOptions } = options;
    this.layers = Array.from(
      { length: numLayers },
      () => new TransformerEncoderLayer(dim, numHeads, layerOptions),
    );
    const { epsilon, bias = true } = layerOptions;
    this.norm = finalNorm ? new LayerNorm(dim, { epsilon, bias }) : undefined;
    this.checkpointing = checkpointing;
  }

  /**
   * @param x `[batch, length, dim]`
   * @returns `[batch, length, dim]`
   * @throws ShapeError or InputError for an input or masks that do not fit.
   */
  protected forward(x: Tensor, masks?: AttentionMasks): Tensor {
    let hidden = x;
    for (const layer of this.layers)
      hidden =
        this.checkpointing && this.training
          ? checkpoint((input) => layer.call(input, masks), [hidden], parametersOf(layer))
          : layer.call(hidden, masks);
    return this.norm === undefined ? hidden : this.norm.call(hidden);
  }
}

/**
 * Decoder layers one after the other. Submodules, PyTorch's names: `layers.0` …, `norm`.
 * @see Vaswani et al. (2017), "Attention is all you need", https://arxiv.org/abs/1706.03762, section 3.1
 */
export class TransformerDecoder extends Module<
  [target: Tensor, memory: Tensor, masks?: DecoderMasks],
  Tensor
> {
  readonly layers: readonly TransformerDecoderLayer[];
  readonly norm: LayerNorm | undefined;
  readonly checkpointing: boolean;

  /** @throws InputError for sizes or options out of range. */
  constructor(dim: number, numHeads: number, options: TransformerStackOptions) {
    super();
    assertStack(new.target.name, options);
    const { numLayers, finalNorm = false, checkpointing = false, ...layerOptions } = options;
    this.layers = Array.from(
      { length: numLayers },
      () => new TransformerDecoderLayer(dim, numHeads, layerOptions),
    );
    const { epsilon, bias = true } = layerOptions;
    this.norm = finalNorm ? new LayerNorm(dim, { epsilon, bias }) : undefined;
    this.checkpointing = checkpointing;
  }

  /**
   * @param target `[batch, targetLength, dim]`
   * @param memory `[batch, memoryLength, dim]`, the encoder's output
   * @returns `[batch, targetLength, dim]`
   * @throws ShapeError or InputError for inputs or masks that do not fit.
   */
  protected forward(target: Tensor, memory: Tensor, masks?: DecoderMasks): Tensor {
    let hidden = target;
    for (const layer of this.layers)
      hidden =
        this.checkpointing && this.training
          ? checkpoint(
              (input, encoded) => layer.call(input, encoded, masks),
              [hidden, memory],
              parametersOf(layer),
            )
          : layer.call(hidden, memory, masks);
    return this.norm === undefined ? hidden : this.norm.call(hidden);
  }
}
