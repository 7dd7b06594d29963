import { InputError } from "@ai/tensor";
import { assertIntegers, assertOneOf } from "./checks.js";
import { assertOptionNames } from "./training/option-names.js";

/** How {@link RotaryEmbedding} reaches beyond the positions that a model was trained on: Hugging Face's `rope_type`s. */
export type RotaryScaling =
  /** Positions are divided by `factor`. */
  | { readonly type: "linear"; readonly factor: number }
  /**
   * The base grows with the sequence once it is longer than `originalLength`: `base · (factor · length / originalLength −
   * factor + 1)^(dim / (dim − 2))`, where `length` ends with the call's last position. Keys in a cache stay as they were turned.
   */
  | { readonly type: "dynamic"; readonly factor: number; readonly originalLength: number }
  | YarnScaling
  | LongRopeScaling
  /** Low frequencies are divided by `factor`, high ones kept, those between blended: Llama 3.1. */
  | {
      readonly type: "llama3";
      readonly factor: number;
      readonly lowFrequencyFactor: number;
      readonly highFrequencyFactor: number;
      readonly originalLength: number;
    };

/**
 * Frequencies that turn fewer than `betaSlow` times within `originalLength` are divided by `factor`, those that turn more than
 * `betaFast` times kept, those between blended; sines and cosines are multiplied by `attentionFactor`.
 * @see Peng, Quesnelle, Fan, Shippole (2023), "YaRN: efficient context window extension of large language models", https://arxiv.org/abs/2309.00071
 */
export interface YarnScaling {
  readonly type: "yarn";
  readonly factor: number;
  readonly originalLength: number;
  /** Default 32. */
  readonly betaFast?: number;
  /** Default 1. */
  readonly betaSlow?: number;
  /**
   * Default `0.1 · ln factor + 1`. For a config with `mscale` and `mscale_all_dim`: `(0.1 · mscale · ln factor + 1) /
   * (0.1 · mscale_all_dim · ln factor + 1)`.
   */
  readonly attentionFactor?: number;
  /** Let the blend begin and end at whole pairs. Default true. */
  readonly truncate?: boolean;
}

/**
 * Each frequency is divided by a number of its own: one of `shortFactors` while a call's last position is within
 * `originalLength`, else one of `longFactors`; sines and cosines are multiplied by `attentionFactor`: Phi-3.
 * @see Ding et al. (2024), "LongRoPE: extending LLM context window beyond 2 million tokens", https://arxiv.org/abs/2402.13753
 */
export interface LongRopeScaling {
  readonly type: "longrope";
  /** `dim / 2` numbers above 0. */
  readonly shortFactors: readonly number[];
  /** `dim / 2` numbers above 0. */
  readonly longFactors: readonly number[];
  readonly originalLength: number;
  /** The longest sequence over `originalLength`. */
  readonly factor: number;
  /** Default `√(1 + ln factor / ln originalLength)`. */
  readonly attentionFactor?: number;
}

/** What `rotaryFrequencies` needs to know of a layer. */
export interface RotarySetting {
  readonly dim: number;
  readonly base: number;
  readonly scaling: RotaryScaling | undefined;
}

const OPERATION = "RotaryEmbedding: scaling";

/** @throws InputError for a scaling that is not known, lacks a number or has one out of range. */
export function assertScaling(scaling: RotaryScaling, { dim, base }: Omit<RotarySetting, "scaling">): void {
  assertOneOf("RotaryEmbedding", "scaling.type", scaling?.type, [
    "linear",
    "dynamic",
    "yarn",
    "longrope",
    "llama3",
  ]);
  assertNames(scaling);
  if (!(Number.isFinite(scaling.factor) && scaling.factor >= 1))
    throw new InputError(`${OPERATION}: expected a factor of at least 1, got ${String(scaling.factor)}`);
  if (scaling.type === "linear") return;
  if (scaling.type === "llama3") {
    const { lowFrequencyFactor: low, highFrequencyFactor: high } = scaling;
    assertAscending("lowFrequencyFactor", low, "highFrequencyFactor", high);
  }
  const { originalLength } = scaling;
  assertIntegers(OPERATION, { originalLength });
  if (scaling.type === "dynamic" && dim < 4)
    throw new InputError(`${OPERATION}: expected a dim of at least 4 for "dynamic", got ${dim}`);
  if (scaling.type === "yarn") {
    const { betaSlow = 1, betaFast = 32, truncate = true } = scaling;
    assertAscending("betaSlow", betaSlow, "betaFast", betaFast);
    if (typeof truncate !== "boolean")
      throw new InputError(`${OPERATION}: expected truncate true or false, got ${String(truncate)}`);
    if (!(typeof base === "number" && base > 1))
      throw new InputError(`${OPERATION}: expected a base above 1 for "yarn", got ${base}`);
  }
  if (scaling.type === "longrope") {
    assertFactors("shortFactors", scaling.shortFactors, dim / 2);
    assertFactors("longFactors", scaling.longFactors, dim / 2);
    if (originalLength < 2)
      throw new InputError(`${OPERATION}: expected originalLength of at least 2, got ${originalLength}`);
  }
  const given = scaling.type === "yarn" || scaling.type === "longrope" ? scaling.attentionFactor : undefined;
  if (given !== undefined && !(given > 0 && Number.isFinite(given)))
    throw new InputError(`${OPERATION}: expected an attentionFactor above 0, got ${String(given)}`);
}

