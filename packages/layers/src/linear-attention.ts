import { InputError, type Tensor } from "@ai/tensor";
import { assertIntegers, assertShape } from "./checks.js";
import { Linear } from "./linear.js";
import { mixLinearly } from "./linear-attention-mix.js";
import { Module } from "./module.js";
import { assertOptionNames } from "./training/option-names.js";

/** Options of {@link LinearAttention}. */
export interface LinearAttentionOptions {
  /** Whether the projections have biases. Default true. */
  readonly bias?: boolean;
  /** Steps that are computed by a small matrix at once in causal attention. Default 64. */
  readonly chunkLength?: number;
}

/** Options of a call of {@link LinearAttention}. */
export interface LinearAttentionCallOptions {
  /** Hides the keys after a query. Default false. */
  readonly isCausal?: boolean;
  /** Padding among the keys, bool `[batch, length]`, true where a key is hidden. A query that sees no key gives the output bias. */
  readonly keyPaddingMask?: Tensor;
}

/**
 * Self-attention whose time grows with the length, not its square: `φ(q)·(φ(k)ᵀ v) / (φ(q)·Σ φ(k))` with
 * `φ(x) = elu(x) + 1`. Causal attention goes chunk by chunk and carries the sums along.
 *
 * Submodules: `q_proj`, `k_proj`, `v_proj`, `o_proj`.
 * @see Katharopoulos, Vyas, Pappas, Fleuret (2020), "Transformers are RNNs", https://arxiv.org/abs/2006.16236
 * @example
 * const y = new LinearAttention(256, 8).call(x, { isCausal: true }); // x and y [batch, length, 256]
 */
export class LinearAttention extends Module<[x: Tensor, options?: LinearAttentionCallOptions], Tensor> {
  static override readonly checkpointNames: Readonly<Record<string, string>> = {
    queryProjection: "q_proj",
    keyProjection: "k_proj",
    valueProjection: "v_proj",
    outProjection: "o_proj",
  };
  readonly dim: number;
  readonly numHeads: number;
  readonly chunkLength: number;
  readonly queryProjection: Linear;
  readonly keyProjection: Linear;
  readonly valueProjection: Linear;
  readonly outProjection: Linear;

  /** @throws InputError for sizes out of range, or heads that do not divide `dim`. */
  constructor(dim: number, numHeads: number, options: LinearAttentionOptions = {}) {
    super();
    assertOptionNames(new.target.name, options, ["bias", "chunkLength"]);
    const { bias = true, chunkLength = 64 } = options;
    assertIntegers("LinearAttention", { dim, numHeads, chunkLength });
    if (dim % numHeads !== 0)
      throw new InputError(`LinearAttention: expected heads that divide dim, got ${numHeads} for ${dim}`);
    this.dim = dim;
    this.numHeads = numHeads;
    this.chunkLength = chunkLength;
    this.queryProjection = new Linear(dim, dim, { bias });
    this.keyProjection = new Linear(dim, dim, { bias });
    this.valueProjection = new Linear(dim, dim, { bias });
    this.outProjection = new Linear(dim, dim, { bias });
  }

  /**
   * @param x `[batch, length, dim]`
   * @returns `[batch, length, dim]`
   * @throws ShapeError for another rank or dim, or a mask of another shape; InputError for a mask that is not bool.
   */
  protected forward(x: Tensor, options?: LinearAttentionCallOptions): Tensor {
    if (options !== undefined) assertOptionNames("call", options, ["isCausal", "keyPaddingMask"]);
    const isCausal = options?.isCausal ?? false;
    const keyPaddingMask = options?.keyPaddingMask;
    assertShape(x, ["batch", "length", "dim"], this.dim);
    const [query, key, value] = [this.queryProjection, this.keyProjection, this.valueProjection].map(
      (projection) => projection.call(x),
    );
    const { numHeads, chunkLength } = this;
    const mixed = mixLinearly(query, key, value, { numHeads, chunkLength, isCausal, keyPaddingMask }); // [batch, length, dim]
    return this.outProjection.call(mixed);
  }

  override multiplyAdds([x]: [x: Tensor, options?: LinearAttentionCallOptions]): number {
    return 2 * x.size * (this.dim / this.numHeads);
  }
}
