import type { Tensor } from "@tensorflow/tfjs-core";
import { assertList, assertOptions } from "./arguments.js";
import { assertReady } from "./device.js";
import { InputError, ShapeError } from "./errors.js";
import {
  bernoulliKernel,
  randomIntegerKernel,
  randomNormalKernel,
  randomUniformKernel,
} from "./ops/random-kernels.js";
import { boxMuller, fillBlocks, streamOf, unitInterval, wordsFrom } from "./philox.js";
import { formatShape, type Shape, sizeOf } from "./shape.js";
import { fromValues } from "./tensor.js";

const TWO_POW_32 = 2 ** 32;
/** Words that a generator draws at once at most, where it gives them one by one. */
const MOST_WORDS_AHEAD = 512;
/** PyTorch's default seed: a run without `manualSeed` repeats itself, as there. */
const DEFAULT_SEED = 67280421310721;

/** Where a {@link RandomGenerator} stands: plain JSON, to be saved beside a checkpoint. */
export interface RandomState {
  /** The only value: names what the other numbers mean. */
  readonly algorithm: "philox4x32-10";
  readonly seed: number;
  /** Low and high half of the 64-bit stream number. */
  readonly stream: readonly [number, number];
  /** 32-bit words drawn so far. */
  readonly counter: number;
}

/**
 * Random numbers by Philox 4x32-10 keyed by (seed, stream, counter): the same on every device, operating system
 * and JavaScript engine. Word `n` of a stream depends on nothing but the three, so resuming is setting the counter.
 * @see Salmon et al. (2011), "Parallel random numbers: as easy as 1, 2, 3", https://doi.org/10.1145/2063384.2063405
 * @example
 * const generator = new RandomGenerator(42);
 * const order = generator.permutation(60000);
 * const weights = randomNormal([128, 64], { generator: generator.fork("encoder.weight") });
 */
export class RandomGenerator {
  #seed = 0;
  #stream: [number, number] = [0, 0];
  #counter = 0;
  /** Words drawn ahead, and the number of the first; more at a time while they are taken in order. */
  #ahead = new Uint32Array(4);
  #aheadFrom = Number.NaN;

  /** @throws InputError when `seed` is not an integer in [0, 2^53). */
  constructor(seed: number) {
    this.setState({ algorithm: "philox4x32-10", seed, stream: [0, 0], counter: 0 });
  }

  /** The seed that it was made with. */
  get seed(): number {
    return this.#seed;
  }

