import {
  InputError,
  reshape,
  ShapeError,
  scaledDotProductAttention,
  type Tensor,
  transpose,
} from "@ai/tensor";
import { type AttentionMasks, visibility } from "./attention-masks.js";
import { assertIntegers, assertProbability, assertShape, formatShape } from "./checks.js";
import { appendToCache, cacheLength, type KvCache, nextPosition } from "./kv-cache.js";
import { Linear } from "./linear.js";
import { Module } from "./module.js";
import { RotaryEmbedding, type RotaryEmbeddingModuleOptions } from "./positional-encoding.js";
import { assertOptionNames } from "./training/option-names.js";

/** Options of {@link GroupedQueryAttention}. */
export interface GroupedQueryAttentionOptions {
  /** Heads of keys and values, each shared by `numHeads / numKeyValueHeads` heads of queries. Default `numHeads`. */
  readonly numKeyValueHeads?: number;
  /** Default `dim / numHeads`. */
  readonly headDim?: number;
  /** Whether the projections have biases. Default false. */
  readonly bias?: boolean;
  /** Share of the attention weights that is dropped in training. Default 0. */
  readonly dropout?: number;
  /** Rotary positions of queries and keys; false for none. Default `{}`. */
  readonly rotary?: RotaryEmbeddingModuleOptions | false;
}

/**
 * Options of a call of {@link GroupedQueryAttention}. The masks' keys are those of the cache and then those of `x`; heads are
 * the queries'.
 */
export interface GroupedQueryAttentionCallOptions extends AttentionMasks {
  /** Hides the keys after a query. Default true: the layer is a decoder's. */
  readonly isCausal?: boolean;
  /** What earlier calls gave back; `x` goes on behind it. */
  readonly cache?: KvCache;
}

/** What a call of {@link GroupedQueryAttention} gives. */
export interface GroupedQueryAttentionResult {
  /** `[batch, length, dim]` */
  readonly output: Tensor;
  /** Keys and values of all positions, for the next call. */
  readonly cache: KvCache;
}

type Inputs = [x: Tensor, options?: GroupedQueryAttentionCallOptions];

/**
 * Self-attention of Llama's kind: rotary positions, fewer heads of keys and values than of queries, a cache.
 *
 * Prompts of several lengths are padded on the left: pass `keyPaddingMask` with every call, a column longer for each new token.
 * A padded sequence gives what it gives alone, for rotary positions only count distances.
 * Submodules, Hugging Face's names: `q_proj`, `k_proj`, `v_proj`, `o_proj`.
 * @see Ainslie et al. (2023), "GQA", https://arxiv.org/abs/2305.13245; Shazeer (2019), "Fast Transformer decoding",
 * https://arxiv.org/abs/1911.02150 (one head of keys and values)
 * @example
 * const { output, cache } = attention.call(prompt); // [batch, length, dim]
 * const next = attention.call(token, { cache }); // token [batch, 1, dim]
 */
export class GroupedQueryAttention extends Module<Inputs, GroupedQueryAttentionResult> {
  static override readonly checkpointNames: Readonly<Record<string, string>> = {
    queryProjection: "q_proj",
    keyProjection: "k_proj",
    valueProjection: "v_proj",
    outProjection: "o_proj",
  };
  readonly dim: number;
  readonly numHeads: number;
  readonly numKeyValueHeads: number;
  readonly headDim: number;
  readonly dropout: number;
  readonly queryProjection: Linear;
  readonly keyProjection: Linear;
  readonly valueProjection: Linear;
  readonly outProjection: Linear;
  readonly rotary: RotaryEmbedding | undefined;

  /** @throws InputError for sizes out of range, or heads of queries that the heads of keys do not divide. */
  constructor(dim: number, numHeads: number, options: GroupedQueryAttentionOptions = {}) {
    super();
    assertOptionNames(new.target.name, options, [
      "numKeyValueHeads",
      "headDim",
      "bias?",
      "dropout",
      "rotary",
    ]);
    const {
      numKeyValueHeads = numHeads,
      headDim = dim / numHeads,
      bias = false,
      dropout = 0,
      rotary = {},
    } = options;
    assertIntegers("GroupedQueryAttention", { dim, numHeads, numKeyValueHeads, headDim });
    assertProbability("GroupedQueryAttention", "dropout", dropout);
    if (dropout === 1) throw new InputError("GroupedQueryAttention: expected dropout below 1, got 1");
    if (numHeads % numKeyValueHeads !== 0)
      throw new InputError(
        `GroupedQueryAttention: expected numHeads that numKeyValueHeads divides, got ${numHeads} and ${numKeyValueHeads}`,
      );
    this.dim = dim;
    this.numHeads = numHeads;
    this.numKeyValueHeads = numKeyValueHeads;
    this.headDim = headDim;
    this.dropout = dropout;
    this.queryProjection = new Linear(dim, numHeads * headDim, { bias });
    this.keyProjection = new Linear(dim, numKeyValueHeads * headDim, { bias });
    this.valueProjection = new Linear(dim, numKeyValueHeads * headDim, { bias });
    this.outProjection = new Linear(numHeads * headDim, dim, { bias });
    this.rotary = rotary === false ? undefined : new RotaryEmbedding(headDim, rotary);
  }

  /**
   * @param x `[batch, length, dim]`: positions behind those of the cache.
   * @returns `output` `[batch, length, dim]` and the cache of all positions
   * @throws ShapeError for another rank or dim, a cache of another batch, or a mask of another shape; InputError for a mask
   * that is neither bool nor float32.
   */
  protected forward(...[x, options]: Inputs): GroupedQueryAttentionResult {
    if (options !== undefined)
      assertOptionNames("call", options, ["isCausal?", "cache", "keyPaddingMask", "attentionMask"]);
    const { isCausal = true, cache, keyPaddingMask, attentionMask } = options ?? {};
    assertShape(x, ["batch", "length", "dim"], this.dim);
    const [batch, length]: readonly number[] = x.shape;
    if (cache !== undefined && cache.key.shape[0] !== batch)
      throw new ShapeError(`expected a cache of ${batch} sequences, got ${formatShape(cache.key.shape)}`);
    const past = cacheLength(cache);
    const turn = (heads: Tensor): Tensor =>
      this.rotary === undefined ? heads : this.rotary.call(heads, nextPosition(cache));
    const query = turn(this.#splitHeads(this.queryProjection.call(x), this.numHeads));
    const all = appendToCache(cache, {
      key: turn(this.#splitHeads(this.keyProjection.call(x), this.numKeyValueHeads)),
      value: this.#splitHeads(this.valueProjection.call(x), this.numKeyValueHeads),
    });
    const attended = scaledDotProductAttention(query, all.key, all.value, {
      ...visibility(
        { isCausal, keyPaddingMask, attentionMask },
        { batch, heads: this.numHeads, queries: length, keys: past + length, past },
      ),
      dropoutProbability: this.training ? this.dropout : 0,
      groupedQueries: true,
    }); // [batch, heads, length, headDim]
    const joined = reshape(transpose(attended, [0, 2, 1, 3]), [batch, length, this.numHeads * this.headDim]);
    return { output: this.outProjection.call(joined), cache: all };
  }

  #splitHeads(x: Tensor, heads: number): Tensor {
    const [batch, length] = x.shape;
    return transpose(reshape(x, [batch, length, heads, this.headDim]), [0, 2, 1, 3]); // [batch, heads, length, headDim]
  }

  override multiplyAdds([x]: Inputs): number {
    const [batch, length]: readonly number[] = x.shape;
    return 2 * batch * length * length * this.numHeads * this.headDim;
  }
}
