import { InputError, ShapeError, type Tensor, tidy, zeros } from "@ai/tensor";
import { assertIntegers, assertShape, assertTensor, formatShape } from "./checks.js";
import { nameLayer } from "./layer-error.js";
import { Linear } from "./linear.js";
import { type LinearAttentionState, mixLinearly, mixOnwards } from "./linear-attention-mix.js";
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

/** What {@link LinearAttention.advance} gives. */
export interface LinearAttentionResult {
  /** `[batch, length, dim]` */
  readonly output: Tensor;
  /** For the next piece. */
  readonly state: LinearAttentionState;
}

/**
 * Self-attention whose time grows with the length, not its square: `φ(q)·(φ(k)ᵀ v) / (φ(q)·Σ φ(k))` with
 * `φ(x) = elu(x) + 1`. Causal attention goes chunk by chunk and carries the sums along.
 *
 * Submodules: `q_proj`, `k_proj`, `v_proj`, `o_proj`.
 * @see Katharopoulos, Vyas, Pappas, Fleuret (2020), "Transformers are RNNs", https://arxiv.org/abs/2006.16236
 * @example
 * const attention = new LinearAttention(256, 8);
 * const y = attention.call(x, { isCausal: true }); // x and y [batch, length, 256]
 * const { output, state } = attention.advance(prompt);
 * const next = attention.advance(token, state); // token [batch, 1, 256]
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
    assertOptionNames(new.target.name, options, ["bias?", "chunkLength"]);
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
    if (options !== undefined) assertOptionNames("call", options, ["isCausal?", "keyPaddingMask"]);
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

  /**
   * The next piece of a sequence, a token or many: pieces one after the other give what a causal {@link call} gives for the
   * whole, each in time and memory that do not grow with what was before. Hooks of this module itself do not run.
   * @param x `[batch, length, dim]`
   * @param state What the piece before gave back; it stays the caller's. Default: the beginning.
   * @returns `output` `[batch, length, dim]` and the `state` behind it, the caller's
   * @throws ShapeError for another rank or dim, or a state of another shape.
   */
  advance(x: Tensor, state?: LinearAttentionState): LinearAttentionResult {
    try {
      return tidy(() => {
        assertShape(x, ["batch", "length", "dim"], this.dim);
        this.parameters(); // draws what has no values yet
        const { numHeads, chunkLength } = this;
        const [query, key, value] = [this.queryProjection, this.keyProjection, this.valueProjection].map(
          (projection) => projection.call(x),
        );
        const before = this.#stateOrBeginning(x.shape[0], state);
        const { mixed, state: next } = mixOnwards([query, key, value], before, { numHeads, chunkLength });
        return { output: this.outProjection.call(mixed), state: next };
      });
    } catch (error) {
      throw nameLayer(error, this.constructor.name);
    }
  }

  #stateOrBeginning(batch: number, state: LinearAttentionState | undefined): LinearAttentionState {
    const headDim = this.dim / this.numHeads;
    const sums = [batch, this.numHeads, headDim, headDim];
    const keySums = [batch, this.numHeads, 1, headDim];
    if (state === undefined) return { sums: zeros(sums), keySums: zeros(keySums) };
    assertTensor(state.sums, "state.sums");
    assertTensor(state.keySums, "state.keySums");
    if (state.sums.shape.join() !== sums.join() || state.keySums.shape.join() !== keySums.join())
      throw new ShapeError(
        `expected a state { sums ${formatShape(sums)}, keySums ${formatShape(keySums)} }, got ${formatShape(state.sums.shape)} and ${formatShape(state.keySums.shape)}; pass the one that advance() gave for this batch`,
      );
    return state;
  }

  override multiplyAdds([x]: [x: Tensor, options?: LinearAttentionCallOptions]): number {
    return 2 * x.size * (this.dim / this.numHeads);
  }
}
