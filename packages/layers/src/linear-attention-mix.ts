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
  narrow,
  pad,
  reshape,
  ShapeError,
  sum,
  type Tensor,
  tensor,
  transpose,
  where,
} from "@ai/tensor";
import { formatShape } from "./checks.js";

/** How {@link mixLinearly} mixes. */
export interface LinearMixOptions {
  readonly numHeads: number;
  /** Hides the keys after a query. */
  readonly isCausal: boolean;
  /** Bool `[batch, keys]`, true where a key is hidden. */
  readonly keyPaddingMask: Tensor | undefined;
  /** Steps that are computed by a small matrix at once in causal attention. */
  readonly chunkLength: number;
}

/** What linear attention carries from one piece of a sequence to the next: of one size however long the past is. */
export interface LinearAttentionState {
  /** `Σ φ(k)ᵀ v` of the past, `[batch, heads, headDim, headDim]`. */
  readonly sums: Tensor;
  /** `Σ φ(k)` of the past, `[batch, heads, 1, headDim]`. */
  readonly keySums: Tensor;
}

/** φ(x) = elu(x) + 1: positive, so that the weights are. */
const feature = (x: Tensor): Tensor => add(elu(x), 1);

/**
 * `φ(q)·(φ(k)ᵀ v) / (φ(q)·Σ φ(k))` in each head; zeros for a query that sees no key.
 * @param query `[batch, queries, dim]` @param key `[batch, keys, dim]` @param value `[batch, keys, dim]`
 * @returns `[batch, queries, dim]`
 * @throws ShapeError for a mask of another shape, or causal attention with more keys than queries or fewer; InputError for a
 * mask that is not bool.
 */
export function mixLinearly(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  { numHeads, isCausal, keyPaddingMask, chunkLength }: LinearMixOptions,
): Tensor {
  const [batch, queries, dim]: readonly number[] = query.shape;
  if (isCausal && queries !== key.shape[1])
    throw new ShapeError(
      `expected as many keys as queries in causal linear attention, got ${key.shape[1]} for ${queries}`,
    );
  const split = (x: Tensor): Tensor =>
    transpose(reshape(x, [batch, -1, numHeads, dim / numHeads]), [0, 2, 1, 3]); // [batch, heads, length, headDim]
  const [q, k, v] = [feature(split(query)), withoutHidden(feature(split(key)), keyPaddingMask), split(value)];
  const { numerator, denominator } = isCausal ? keysBefore([q, k, v], chunkLength) : everyKey(q, k, v);
  // without a mask each query sees a key, and weights are positive
  const sums = keyPaddingMask === undefined ? denominator : where(equal(denominator, 0), 1, denominator);
  const mixed = div(numerator, reshape(sums, [batch, numHeads, queries, 1])); // [batch, heads, queries, headDim]
  return reshape(transpose(mixed, [0, 2, 1, 3]), [batch, queries, dim]); // [batch, queries, dim]
}

/**
 * Causal {@link mixLinearly} of the next piece of a sequence.
 * @param query `[batch, length, dim]` @param key `[batch, length, dim]` @param value `[batch, length, dim]`
 * @returns what is mixed, `[batch, length, dim]`, and the state behind it
 */
export function mixOnwards(
  [query, key, value]: readonly [query: Tensor, key: Tensor, value: Tensor],
  before: LinearAttentionState,
  { numHeads, chunkLength }: Pick<LinearMixOptions, "numHeads" | "chunkLength">,
): { mixed: Tensor; state: LinearAttentionState } {
  const [batch, length, dim]: readonly number[] = query.shape;
  const split = (x: Tensor): Tensor =>
    transpose(reshape(x, [batch, length, numHeads, dim / numHeads]), [0, 2, 1, 3]); // [batch, heads, length, headDim]
  const [q, k, v] = [feature(split(query)), feature(split(key)), split(value)];
  const { numerator, denominator } = keysBefore([q, k, v], chunkLength, before);
  const mixed = div(numerator, denominator); // [batch, heads, length, headDim]
  return {
    mixed: reshape(transpose(mixed, [0, 2, 1, 3]), [batch, length, dim]), // [batch, length, dim]
    state: {
      sums: add(before.sums, matMul(k, v, { transposeA: true })),
      keySums: add(before.keySums, sum(k, { axes: 2, keepDims: true })),
    },
  };
}

/** Weighted values and the sums of the weights. */
interface Fraction {
  /** `[batch, heads, queries, headDim]` */
  readonly numerator: Tensor;
  /** As many numbers as `[batch, heads, queries]`. */
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
  const denominator = einsum("bhld,bhd->bhl", query, keySums); // [batch, heads, queries]
  return { numerator: matMul(query, sums), denominator };
}

/** Each chunk looks at the sums of the chunks before it and, by a triangular matrix, at itself. */
function keysBefore(
  [query, key, value]: readonly [query: Tensor, key: Tensor, value: Tensor],
  chunkLength: number,
  before?: LinearAttentionState,
): Fraction {
  const [batch, heads, length, headDim]: readonly number[] = query.shape;
  const count = Math.max(1, Math.ceil(length / chunkLength));
  const step = Math.ceil(length / count);
  const chunks = (x: Tensor): Tensor =>
    reshape(padded(x, count * step), [batch * heads, count, step, headDim]);
  const [q, k, v] = [chunks(query), chunks(key), chunks(value)];
  const past = { axis: 1, exclusive: true };
  const behind = (x: Tensor, given: Tensor | undefined): Tensor =>
    given === undefined ? x : add(x, reshape(given, [batch * heads, 1, -1, headDim]));
  const sums = behind(cumsum(matMul(k, v, { transposeA: true }), past), before?.sums); // [batch · heads, count, headDim, headDim]
  const keySums = behind(cumsum(sum(k, { axes: 2, keepDims: true }), past), before?.keySums); // [batch · heads, count, 1, headDim]
  const weights = mul(matMul(q, k, { transposeB: true }), lowerTriangle(step)); // [batch · heads, count, step, step]
  const numerator = add(matMul(q, sums), matMul(weights, v)); // [batch · heads, count, step, headDim]
  const denominator = add(
    sum(mul(q, keySums), { axes: -1, keepDims: true }),
    sum(weights, { axes: -1, keepDims: true }),
  ); // [batch · heads, count, step, 1]
  const whole = (x: Tensor, size: number): Tensor =>
    narrow(reshape(x, [batch, heads, count * step, size]), { axis: 2, start: 0, length });
  return { numerator: whole(numerator, headDim), denominator: whole(denominator, 1) };
}

/** Steps of zeros behind the last one, which no step before them sees. @param x `[batch, heads, steps, headDim]` */
function padded(x: Tensor, length: number): Tensor {
  const missing = length - x.shape[2]!;
  if (missing === 0) return x;
  return pad(x, [
    [0, 0],
    [0, 0],
    [0, missing],
    [0, 0],
  ]);
}

/** Ones where key ≤ query. @returns `[size, size]` */
function lowerTriangle(size: number): Tensor {
  const values = new Float32Array(size * size);
  for (let query = 0; query < size; query++) values.fill(1, query * size, query * size + query + 1);
  return tensor(values, [size, size]);
}
