import { Dropout, LayerNorm, Linear, Module } from "@ai/layers";
import { add, relu, type Tensor } from "@ai/tensor";
import { ProjectedAttention } from "../projected-attention.js";

class DetrAttention extends ProjectedAttention {
  static override readonly checkpointNames: Readonly<Record<string, string>> = {
    query: "q_proj",
    key: "k_proj",
    value: "v_proj",
    output: "out_proj",
  };
}

/** Sizes of a layer. */
export interface DetrLayerOptions {
  readonly dim: number;
  readonly numHeads: number;
  readonly feedForward: number;
  readonly dropout: number;
  readonly attentionDropout: number;
}

/** What the layers see besides their input. */
export interface DetrContext {
  /** `[batch, cells, dim]` */
  readonly positions: Tensor;
  /** Bool `[batch, 1, 1, cells]`, true where a cell shows the picture. */
  readonly mask: Tensor | undefined;
  readonly needsWeights: boolean;
}

const NAMES = {
  selfAttention: "self_attn",
  selfAttentionNorm: "self_attn_layer_norm",
  crossAttention: "encoder_attn",
  crossAttentionNorm: "encoder_attn_layer_norm",
  linear1: "fc1",
  linear2: "fc2",
  finalNorm: "final_layer_norm",
} as const;

/** Self-attention of the picture's cells with their positions, then a feed-forward part, each with a norm after it. */
export class DetrEncoderLayer extends Module<[x: Tensor, context: DetrContext], Tensor> {
  static override readonly checkpointNames: Readonly<Record<string, string>> = NAMES;
  readonly selfAttention: DetrAttention;
  readonly selfAttentionNorm: LayerNorm;
  readonly linear1: Linear;
  readonly linear2: Linear;
  readonly finalNorm: LayerNorm;
  readonly dropout: Dropout;

  constructor({ dim, numHeads, feedForward, dropout, attentionDropout }: DetrLayerOptions) {
    super();
    this.selfAttention = new DetrAttention(dim, numHeads, { dropout: attentionDropout });
    this.selfAttentionNorm = new LayerNorm(dim);
    this.linear1 = new Linear(dim, feedForward);
    this.linear2 = new Linear(feedForward, dim);
    this.finalNorm = new LayerNorm(dim);
    this.dropout = new Dropout(dropout);
  }

  /** @param x `[batch, cells, dim]` @returns the shape of `x` */
  protected forward(x: Tensor, { positions, mask, needsWeights }: DetrContext): Tensor {
    const placed = add(x, positions);
    const { output } = this.selfAttention.call({ query: placed, key: placed, value: x, mask, needsWeights });
    const attended = this.selfAttentionNorm.call(add(x, this.dropout.call(output)));
    const hidden = this.linear2.call(relu(this.linear1.call(attended))); // [batch, cells, dim]
    return this.finalNorm.call(add(attended, this.dropout.call(hidden)));
  }
}

/** Self-attention of the queries, attention to the picture's cells, then a feed-forward part, each with a norm after it. */
export class DetrDecoderLayer extends Module<
  [x: Tensor, queries: Tensor, memory: Tensor, context: DetrContext],
  Tensor
> {
  static override readonly checkpointNames: Readonly<Record<string, string>> = NAMES;
  readonly selfAttention: DetrAttention;
  readonly selfAttentionNorm: LayerNorm;
  readonly crossAttention: DetrAttention;
  readonly crossAttentionNorm: LayerNorm;
  readonly linear1: Linear;
  readonly linear2: Linear;
  readonly finalNorm: LayerNorm;
  readonly dropout: Dropout;

  constructor({ dim, numHeads, feedForward, dropout, attentionDropout }: DetrLayerOptions) {
    super();
    this.selfAttention = new DetrAttention(dim, numHeads, { dropout: attentionDropout });
    this.selfAttentionNorm = new LayerNorm(dim);
    this.crossAttention = new DetrAttention(dim, numHeads, { dropout: attentionDropout });
    this.crossAttentionNorm = new LayerNorm(dim);
    this.linear1 = new Linear(dim, feedForward);
    this.linear2 = new Linear(feedForward, dim);
    this.finalNorm = new LayerNorm(dim);
    this.dropout = new Dropout(dropout);
  }

  /**
   * @param x `[batch, queries, dim]`
   * @param queries `[1, queries, dim]`, what tells the queries apart
   * @param memory `[batch, cells, dim]`, the encoder's result
   * @returns the shape of `x`
   */
  protected forward(
    x: Tensor,
    queries: Tensor,
    memory: Tensor,
    { positions, mask, needsWeights }: DetrContext,
  ): Tensor {
    const placed = add(x, queries); // [batch, queries, dim]
    const own = this.selfAttention.call({ query: placed, key: placed, value: x, needsWeights });
    const first = this.selfAttentionNorm.call(add(x, this.dropout.call(own.output)));
    const { output } = this.crossAttention.call({
      query: add(first, queries),
      key: add(memory, positions),
      value: memory,
      mask,
      needsWeights,
    });
    const second = this.crossAttentionNorm.call(add(first, this.dropout.call(output)));
    const hidden = this.linear2.call(relu(this.linear1.call(second))); // [batch, queries, dim]
    return this.finalNorm.call(add(second, this.dropout.call(hidden)));
  }
}
