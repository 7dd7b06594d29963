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

/** Masks of a call of {@link TransformerDecoderLayer}. */
export interface DecoderMasks {
  /** What a target position may not see among the target. */
  readonly target?: AttentionMasks;
  /** What a target position may not see in the memory. */
  readonly memory?: AttentionMasks;
}

/**
 * Self-attention over the target, attention to the encoder's output, then a feed-forward part, each with a residual and a
 * layer norm after it (or before it with `normFirst`).
 *
 * Submodules, PyTorch's names: `self_attn`, `multihead_attn`, `linear1`, `linear2`, `norm1`, `norm2`, `norm3`.
 * @see Vaswani et al. (2017), "Attention is all you need", https://arxiv.org/abs/1706.03762, section 3.1
 * @example
 * const layer = new TransformerDecoderLayer(256, 8);
 * const y = layer.call(target, memory, { target: { isCausal: true } }); // y [batch, targetLength, 256]
 */
export class TransformerDecoderLayer extends Module<
  [target: Tensor, memory: Tensor, masks?: DecoderMasks],
  Tensor
> {
  static override readonly checkpointNames: Readonly<Record<string, string>> = {
    selfAttention: "self_attn",
    crossAttention: "multihead_attn",
  };
  readonly selfAttention: MultiheadAttention;
  readonly crossAttention: MultiheadAttention;
  readonly linear1: Linear;
  readonly dropout: Dropout;
  readonly linear2: Linear;
  readonly norm1: LayerNorm;
  readonly norm2: LayerNorm;
  readonly norm3: LayerNorm;
  readonly dropout1: Dropout;
  readonly dropout2: Dropout;
  readonly dropout3: Dropout;
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
    assertActivation("TransformerDecoderLayer", activation);
    this.selfAttention = new MultiheadAttention(dim, numHeads, { dropout, bias });
    this.crossAttention = new MultiheadAttention(dim, numHeads, { dropout, bias });
    this.linear1 = new Linear(dim, dimFeedforward, { bias });
    this.dropout = new Dropout(dropout);
    this.linear2 = new Linear(dimFeedforward, dim, { bias });
    this.norm1 = new LayerNorm(dim, { epsilon, bias });
    this.norm2 = new LayerNorm(dim, { epsilon, bias });
    this.norm3 = new LayerNorm(dim, { epsilon, bias });
    this.dropout1 = new Dropout(dropout);
    this.dropout2 = new Dropout(dropout);
    this.dropout3 = new Dropout(dropout);
    this.normFirst = normFirst;
    this.activation = activation;
  }

  /**
   * @param target `[batch, targetLength, dim]`
   * @param memory `[batch, memoryLength, dim]`, the encoder's output
   * @returns `[batch, targetLength, dim]`
   * @throws ShapeError or InputError for inputs or masks that do not fit.
   */
  protected forward(target: Tensor, memory: Tensor, masks?: DecoderMasks): Tensor {
    if (masks !== undefined) {
      assertOptionNames("call", masks, ["target", "memory"]);
      for (const each of [masks.target, masks.memory]) if (each !== undefined) assertMasks(each);
    }
    const attend = (x: Tensor): Tensor =>
      this.dropout1.call(this.selfAttention.call(x, x, x, masks?.target).output);
    const look = (x: Tensor): Tensor =>
      this.dropout2.call(this.crossAttention.call(x, memory, memory, masks?.memory).output);
    if (this.normFirst) {
      const first = add(target, attend(this.norm1.call(target)));
      const second = add(first, look(this.norm2.call(first)));
      return add(second, this.#feedForward(this.norm3.call(second)));
    }
    const first = this.norm1.call(add(target, attend(target)));
    const second = this.norm2.call(add(first, look(first)));
    return this.norm3.call(add(second, this.#feedForward(second)));
  }

  #feedForward(x: Tensor): Tensor {
    const hidden = activate(this.linear1.call(x), this.activation); // [batch, targetLength, dimFeedforward]
    return this.dropout3.call(this.linear2.call(this.dropout.call(hidden))); // [batch, targetLength, dim]
  }
}
