import { InputError, ShapeError, type Tensor } from "@ai/tensor";
import type {
  MultiheadAttentionCallOptions,
  MultiheadAttentionOptions,
  MultiheadAttentionResult,
} from "./attention.js";
import { assertIntegers, assertShape, formatShape } from "./checks.js";
import { Linear } from "./linear.js";
import { mixLinearly } from "./linear-attention-mix.js";
import { Module } from "./module.js";
import { assertOptionNames } from "./training/option-names.js";

/** Options of {@link LinearMultiheadAttention}. */
export interface LinearMultiheadAttentionOptions
  extends Pick<MultiheadAttentionOptions, "bias" | "keyDim" | "valueDim"> {
  /** Steps that are computed by a small matrix at once in causal attention. Default 64. */
  readonly chunkLength?: number;
}

type Inputs = [query: Tensor, key: Tensor, value: Tensor, options?: MultiheadAttentionCallOptions];

/**
 * Linear attention that is called like {@link MultiheadAttention} and can stand in its place, in self- and cross-attention:
 * `φ(q)·(φ(k)ᵀ v) / (φ(q)·Σ φ(k))` with `φ(x) = elu(x) + 1` in each head. Its time grows with the lengths, not their product.
 * There are no weights of pairs: it refuses masks of pairs and cannot return or drop out weights.
 * A query from which every key is hidden gives the output bias alone.
 *
 * Submodules: `q_proj`, `k_proj`, `v_proj`, `out_proj`.
 * @see Katharopoulos, Vyas, Pappas, Fleuret (2020), "Transformers are RNNs", https://arxiv.org/abs/2006.16236
 * @example
 * const attention = new LinearMultiheadAttention(256, 8);
 * const { output } = attention.call(x, x, x, { isCausal: true }); // x and output [batch, length, 256]
 */
export class LinearMultiheadAttention extends Module<Inputs, MultiheadAttentionResult> {
  static override readonly checkpointNames: Readonly<Record<string, string>> = {
    queryProjection: "q_proj",
    keyProjection: "k_proj",
    valueProjection: "v_proj",
    outProjection: "out_proj",
  };
  readonly embedDim: number;
  readonly numHeads: number;
  readonly chunkLength: number;
  readonly queryProjection: Linear;
  readonly keyProjection: Linear;
  readonly valueProjection: Linear;
  readonly outProjection: Linear;

  /** @throws InputError for sizes out of range, heads that do not divide `embedDim`, or unknown options. */
  constructor(embedDim: number, numHeads: number, options: LinearMultiheadAttentionOptions = {}) {
    super();
    assertOptionNames(new.target.name, options, ["bias?", "keyDim", "valueDim", "chunkLength"]);
    const { bias = true, keyDim = embedDim, valueDim = embedDim, chunkLength = 64 } = options;
    assertIntegers(new.target.name, { embedDim, numHeads, keyDim, valueDim, chunkLength });
    if (embedDim % numHeads !== 0)
      throw new InputError(
        `${new.target.name}: expected heads that divide embedDim, got ${numHeads} for ${embedDim}`,
      );
    this.embedDim = embedDim;
    this.numHeads = numHeads;
    this.chunkLength = chunkLength;
    this.queryProjection = new Linear(embedDim, embedDim, { bias });
    this.keyProjection = new Linear(keyDim, embedDim, { bias });
    this.valueProjection = new Linear(valueDim, embedDim, { bias });
    this.outProjection = new Linear(embedDim, embedDim, { bias });
  }

  /**
   * @param query `[batch, queries, embedDim]`
   * @param key `[batch, keys, keyDim]`
   * @param value `[batch, keys, valueDim]`
   * @param options `isCausal`, for as many keys as queries, and `keyPaddingMask`, bool `[batch, keys]`, true where a key is hidden.
   * @returns `output` `[batch, queries, embedDim]`; `weights` undefined
   * @throws InputError for an `attentionMask` or `weights` asked for: there is no matrix of pairs; ShapeError for inputs or a
   * mask that do not fit.
   */
  protected forward(...[query, key, value, options = {}]: Inputs): MultiheadAttentionResult {
    assertOptionNames("call", options, ["keyPaddingMask", "attentionMask", "isCausal?", "weights"]);
    const { keyPaddingMask, attentionMask, isCausal = false, weights = "none" } = options;
    if (attentionMask !== undefined)
      throw new InputError(
        "linear attention: expected no attentionMask, got one; it weighs no pairs: use isCausal, keyPaddingMask or MultiheadAttention",
      );
    if (weights !== "none")
      throw new InputError(
        `linear attention: expected weights "none", got ${JSON.stringify(weights)}; it has no matrix of weights, MultiheadAttention has`,
      );
    assertShape(query, ["batch", "queries", "dim"], this.embedDim);
    assertShape(key, ["batch", "keys", "dim"], this.keyProjection.inFeatures);
    assertShape(value, ["batch", "keys", "dim"], this.valueProjection.inFeatures);
    const [batch] = query.shape;
    if (key.shape[0] !== batch || value.shape[0] !== batch || value.shape[1] !== key.shape[1])
      throw new ShapeError(
        `expected one batch, and as many values as keys, got ${[query, key, value].map(({ shape }) => formatShape(shape)).join(", ")}`,
      );
    const { numHeads, chunkLength } = this;
    const mixed = mixLinearly(
      this.queryProjection.call(query),
      this.keyProjection.call(key),
      this.valueProjection.call(value),
      { numHeads, chunkLength, isCausal, keyPaddingMask },
    ); // [batch, queries, embedDim]
    return { output: this.outProjection.call(mixed), weights: undefined };
  }

  override multiplyAdds([query, key]: Inputs): number {
    const lengths = query.size / this.embedDim + key.size / this.keyProjection.inFeatures;
    return lengths * this.embedDim * (this.embedDim / this.numHeads);
  }
}
