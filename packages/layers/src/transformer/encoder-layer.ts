import { add, type Tensor } from "@ai/tensor";
import { MultiheadAttention } from "../attention.js";
import type { AttentionMasks } from "../attention-masks.js";
import { Dropout } from "../dropout.js";
import { Linear } from "../linear.js";
import { Module } from "../module.js";
import { LayerNorm } from "../normalization.js";
import { assertOptionNames } from "../training/option-names.js";
import {
  activate,
  assertActivation,
  type FeedForwardActivation,
  type TransformerLayerOptions,
} from "./feed-forward.js";
import { assertMasks } from "./masks.js";

/**
 * Self-attention, then a feed-forward part, each with a residual and a layer norm after it (or before it with `normFirst`).
 *
 * Submodules, PyTorch's names: `self_attn`, `linear1`, `linear2`, `norm1`, `norm2`.
 * @see Vaswani et al. (2017), "Attention is all you need", https://arxiv.org/abs/1706.03762, section 3.1
 * @example
 * const layer = new TransformerEncoderLayer(256, 8, { dimFeedforward: 1024, normFirst: true });
 * const y = layer.call(x, { keyPaddingMask }); // x and y [batch, length, 256]
 */
export class TransformerEncoderLayer extends Module<[x: Tensor, masks?: AttentionMasks], Tensor> {
  static override readonly checkpointNames: Readonly<Record<string, string>> = { selfAttention: "self_attn" };
  readonly selfAttention: MultiheadAttention;
  readonly linear1: Linear;
  readonly dropout: Dropout;
  readonly linear2: Linear;
  readonly norm1: LayerNorm;
  readonly norm2: LayerNorm;
  readonly dropout1: Dropout;
  readonly dropout2: Dropout;
  readonly normFirst: boolean;
  readonly activation: FeedForwardActivation;

  /** @throws InputError for sizes or options out of range. */
  constructor(dim: number, numHeads: number, options: TransformerLayerOptions = {}) {
    super();
    assertOptionNames(new.target.name, options, [
      "dimFeedforward",
      "dropout",
      "activation",
      "epsilon",
      "normFirst?",
      "bias?",
    ]);
    const {
      dimFeedforward = 2048,
      dropout = 0.1,
      activation = "relu",
      epsilon,
      normFirst = false,
      bias = true,
    } = options;
    assertActivation("TransformerEncoderLayer", activation);
    this.selfAttention = new MultiheadAttention(dim, numHeads, { dropout, bias });
    this.linear1 = new Linear(dim, dimFeedforward, { bias });
    this.dropout = new Dropout(dropout);
    this.linear2 = new Linear(dimFeedforward, dim, { bias });
    this.norm1 = new LayerNorm(dim, { epsilon, bias });
    this.norm2 = new LayerNorm(dim, { epsilon, bias });
    this.dropout1 = new Dropout(dropout);
    this.dropout2 = new Dropout(dropout);
    this.normFirst = normFirst;
    this.activation = activation;
  }

  /**
   * @param x `[batch, length, dim]`
   * @returns `[batch, length, dim]`
   * @throws ShapeError or InputError for an input or masks that do not fit.
   */
  protected forward(x: Tensor, masks?: AttentionMasks): Tensor {
    if (masks !== undefined) assertMasks(masks);
    if (this.normFirst) {
      const attended = add(x, this.#attend(this.norm1.call(x), masks));
      return add(attended, this.#feedForward(this.norm2.call(attended)));
    }
    const attended = this.norm1.call(add(x, this.#attend(x, masks)));
    return this.norm2.call(add(attended, this.#feedForward(attended)));
  }

  #attend(x: Tensor, masks: AttentionMasks | undefined): Tensor {
    return this.dropout1.call(this.selfAttention.call(x, x, x, masks).output);
  }

  #feedForward(x: Tensor): Tensor {
    const hidden = activate(this.linear1.call(x), this.activation); // [batch, length, dimFeedforward]
    return this.dropout2.call(this.linear2.call(this.dropout.call(hidden))); // [batch, length, dim]
  }
}
