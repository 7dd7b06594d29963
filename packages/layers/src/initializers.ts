import { randomNormal, randomUniform, zeros } from "@ai/tensor";
import type { Initializer } from "./parameter.js";
import { assertOptionNames } from "./training/option-names.js";

/** Every element is `value`. */
export function constant(value: number): Initializer {
  return (shape) => zeros(shape, "float32", value);
}

/** Uniform in [min, max). */
export function uniform(options: { readonly min: number; readonly max: number }): Initializer {
  assertOptionNames("uniform", options, ["min", "max"]);
  const { min, max } = options;
  return (shape, generator) => randomUniform(shape, { min, max, generator });
}

/** Normal. */
export function normal(
  options: { readonly mean?: number; readonly standardDeviation?: number } = {},
): Initializer {
  assertOptionNames("normal", options, ["mean", "standardDeviation"]);
  const { mean = 0, standardDeviation = 1 } = options;
  return (shape, generator) => randomNormal(shape, { mean, standardDeviation, generator });
}

/** Options of {@link kaimingUniform} and {@link kaimingNormal}. */
export interface KaimingOptions {
  /** Inputs of one output: `inFeatures`, or kernel area times input channels a group. */
  readonly fanIn: number;
  /** Slope of the rectifier for negative numbers. Default 0: ReLU. PyTorch's own layers use √5. */
  readonly negativeSlope?: number;
}

function kaimingDeviation({ fanIn, negativeSlope = 0 }: KaimingOptions): number {
  return fanIn === 0 ? 0 : Math.sqrt(2 / (1 + negativeSlope ** 2) / fanIn);
}

/**
 * Uniform in ±√3·σ with `σ = √(2 / ((1 + negativeSlope²)·fanIn))`.
 * @see He, Zhang, Ren, Sun (2015), "Delving deep into rectifiers", https://arxiv.org/abs/1502.01852
 */
export function kaimingUniform(options: KaimingOptions): Initializer {
  assertOptionNames("kaimingUniform", options, ["fanIn", "negativeSlope"]);
  const bound = Math.sqrt(3) * kaimingDeviation(options);
  return uniform({ min: -bound, max: bound });
}

/**
 * Normal with `σ = √(2 / ((1 + negativeSlope²)·fanIn))`.
 * @see He, Zhang, Ren, Sun (2015), "Delving deep into rectifiers", https://arxiv.org/abs/1502.01852
 */
export function kaimingNormal(options: KaimingOptions): Initializer {
  assertOptionNames("kaimingNormal", options, ["fanIn", "negativeSlope"]);
  return normal({ standardDeviation: kaimingDeviation(options) });
}

/** Options of {@link xavierUniform} and {@link xavierNormal}. */
export interface XavierOptions {
  /** Inputs of one output. */
  readonly fanIn: number;
  /** Outputs of one input. */
  readonly fanOut: number;
  /** Factor of the deviation. Default 1. */
  readonly gain?: number;
}

/**
 * Uniform in ±gain·√(6 / (fanIn + fanOut)).
 * @see Glorot, Bengio (2010), "Understanding the difficulty of training deep feedforward neural networks", https://proceedings.mlr.press/v9/glorot10a.html
 */
export function xavierUniform(options: XavierOptions): Initializer {
  assertOptionNames("xavierUniform", options, ["fanIn", "fanOut", "gain"]);
  const { fanIn, fanOut, gain = 1 } = options;
  const bound = gain * Math.sqrt(6 / (fanIn + fanOut));
  return uniform({ min: -bound, max: bound });
}

/**
 * Normal with `σ = gain·√(2 / (fanIn + fanOut))`.
 * @see Glorot, Bengio (2010), "Understanding the difficulty of training deep feedforward neural networks", https://proceedings.mlr.press/v9/glorot10a.html
 */
export function xavierNormal(options: XavierOptions): Initializer {
  assertOptionNames("xavierNormal", options, ["fanIn", "fanOut", "gain"]);
  const { fanIn, fanOut, gain = 1 } = options;
  return normal({ standardDeviation: gain * Math.sqrt(2 / (fanIn + fanOut)) });
}

/** What PyTorch's linear and convolution layers start from, weight and bias alike: uniform in ±1/√fanIn. */
export function fanInUniform(fanIn: number): Initializer {
  const bound = fanIn === 0 ? 0 : 1 / Math.sqrt(fanIn);
  return uniform({ min: -bound, max: bound });
}
