import {
  add,
  expandDims,
  gather,
  InputError,
  narrow,
  rotaryEmbedding,
  ShapeError,
  type Tensor,
  tensor,
  transpose,
} from "@ai/tensor";
import { assertIntegers, assertShape, assertTensor, formatShape } from "./checks.js";
import { normal } from "./initializers.js";
import { Module } from "./module.js";
import { Parameter } from "./parameter.js";
import {
  assertScaling,
  type RotaryScaling,
  type RotarySetting,
  rotaryFrequencies,
} from "./rotary-scaling.js";
import { assertOptionNames } from "./training/option-names.js";

const SEQUENCE = ["batch", "length", "dim"] as const;

/**
 * Adds sines and cosines of the position: channel `2i` gets `sin(position / 10000^(2i / dim))`, channel `2i + 1` the cosine.
 * The table is computed on the host: a GPU's sine may be off by 2⁻¹¹.
 * @see Vaswani et al. (2017), "Attention is all you need", https://arxiv.org/abs/1706.03762, section 3.5
 */
export class SinusoidalPositionalEncoding extends Module<[x: Tensor, start?: number], Tensor> {
  readonly dim: number;

  /** @throws InputError unless `dim` is an even positive integer. */
  constructor(dim: number) {
    super();
    assertIntegers("SinusoidalPositionalEncoding", { dim });
    if (dim % 2 !== 0)
      throw new InputError(
        `SinusoidalPositionalEncoding: expected an even dim, got ${dim}; channels come in pairs`,
      );
    this.dim = dim;
  }

  /**
   * @param x `[batch, length, dim]`
   * @param start Position of the first step. Default 0.
   * @returns `[batch, length, dim]`
   * @throws ShapeError for another rank or dim; InputError for a start that is no position.
   */
  protected forward(x: Tensor, start = 0): Tensor {
    assertShape(x, SEQUENCE, this.dim);
    assertStart(start);
    const [, length]: readonly number[] = x.shape;
    const values = new Float32Array(length * this.dim);
    for (let step = 0; step < length; step++)
      for (let pair = 0; pair < this.dim / 2; pair++) {
        const angle = (start + step) / 10000 ** ((2 * pair) / this.dim);
        values[step * this.dim + 2 * pair] = Math.sin(angle);
        values[step * this.dim + 2 * pair + 1] = Math.cos(angle);
      }
    return add(x, tensor(values, [length, this.dim]));
  }
}

/**
 * Adds a learned vector a position. Parameter: `weight` `[maxLength, dim]`, normal with deviation 0.02 as GPT-2's.
 * @see Radford et al. (2019), "Language models are unsupervised multitask learners"
 */
export class LearnedPositionalEncoding extends Module<[x: Tensor, start?: number], Tensor> {
  readonly weight: Parameter;

  /** @throws InputError for sizes that are not positive integers. */
  constructor(maxLength: number, dim: number) {
    super();
    assertIntegers("LearnedPositionalEncoding", { maxLength, dim });
    this.weight = new Parameter([maxLength, dim], { initializer: normal({ standardDeviation: 0.02 }) });
  }

  /**
   * @param x `[batch, length, dim]`
   * @param start Position of the first step. Default 0.
   * @returns `[batch, length, dim]`
   * @throws ShapeError for another rank or dim; InputError when the last position is beyond `maxLength`.
   */
  protected forward(x: Tensor, start = 0): Tensor {
    const [maxLength, dim] = this.weight.shape;
    assertShape(x, SEQUENCE, dim);
    const [, length]: readonly number[] = x.shape;
    if (!Number.isInteger(start) || start < 0 || start + length > maxLength)
      throw new InputError(
        `expected positions below ${maxLength}, got ${start} to ${start + length - 1}; cut the sequence or build the layer longer`,
      );
    return add(x, narrow(this.weight.value, { axis: 0, start, length }));
  }
}

/** Options of {@link RotaryEmbedding}. */
export interface RotaryEmbeddingModuleOptions {
  /** Base of the angular frequencies. Default 10000. */
  readonly base?: number;
  /** True: channels `2i` and `2i + 1` are a pair (GPT-J). False (default): `i` and `i + dim / 2` are (Llama). */
  readonly interleaved?: boolean;
  /** How to reach beyond the positions that the model was trained on. Default: not. */
  readonly scaling?: RotaryScaling;
}

