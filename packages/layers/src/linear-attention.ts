import {
  add,
  cast,
  cumsum,
  div,
  einsum,
  elu,
  equal,
  InputError,
  logicalNot,
  matMul,
  mul,
  reshape,
  ShapeError,
  sum,
  type Tensor,
  tensor,
  transpose,
  where,
} from "@ai/tensor";
import { assertIntegers, assertShape, formatShape } from "./checks.js";
import { Linear } from "./linear.js";
import { Module } from "./module.js";

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

/** φ(x) = elu(x) + 1: positive, so that the weights are. */
const feature = (x: Tensor): Tensor => add(elu(x), 1);

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
  constructor(dim: number, numHeads: number, { bias = true, chunkLength = 64 }: LinearAttentionOptions = {}) {
    super();
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
  protected forward(
    x: Tensor,
    { isCausal = false, keyPaddingMask }: LinearAttentionCallOptions = {},
  ): Tensor {
    assertShape(x, ["batch", "length", "dim"], this.dim);
    const [batch, length]: readonly number[] = x.shape;
    const query = feature(this.#splitHeads(this.queryProjection.call(x))); // [batch, heads, length, headDim]
    const key = withoutHidden(feature(this.#splitHeads(this.keyProjection.call(x))), keyPaddingMask);
    const value = this.#splitHeads(this.valueProjection.call(x));
    const { numerator, denominator } = isCausal
      ? this.#causal(query, key, value)
      : everyKey(query, key, value);
    // without a mask each query sees a key, and weights are positive
    const sums = keyPaddingMask === undefined ? denominator : where(equal(denominator, 0), 1, denominator);
    const mixed = div(numerator, reshape(sums, [batch, this.numHeads, length, 1])); // [batch, heads, length, headDim]
    const joined = reshape(transpose(mixed, [0, 2, 1, 3]), [batch, length, this.dim]); // [batch, length, dim]
    return this.outProjection.call(joined);
  }

  /** Each chunk looks at the sums of the chunks before it and, by a triangular matrix, at itself. */
  #causal(query: Tensor, key: Tensor, value: Tensor): Fraction {
    const [batch, heads, length, headDim]: readonly number[] = query.shape;
    const step = largestDivisor(length, this.chunkLength);
    const count = length / step;
    const chunks = (x: Tensor): Tensor => reshape(x, [batch * heads, count, step, headDim]);
    const [q, k, v] = [chunks(query), chunks(key), chunks(value)];
    const past = { axis: 1, exclusive: true };
    const sums = cumsum(matMul(k, v, { transposeA: true }), past); // [batch · heads, count, headDim, headDim]
    const keySums = cumsum(sum(k, { axes: 2, keepDims: true }), past); // [batch · heads, count, 1, headDim]
    const weights = mul(matMul(q, k, { transposeB: true }), lowerTriangle(step)); // [batch · heads, count, step, step]
    const numerator = add(matMul(q, sums), matMul(weights, v)); // [batch · heads, count, step, headDim]
    const denominator = add(
      sum(mul(q, keySums), { axes: -1, keepDims: true }),
      sum(weights, { axes: -1, keepDims: true }),
    ); // [batch · heads, count, step, 1]
    return { numerator: reshape(numerator, query.shape), denominator };
  }

  #splitHeads(x: Tensor): Tensor {
    const [batch, length] = x.shape;
    return transpose(reshape(x, [batch, length, this.numHeads, this.dim / this.numHeads]), [0, 2, 1, 3]); // [batch, heads, length, headDim]
  }

  override multiplyAdds([x]: [x: Tensor, options?: LinearAttentionCallOptions]): number {
    return 2 * x.size * (this.dim / this.numHeads);
  }
}

/** Weighted values and the sums of the weights. */
interface Fraction {
  /** `[batch, heads, length, headDim]` */
  readonly numerator: Tensor;
  /** As many numbers as `[batch, heads, length]`. */
  readonly denominator: Tensor;
}

/** Keys of zeros where they are hidden: they weigh nothing. @param key `[batch, heads, length, headDim]` */
function withoutHidden(key: Tensor, mask: Tensor | undefined): Tensor {
  if (mask === undefined) return key;
  const [batch, , length]: readonly number[] = key.shape;
  if (mask.dtype !== "bool") throw new InputError(`expected a bool keyPaddingMask, got ${mask.dtype}`);
  if (mask.shape.join() !== [batch, length].join())
    throw new ShapeError(`expected a keyPaddingMask [${batch}, ${length}], got ${formatShape(mask.shape)}`);
  return mul(key, reshape(cast(logicalNot(mask), "float32"), [batch, 1, length, 1]));
}

function everyKey(query: Tensor, key: Tensor, value: Tensor): Fraction {
  const sums = matMul(key, value, { transposeA: true }); // [batch, heads, headDim, headDim]
  const keySums = sum(key, { axes: 2 }); // [batch, heads, headDim]
  const denominator = einsum("bhld,bhd->bhl", query, keySums); // [batch, heads, length]
  return { numerator: matMul(query, sums), denominator };
}

/** The largest divisor of `length` that is at most `limit`: chunks of one size need no padding. */
function largestDivisor(length: number, limit: number): number {
  for (let size = Math.min(length, limit); size > 1; size--) if (length % size === 0) return size;
  return Math.max(1, Math.min(length, 1));
}

/** Ones where key ≤ query. @returns `[size, size]` */
function lowerTriangle(size: number): Tensor {
  const values = new Float32Array(size * size);
  for (let query = 0; query < size; query++) values.fill(1, query * size, query * size + query + 1);
  return tensor(values, [size, size]);
}