  /** A copy of where it stands now. */
  state(): RandomState {
    return {
      algorithm: "philox4x32-10",
      seed: this.#seed,
      stream: [this.#stream[0], this.#stream[1]],
      counter: this.#counter,
    };
  }

  /** Goes on from a saved state. @throws InputError when it is not one. */
  setState(state: RandomState): void {
    const { algorithm, seed, stream, counter } = state;
    if (algorithm !== "philox4x32-10")
      throw new InputError(`RandomGenerator: expected a state of philox4x32-10, got ${String(algorithm)}`);
    if (!isCount(seed))
      throw new InputError(`RandomGenerator: expected a seed that is an integer in [0, 2^53), got ${seed}`);
    const words =
      Array.isArray(stream) &&
      stream.length === 2 &&
      stream.every((word) => isCount(word) && word < TWO_POW_32);
    if (!words || !isCount(counter))
      throw new InputError(
        "RandomGenerator: expected a state that state() gave, got another stream or counter",
      );
    this.#seed = seed;
    this.#stream = [stream[0], stream[1]];
    this.#counter = counter;
    this.#aheadFrom = Number.NaN;
  }

  /**
   * A generator of its own for a name: it depends on seed, this stream and the name, not on what was drawn before.
   * A layer draws parameter `path` from `generator.fork(path)`, whatever the order of creation.
   */
  fork(streamName: string): RandomGenerator {
    const child = new RandomGenerator(this.#seed);
    child.setState({ ...child.state(), stream: streamOf(this.#stream, streamName) });
    return child;
  }

  /** The next 32 random bits, as an unsigned integer. */
  word(): number {
    const at = this.#counter++ - this.#aheadFrom;
    return at >= 0 && at < this.#ahead.length ? this.#ahead[at] : this.#drawAhead(at === this.#ahead.length);
  }

  /** The word before the counter, and those behind it. */
  #drawAhead(inOrder: boolean): number {
    const { length } = this.#ahead;
    const size = inOrder ? Math.min(2 * length, MOST_WORDS_AHEAD) : 4;
    if (size !== length) this.#ahead = new Uint32Array(size);
    const block = Math.floor((this.#counter - 1) / 4);
    this.#aheadFrom = 4 * block;
    fillBlocks(block, { seed: this.#seed, stream: this.#stream }, this.#ahead);
    return this.#ahead[this.#counter - 1 - this.#aheadFrom];
  }

  /** The next `count` words at once: what `word()` would give one by one. @throws InputError for a count that is no integer of at least 0. */
  words(count: number): Uint32Array {
    if (!isCount(count))
      throw new InputError(`RandomGenerator.words: expected a count of at least 0, got ${count}`);
    const words = wordsFrom(this.state(), count);
    this.#counter += count;
    return words;
  }

  /** A number in [0, 1), a multiple of 2⁻²⁴: every value is exact in float32. Takes one word. */
  uniform(): number {
    return unitInterval(this.word());
  }

  /** Two independent standard normal numbers by Box–Muller, in basic arithmetic that no engine rounds differently. */
  normalPair(): [number, number] {
    const first = this.word();
    return boxMuller(first, this.word());
  }

  /** A standard normal number; takes two words. */
  normal(): number {
    return this.normalPair()[0];
  }

  /** True with the given probability. Takes one word. @throws InputError for a probability outside [0, 1]. */
  bernoulli(probability: number): boolean {
    assertProbability("RandomGenerator.bernoulli", probability);
    return this.uniform() < probability;
  }

  /**
   * An integer in [min, max), every one equally likely (words that would favour some are drawn again).
   * @throws InputError when a bound is not a safe integer or the range is empty or above 2^53.
   */
  integer(min: number, max: number): number {
    assertRange("RandomGenerator.integer", min, max);
    return min + this.#below(max - min);
  }

  /** The integers 0 … length − 1 in random order, every order equally likely (Fisher–Yates). */
  permutation(length: number): Int32Array {
    if (!isCount(length) || length >= 2 ** 31)
      throw new InputError(`RandomGenerator.permutation: expected a length in [0, 2^31), got ${length}`);
    const order = new Int32Array(length);
    for (let index = 0; index < length; index++) order[index] = index;
    for (let last = length - 1; last > 0; last--) {
      const other = this.#below(last + 1);
      const held = order[last];
      order[last] = order[other];
      order[other] = held;
    }
    return order;
  }

  #below(range: number): number {
    if (range > TWO_POW_32) return this.#belowWide(range);
    // a quotient of two such integers never rounds up to a whole number: this is the remainder, only faster
    const limit = Math.floor(TWO_POW_32 / range) * range;
    for (;;) {
      const drawn = this.word();
      if (drawn < limit) return drawn - Math.floor(drawn / range) * range;
    }
  }

  #belowWide(range: number): number {
    const limit = 2 ** 53 - (2 ** 53 % range);
    for (;;) {
      const low = this.word();
      const drawn = (this.word() >>> 11) * TWO_POW_32 + low;
      if (drawn < limit) return drawn % range;
    }
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function assertProbability(operation: string, probability: number): void {
  if (!(probability >= 0 && probability <= 1))
    throw new InputError(`${operation}: expected a probability in [0, 1], got ${probability}`);
}

function assertRange(operation: string, min: number, max: number): void {
  if (!Number.isSafeInteger(min) || !Number.isSafeInteger(max) || max <= min || max - min > 2 ** 53)
    throw new InputError(`${operation}: expected integers min < max, got ${min} and ${max}`);
}

let shared: RandomGenerator | undefined;

/** The generator that is used where none is passed. Until {@link manualSeed} it starts from a fixed seed. */
export function defaultGenerator(): RandomGenerator {
  shared ??= new RandomGenerator(DEFAULT_SEED);
  return shared;
}

/**
 * Restarts the default generator. @returns that generator.
 * @throws InputError when `seed` is not an integer in [0, 2^53).
 */
export function manualSeed(seed: number): RandomGenerator {
  const generator = defaultGenerator();
  generator.setState(new RandomGenerator(seed).state());
  return generator;
}

/** Options that all random tensors share. */
export interface RandomOptions {
  /** Where the numbers come from; the default generator when left out. */
  readonly generator?: RandomGenerator;
}

function assertSizes(operation: string, shape: Shape): void {
  assertReady(operation);
  assertList(operation, "a shape", shape);
  if (!shape.every((length) => Number.isInteger(length) && length >= 0))
    throw new ShapeError(`${operation}: expected non-negative integer sizes, got ${formatShape(shape)}`);
}

/** Moves a generator on by the words that a kernel draws for it. @returns where they begin @internal */
export function skipWords(generator: RandomGenerator, count: number): RandomState {
  const state = generator.state();
  generator.setState({ ...state, counter: state.counter + count });
  return state;
}

function assertFinite(operation: string, values: Record<string, number>): void {
  for (const [name, value] of Object.entries(values))
    if (!Number.isFinite(value))
      throw new InputError(`${operation}: expected a finite ${name}, got ${value}`);
}

/**
 * Uniform random numbers in [min, max). Element `i` takes word `counter + i`.
 * @param shape Sizes of the result. @returns `shape`
 * @throws InputError when a bound is not finite or `max < min`.
 * @example
 * const noise = randomUniform([2, 3], { min: -1, max: 1 });
 */
export function randomUniform(
  shape: Shape,
  options: RandomOptions & { readonly min?: number; readonly max?: number } = {},
): Tensor {
  assertOptions("randomUniform", options, ["min", "max", "generator"]);
  const { min = 0, max = 1, generator = defaultGenerator() } = options;
  assertSizes("randomUniform", shape);
  assertFinite("randomUniform", { min, max });
  if (max < min) throw new InputError(`randomUniform: expected min ≤ max, got ${min} and ${max}`);
  const position = skipWords(generator, sizeOf(shape));
  return randomUniformKernel({}, { shape: [...shape], min, max, position });
}

/**
 * Normal random numbers. Elements `2i` and `2i + 1` take words `counter + 2i` and `counter + 2i + 1`.
 * @param shape Sizes of the result. @returns `shape`
 * @throws InputError for a mean or standard deviation that is not finite, or a negative deviation.
 * @see Box, Muller (1958), https://doi.org/10.1214/aoms/1177706645
 */
export function randomNormal(
  shape: Shape,
  options: RandomOptions & { readonly mean?: number; readonly standardDeviation?: number } = {},
): Tensor {
  assertOptions("randomNormal", options, ["mean", "standardDeviation", "generator"]);
  const { mean = 0, standardDeviation = 1, generator = defaultGenerator() } = options;
  assertSizes("randomNormal", shape);
  assertFinite("randomNormal", { mean, standardDeviation });
  if (standardDeviation < 0)
    throw new InputError(
      `randomNormal: expected a standardDeviation of at least 0, got ${standardDeviation}`,
    );
  const position = skipWords(generator, 2 * Math.ceil(sizeOf(shape) / 2));
  return randomNormalKernel({}, { shape: [...shape], mean, standardDeviation, position });
}

/**
 * Random integers in [min, max), each equally likely.
 * @param shape Sizes of the result. @returns `shape` int32
 * @throws InputError when the range is empty or does not fit int32.
 */
export function randomInteger(
  shape: Shape,
  options: RandomOptions & { readonly min?: number; readonly max: number },
): Tensor {
  assertOptions("randomInteger", options, ["min", "max", "generator"]);
  const { min = 0, max, generator = defaultGenerator() } = options;
  assertSizes("randomInteger", shape);
  assertRange("randomInteger", min, max);
  if (min < -(2 ** 31) || max > 2 ** 31)
    throw new InputError(`randomInteger: expected bounds in [-2^31, 2^31], got ${min} and ${max}`);
  return randomIntegerKernel({}, { shape: [...shape], min, max, generator });
}

/**
 * Ones with the given probability, else zeros. Element `i` takes word `counter + i`.
 * @param shape Sizes of the result. @returns `shape` of `dtype`, float32 unless it says otherwise
 * @throws InputError for a probability outside [0, 1] or another dtype.
 */
export function bernoulli(
  shape: Shape,
  options: RandomOptions & { readonly probability: number; readonly dtype?: "float32" | "bool" },
): Tensor {
  assertOptions("bernoulli", options, ["probability", "dtype", "generator"]);
  const { probability, dtype = "float32", generator = defaultGenerator() } = options;
  assertSizes("bernoulli", shape);
  assertProbability("bernoulli", probability);
  if (dtype !== "float32" && dtype !== "bool")
    throw new InputError(`bernoulli: expected dtype float32 or bool, got ${dtype}`);
  const position = skipWords(generator, sizeOf(shape));
  return bernoulliKernel({}, { shape: [...shape], dtype, probability, position });
}

/**
 * The integers 0 … length − 1 in random order.
 * @returns `[length]` int32
 * @throws InputError for a length that is not an integer in [0, 2^31).
 */
export function permutation(length: number, options: RandomOptions = {}): Tensor {
  assertOptions("permutation", options, ["generator"]);
  const { generator = defaultGenerator() } = options;
  assertReady("permutation");
  return fromValues(generator.permutation(length), [length], "int32");
}