/** @throws InputError unless `start` is a position: from what is no number NaN would come. */
function assertStart(start: number): void {
  if (!Number.isInteger(start) || start < 0)
    throw new InputError(`expected start as an integer of at least 0, got ${String(start)}`);
}

/**
 * Turns each pair of channels of queries and keys by an angle that grows with the position.
 * @see Su et al. (2021), "RoFormer", https://arxiv.org/abs/2104.09864; Chen et al. (2023), "Extending context window of
 * large language models via positional interpolation", https://arxiv.org/abs/2306.15595 (linear scaling)
 * @example
 * const scaling = { type: "yarn", factor: 4, originalLength: 32768 } as const; // Qwen 2.5 beyond 32 k tokens
 * const turned = new RotaryEmbedding(128, { base: 1e6, scaling }).call(queries); // [batch, heads, length, 128]
 */
export class RotaryEmbedding extends Module<[x: Tensor, start?: number], Tensor> {
  readonly dim: number;
  readonly interleaved: boolean;
  readonly #setting: RotarySetting;

  /** @throws InputError for an odd dim, a base that is not positive, or a scaling that is not known or out of range. */
  constructor(dim: number, options: RotaryEmbeddingModuleOptions = {}) {
    super();
    assertOptionNames(new.target.name, options, ["base", "interleaved?", "scaling"]);
    const { base = 10000, interleaved = false, scaling } = options;
    assertIntegers("RotaryEmbedding", { dim });
    if (dim % 2 !== 0)
      throw new InputError(`RotaryEmbedding: expected an even dim, got ${dim}; channels turn in pairs`);
    if (!(base > 0 && Number.isFinite(base)))
      throw new InputError(`RotaryEmbedding: expected a positive base, got ${base}`);
    if (scaling !== undefined) assertScaling(scaling, { dim, base });
    this.dim = dim;
    this.interleaved = interleaved;
    this.#setting = { dim, base, scaling };
  }

  /**
   * @param x `[batch, heads, length, headDim]`; channels beyond `dim` stay as they are.
   * @param start Position of the first step. Default 0.
   * @returns the shape of `x`
   * @throws ShapeError for fewer than two axes or fewer channels than `dim`; InputError for a start that is no position.
   */
  protected forward(x: Tensor, start = 0): Tensor {
    assertTensor(x);
    assertStart(start);
    const [length, headDim] = x.shape.slice(-2);
    if (x.shape.length < 2 || headDim < this.dim)
      throw new ShapeError(
        `expected an input [..., length, ${this.dim} or more], got ${formatShape(x.shape)}`,
      );
    const half = this.dim / 2;
    const { frequencies, magnitude } = rotaryFrequencies(this.#setting, start + length);
    const [cosine, sine] = [new Float32Array(length * half), new Float32Array(length * half)];
    for (let step = 0; step < length; step++)
      for (let pair = 0; pair < half; pair++) {
        const angle = Math.fround((start + step) * frequencies[pair]);
        cosine[step * half + pair] = Math.cos(angle) * magnitude;
        sine[step * half + pair] = Math.sin(angle) * magnitude;
      }
    const table = (values: Float32Array): Tensor => tensor(values, [length, half]);
    return rotaryEmbedding(x, { cosine: table(cosine), sine: table(sine), interleaved: this.interleaved });
  }
}

/**
 * Penalties that grow with the distance between query and key, a slope a head: an attention layer takes them as its
 * `attentionMask`, together with `isCausal` and a `keyPaddingMask`.
 * @param numHeads The slopes are `2^(−8h / heads)`, h from 1; for a number that is no power of two, those of the next
 * smaller one and every second of the next larger one.
 * @param queries Length of the queries, which are the last positions of the keys.
 * @returns `[numHeads, queries, keys]`: `−slope · |query − key|`
 * @throws InputError for numbers that are not positive integers.
 * @see Press, Smith, Lewis (2021), "Train short, test long", https://arxiv.org/abs/2108.12409
 * @example
 * const attention = new MultiheadAttention(64, 8);
 * attention.call(x, x, x, { attentionMask: alibiBias(8, length), isCausal: true }); // x [batch, length, 64]
 */
export function alibiBias(numHeads: number, queries: number, keys = queries): Tensor {
  assertIntegers("alibiBias", { numHeads, queries, keys });
  const slopes = alibiSlopes(numHeads);
  const values = new Float32Array(numHeads * queries * keys);
  for (let head = 0; head < numHeads; head++)
    for (let query = 0; query < queries; query++)
      for (let key = 0; key < keys; key++)
        values[(head * queries + query) * keys + key] =
          -slopes[head] * Math.abs(keys - queries + query - key);
  return tensor(values, [numHeads, queries, keys]);
}

function alibiSlopes(numHeads: number): number[] {
  const power = 2 ** Math.floor(Math.log2(numHeads));
  const slopes = Array.from({ length: power }, (_, head) => 2 ** ((-8 * (head + 1)) / power));
  const between = Array.from({ length: numHeads - power }, (_, head) => 2 ** ((-4 * (2 * head + 1)) / power));
  return [...slopes, ...between];
}

/** Options of {@link RelativePositionBias}. */
export interface RelativePositionBiasOptions {
  /** Distances that are told apart. Default 32. */
  readonly numBuckets?: number;
  /** Distances from here on share a bucket. Default 128. */
  readonly maxDistance?: number;
  /** Whether keys after the query have buckets of their own. Default true. */
  readonly bidirectional?: boolean;
}

/**
 * T5's relative positions: a learned number for each head and bucket of distances, added to the scores: an attention layer
 * takes them as its `attentionMask`. Parameter: `weight` `[numBuckets, numHeads]`.
 * @see Raffel et al. (2019), "Exploring the limits of transfer learning", https://arxiv.org/abs/1910.10683, section 2.1
 * @example
 * const positions = new RelativePositionBias(8);
 * attention.call(x, x, x, { attentionMask: positions.call(length, length) }); // x [batch, length, dim]
 */
export class RelativePositionBias extends Module<[queries: number, keys: number], Tensor> {
  readonly numBuckets: number;
  readonly maxDistance: number;
  readonly bidirectional: boolean;
  readonly weight: Parameter;

