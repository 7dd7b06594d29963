import { InputError, type RandomGenerator } from "@ai/tensor";
import { assertOptionNames } from "../option-names.js";

/** Chooses which items an epoch visits, in which order. */
export interface Sampler {
  /** Items an epoch visits. */
  readonly length: number;
  /** The positions of one epoch; depends on nothing but the generator. */
  sample(generator: RandomGenerator): Int32Array;
}

export function assertLength(operation: string, length: number): void {
  if (!Number.isInteger(length) || length < 0 || length >= 2 ** 31)
    throw new InputError(`${operation}: expected a length in [0, 2^31), got ${length}`);
}

/** Every item once, in order. */
export class SequentialSampler implements Sampler {
  readonly length: number;

  constructor(length: number) {
    assertLength("SequentialSampler", length);
    this.length = length;
  }

  sample(): Int32Array {
    return Int32Array.from({ length: this.length }, (_, index) => index);
  }
}

/** Options of {@link RandomSampler}. */
export interface RandomSamplerOptions {
  /** Draw each item from all of them, so that some repeat. Default false: all items, in a new order, before one comes again. */
  readonly replacement?: boolean;
  /** Items an epoch visits. Default: as many as there are. */
  readonly numSamples?: number;
}

/** Items in random order. */
export class RandomSampler implements Sampler {
  readonly length: number;
  readonly #items: number;
  readonly #replacement: boolean;

  /** @throws InputError when there is nothing to draw from. */
  constructor(items: number, options: RandomSamplerOptions = {}) {
    assertOptionNames("RandomSampler", options, ["replacement?", "numSamples"]);
    const { replacement = false, numSamples = items } = options;
    assertLength("RandomSampler", items);
    assertLength("RandomSampler", numSamples);
    if (items === 0 && numSamples > 0)
      throw new InputError("RandomSampler: expected items to draw from, got none");
    this.length = numSamples;
    this.#items = items;
    this.#replacement = replacement;
  }

  sample(generator: RandomGenerator): Int32Array {
    if (this.#replacement)
      return Int32Array.from({ length: this.length }, () => generator.integer(0, this.#items));
    const result = new Int32Array(this.length);
    for (let begin = 0; begin < this.length; begin += this.#items)
      result.set(generator.permutation(this.#items).subarray(0, this.length - begin), begin);
    return result;
  }
}

/** The given positions, in random order. */
export class SubsetRandomSampler implements Sampler {
  readonly length: number;
  readonly #indices: Int32Array;

  constructor(indices: ArrayLike<number>) {
    this.#indices = Int32Array.from(indices);
    this.length = this.#indices.length;
  }

  sample(generator: RandomGenerator): Int32Array {
    return generator.permutation(this.length).map((position) => this.#indices[position]);
  }
}

/** Options of {@link WeightedRandomSampler}. */
export interface WeightedRandomSamplerOptions {
  /** Draw each item from all of them, so that some repeat. Default true; false: every item at most once. */
  readonly replacement?: boolean;
}

/**
 * Draws item `i` with probability `weights[i] / Σ weights`: rare classes as often as common ones. Without replacement the
 * sum is that of the items that are left.
 * @see Efraimidis, Spirakis (2006), "Weighted random sampling with a reservoir", https://doi.org/10.1016/j.ipl.2005.11.003
 * (without replacement)
 * @example
 * const sampler = new WeightedRandomSampler(balancedWeights(labels), 1000, { replacement: false });
 * const loader = new DataLoader(data, { batchSize: 32, sampler });
 */
export class WeightedRandomSampler implements Sampler {
  readonly length: number;
  readonly #weights: Float64Array;
  readonly #cumulative: Float64Array;
  readonly #replacement: boolean;

  /**
   * @param numSamples Items an epoch visits. Default: as many as there are.
   * @throws InputError for a negative weight, one that is not finite, a sum of 0 or beyond float64, or without replacement
   * more samples than items with a weight above 0.
   */
  constructor(
    weights: ArrayLike<number>,
    numSamples: number = weights.length,
    options: WeightedRandomSamplerOptions = {},
  ) {
    assertOptionNames("WeightedRandomSampler", options, ["replacement?"]);
    const { replacement = true } = options;
    assertLength("WeightedRandomSampler", numSamples);
    this.length = numSamples;
    this.#replacement = replacement;
    this.#weights = Float64Array.from(weights);
    this.#cumulative = new Float64Array(weights.length);
    let total = 0;
    this.#weights.forEach((weight, index) => {
      if (!(weight >= 0 && Number.isFinite(weight)))
        throw new InputError(
          `WeightedRandomSampler: expected weights of at least 0, got ${weights[index]} at ${index}`,
        );
      total += weight;
      this.#cumulative[index] = total;
    });
    if (total === 0)
      throw new InputError("WeightedRandomSampler: expected a positive weight, got a sum of 0");
    if (total === Number.POSITIVE_INFINITY)
      throw new InputError(
        "WeightedRandomSampler: expected a finite sum of weights, got infinity; scale them",
      );
    const drawable = this.#weights.reduce((count, weight) => count + Number(weight > 0), 0);
    if (!replacement && numSamples > drawable)
      throw new InputError(
        `WeightedRandomSampler: expected at most ${drawable} samples without replacement, as many as weights above 0, got ${numSamples}`,
      );
  }

  sample(generator: RandomGenerator): Int32Array {
    if (!this.#replacement) return this.#withoutReplacement(generator);
    const total = this.#cumulative[this.#cumulative.length - 1];
    return Int32Array.from({ length: this.length }, () => this.#find(fineUniform(generator) * total));
  }

  /** The items whose exponential waiting times, of mean `1 / weight`, are the shortest, in their order. */
  #withoutReplacement(generator: RandomGenerator): Int32Array {
    const times = this.#weights.map((weight) => -Math.log1p(-fineUniform(generator)) / weight);
    const items = Int32Array.from(times.keys()).filter((item) => this.#weights[item] > 0);
    return items.sort((a, b) => times[a] - times[b]).slice(0, this.length);
  }

  /** The first position whose cumulative weight exceeds `target`. */
  #find(target: number): number {
    let low = 0;
    let high = this.#cumulative.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#cumulative[middle] > target) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** A number in [0, 1) of 48 random bits: the 24 of one word favour some of a million items over others. */
function fineUniform(generator: RandomGenerator): number {
  return generator.uniform() + generator.uniform() * 2 ** -24;
}
