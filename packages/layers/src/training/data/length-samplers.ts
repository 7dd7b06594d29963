import { InputError, type RandomGenerator } from "@ai/tensor";
import { assertOptionNames } from "../option-names.js";
import type { Sampler } from "./samplers.js";

/** Chooses the items of every batch of an epoch. */
export interface BatchSampler {
  /** Batches an epoch. */
  readonly length: number;
  /** The positions of each batch of one epoch; depends on nothing but the generator. */
  batches(generator: RandomGenerator): Int32Array[];
}

/** @throws InputError unless all are integers of at least 0. */
function assertLengths(operation: string, lengths: ArrayLike<number>): void {
  if (typeof lengths?.length !== "number")
    throw new InputError(`${operation}: expected an array of lengths, got ${typeof lengths}`);
  for (let index = 0; index < lengths.length; index++)
    if (!Number.isInteger(lengths[index]) || lengths[index] < 0)
      throw new InputError(
        `${operation}: expected lengths that are integers of at least 0, got ${lengths[index]} at ${index}`,
      );
}

function assertPositive(operation: string, values: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(values))
    if (!Number.isInteger(value) || value < 1)
      throw new InputError(`${operation}: expected an integer ${name} of at least 1, got ${value}`);
}

function shuffled<Value>(values: readonly Value[], generator: RandomGenerator): Value[] {
  return Array.from(generator.permutation(values.length), (position) => values[position]);
}

/** Options of {@link LengthBucketSampler}. */
export interface LengthBucketSamplerOptions {
  /** The loader's batch size. */
  readonly batchSize: number;
  /** Batches that are sorted together: more means less padding, fewer means more chance. Default 100. */
  readonly bucketBatches?: number;
}

/**
 * Every item once, in random order, but batches hold items of similar length: random buckets of some batches are sorted
 * by length, cut into batches, and the batches shuffled. A last batch that is not full stays the last.
 * @example
 * const sampler = new LengthBucketSampler(tokens.map((each) => each.length), { batchSize: 32 });
 * const loader = new DataLoader(data, { batchSize: 32, sampler, collate });
 */
export class LengthBucketSampler implements Sampler {
  readonly length: number;
  readonly #lengths: Float64Array;
  readonly #batchSize: number;
  readonly #bucketBatches: number;

  /** @throws InputError for lengths that are no counts, or sizes below 1. */
  constructor(lengths: ArrayLike<number>, options: LengthBucketSamplerOptions) {
    assertOptionNames("LengthBucketSampler", options, ["batchSize", "bucketBatches"]);
    const { batchSize, bucketBatches = 100 } = options;
    assertLengths("LengthBucketSampler", lengths);
    assertPositive("LengthBucketSampler", { batchSize, bucketBatches });
    this.#lengths = Float64Array.from(lengths);
    this.length = lengths.length;
    this.#batchSize = batchSize;
    this.#bucketBatches = bucketBatches;
  }

  sample(generator: RandomGenerator): Int32Array {
    const order = generator.permutation(this.length);
    const bucketSize = this.#batchSize * this.#bucketBatches;
    const full: Int32Array[] = [];
    let last = new Int32Array(0);
    for (let begin = 0; begin < order.length; begin += bucketSize) {
      const bucket = order
        .slice(begin, begin + bucketSize)
        .sort((a, b) => this.#lengths[a] - this.#lengths[b]);
      for (let start = 0; start < bucket.length; start += this.#batchSize) {
        const batch = bucket.slice(start, start + this.#batchSize);
        if (batch.length === this.#batchSize) full.push(batch);
        else last = batch;
      }
    }
    const result = new Int32Array(this.length);
    [...shuffled(full, generator), last].forEach((batch, index) => {
      result.set(batch, index * this.#batchSize);
    });
    return result;
  }
}

/** Options of {@link TokenBatchSampler}. */
export interface TokenBatchSamplerOptions {
  /** Most elements of a batch, padding included: items times the longest of them. */
  readonly maxTokens: number;
  /** Most items of a batch. Default: as many as fit. */
  readonly maxItems?: number;
  /** A new order of the batches, and of items of one length, every epoch. Default true. */
  readonly shuffle?: boolean;
}

/**
 * Batches of similar length that are about equally large in tokens: many short items, or few long ones. Every item once.
 * @see Ott et al. (2019), "fairseq: A Fast, Extensible Toolkit for Sequence Modeling", https://arxiv.org/abs/1904.01038
 * @example
 * const batchSampler = new TokenBatchSampler(tokens.map((each) => each.length), { maxTokens: 4096 });
 * const loader = new DataLoader(data, { batchSampler, collate });
 */
export class TokenBatchSampler implements BatchSampler {
  readonly length: number;
  readonly #lengths: Float64Array;
  readonly #shuffle: boolean;
  /** Where each batch begins among the items by rising length; the same in every epoch. */
  readonly #bounds: readonly number[];

  /** @throws InputError for lengths that are no counts, sizes below 1, or an item longer than `maxTokens`. */
  constructor(lengths: ArrayLike<number>, options: TokenBatchSamplerOptions) {
    assertOptionNames("TokenBatchSampler", options, ["maxTokens", "maxItems", "shuffle?"]);
    const { maxTokens, maxItems = Number.MAX_SAFE_INTEGER, shuffle = true } = options;
    assertLengths("TokenBatchSampler", lengths);
    assertPositive("TokenBatchSampler", { maxTokens, maxItems });
    this.#lengths = Float64Array.from(lengths);
    this.#shuffle = shuffle;
    const longest = this.#lengths.findIndex((length) => length > maxTokens);
    if (longest >= 0)
      throw new InputError(
        `TokenBatchSampler: expected items of at most ${maxTokens} tokens, got ${lengths[longest]} at ${longest}; cut it or raise maxTokens`,
      );
    const sorted = this.#lengths.slice().sort();
    const bounds: number[] = [];
    let begin = 0;
    sorted.forEach((length, position) => {
      const items = position - begin + 1;
      if (position > begin && items * length <= maxTokens && items <= maxItems) return;
      begin = position;
      bounds.push(position);
    });
    this.#bounds = bounds;
    this.length = bounds.length;
  }

  batches(generator: RandomGenerator): Int32Array[] {
    const count = this.#lengths.length;
    const order = this.#shuffle
      ? generator.permutation(count)
      : Int32Array.from({ length: count }, (_, index) => index);
    order.sort((a, b) => this.#lengths[a] - this.#lengths[b]); // stable: one length stays in random order
    const batches = this.#bounds.map((begin, index) => order.slice(begin, this.#bounds[index + 1]));
    return this.#shuffle ? shuffled(batches, generator) : batches;
  }
}