/** @throws InputError for a number that belongs to another type. */
function assertNames(scaling: RotaryScaling): void {
  if (scaling.type === "linear") assertOptionNames(OPERATION, scaling, ["type", "factor"]);
  else if (scaling.type === "dynamic")
    assertOptionNames(OPERATION, scaling, ["type", "factor", "originalLength"]);
  else if (scaling.type === "yarn")
    assertOptionNames(OPERATION, scaling, [
      "type",
      "factor",
      "originalLength",
      "betaFast",
      "betaSlow",
      "attentionFactor",
      "truncate?",
    ]);
  else if (scaling.type === "longrope")
    assertOptionNames(OPERATION, scaling, [
      "type",
      "shortFactors",
      "longFactors",
      "originalLength",
      "factor",
      "attentionFactor",
    ]);
  else
    assertOptionNames(OPERATION, scaling, [
      "type",
      "factor",
      "lowFrequencyFactor",
      "highFrequencyFactor",
      "originalLength",
    ]);
}

function assertAscending(lowName: string, low: number, highName: string, high: number): void {
  if (!(typeof low === "number" && low > 0 && high > low && Number.isFinite(high)))
    throw new InputError(
      `${OPERATION}: expected ${lowName} above 0 and below ${highName}, got ${String(low)} and ${String(high)}; take those of the model's config`,
    );
}

function assertFactors(name: string, factors: readonly number[], count: number): void {
  const fits = Array.isArray(factors) && factors.length === count;
  if (!fits || !factors.every((factor) => factor > 0 && Number.isFinite(factor)))
    throw new InputError(
      `${OPERATION}: expected ${count} ${name} above 0, got ${Array.isArray(factors) ? `[${factors.join(", ")}]` : String(factors)}`,
    );
}

/** How fast pairs turn, and how long they become. */
export interface RotaryFrequencies {
  /** Angle a position, `[dim / 2]`. */
  readonly frequencies: Float32Array;
  /** What sines and cosines are multiplied by. */
  readonly magnitude: number;
}

/**
 * Angular frequencies of the pairs, in float32 and in the order of operations of Hugging Face's models: at a position of
 * 40,000 the last bit of a frequency moves the angle by a thousandth.
 * @param length The call's last position, counted from 1.
 */
export function rotaryFrequencies({ dim, base, scaling }: RotarySetting, length: number): RotaryFrequencies {
  const powers = (of: number): Float32Array =>
    Float32Array.from({ length: dim / 2 }, (_, pair) => of ** Math.fround((2 * pair) / dim));
  const plain = (of = base): Float32Array => powers(of).map((power) => 1 / power);
  if (scaling === undefined) return { frequencies: plain(), magnitude: 1 };
  const { type, factor } = scaling;
  if (type === "linear") return { frequencies: plain().map((each) => each / factor), magnitude: 1 };
  if (type === "dynamic") {
    if (length <= scaling.originalLength) return { frequencies: plain(), magnitude: 1 };
    const ratio = Math.fround(Math.fround(factor * length) / scaling.originalLength);
    const growth = Math.fround(Math.fround(ratio - (factor - 1)) ** (dim / (dim - 2)));
    return { frequencies: plain(Math.fround(base * growth)), magnitude: 1 };
  }
  if (type === "yarn") return yarn(powers(base), { dim, base }, scaling);
  if (type === "longrope") {
    const { originalLength, shortFactors, longFactors } = scaling;
    const { attentionFactor = Math.sqrt(1 + Math.log(factor) / Math.log(originalLength)) } = scaling;
    const factors = length > originalLength ? longFactors : shortFactors;
    const divided = powers(base).map((power, pair) => power * Math.fround(factors[pair]));
    return { frequencies: divided.map((each) => 1 / each), magnitude: attentionFactor };
  }
  const { lowFrequencyFactor: low, highFrequencyFactor: high, originalLength } = scaling;
  const { fround } = Math;
  const frequencies = plain().map((frequency) => {
    const wavelength = fround((2 * Math.PI) / frequency);
    if (wavelength < originalLength / high) return frequency;
    if (wavelength > originalLength / low) return frequency / factor;
    const smooth = fround(fround(fround(originalLength / wavelength) - low) / (high - low));
    return fround(fround(fround(1 - smooth) * frequency) / factor) + fround(smooth * frequency);
  });
  return { frequencies, magnitude: 1 };
}

/** @param powers of the base */
function yarn(
  powers: Float32Array,
  { dim, base }: Omit<RotarySetting, "scaling">,
  { factor, originalLength, betaFast = 32, betaSlow = 1, truncate = true, attentionFactor }: YarnScaling,
): RotaryFrequencies {
  /** The pair, broken, that turns so often within the original length. */
  const pairOf = (turns: number): number =>
    (dim * Math.log(originalLength / (turns * 2 * Math.PI))) / (2 * Math.log(base));
  const [fast, slow] = [pairOf(betaFast), pairOf(betaSlow)];
  const first = Math.max(0, truncate ? Math.floor(fast) : fast);
  const last = Math.min(dim - 1, truncate ? Math.ceil(slow) : slow);
  const width = last === first ? 0.001 : last - first; // as Hugging Face, lest it divides by 0
  const { fround } = Math;
  return {
    frequencies: powers.map((power, pair) => {
      const whole = fround(1 - Math.min(1, Math.max(0, fround(fround(pair - first) / width))));
      const divided = fround(1 / fround(factor * power));
      return fround(divided * fround(1 - whole)) + fround(fround(1 / power) * whole);
    }),
    magnitude: attentionFactor ?? 0.1 * Math.log(factor) + 1,
  };
}