  /** @throws InputError for numbers that are not integers in range. */
  constructor(numHeads: number, options: RelativePositionBiasOptions = {}) {
    super();
    assertOptionNames(new.target.name, options, ["numBuckets", "maxDistance", "bidirectional?"]);
    const { numBuckets = 32, maxDistance = 128, bidirectional = true } = options;
    assertIntegers("RelativePositionBias", { numHeads });
    assertIntegers("RelativePositionBias", { numBuckets }, bidirectional ? 4 : 2);
    assertIntegers("RelativePositionBias", { maxDistance }, numBuckets);
    this.numBuckets = numBuckets;
    this.maxDistance = maxDistance;
    this.bidirectional = bidirectional;
    this.weight = new Parameter([numBuckets, numHeads], { initializer: normal() });
  }

  #bucket(distance: number): number {
    const buckets = this.bidirectional ? Math.floor(this.numBuckets / 2) : this.numBuckets;
    const base = this.bidirectional && distance > 0 ? buckets : 0;
    const size = this.bidirectional ? Math.abs(distance) : Math.max(0, -distance);
    const exact = Math.floor(buckets / 2);
    if (size < exact) return base + size;
    // in float32, as the models were trained
    const ratio = Math.fround(Math.log(Math.fround(size / exact)));
    const far = Math.fround(Math.fround(ratio / Math.log(this.maxDistance / exact)) * (buckets - exact));
    return base + Math.min(buckets - 1, exact + Math.floor(far));
  }

  /**
   * @param queries Number of queries, which are the last positions of the keys.
   * @param keys Number of keys.
   * @returns `[1, numHeads, queries, keys]`
   * @throws InputError for numbers that are not positive integers.
   */
  protected forward(queries: number, keys: number): Tensor {
    assertIntegers("RelativePositionBias", { queries, keys });
    const ids = new Int32Array(queries * keys);
    for (let query = 0; query < queries; query++)
      for (let key = 0; key < keys; key++)
        ids[query * keys + key] = this.#bucket(key - (keys - queries + query));
    const rows = gather(this.weight.value, tensor(ids, [queries, keys])); // [queries, keys, numHeads]
    return expandDims(transpose(rows, [2, 0, 1]), 0); // [1, numHeads, queries, keys]
  }
}
