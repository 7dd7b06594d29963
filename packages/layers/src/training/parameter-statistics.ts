import { InputError, read, type Tensor } from "@ai/tensor";
import { type AnyModule, Module } from "../module.js";
import { isTensor } from "./data/host-tensor.js";
import { assertOptionNames } from "./option-names.js";

/** How often values fall between edges. */
export interface Histogram {
  /** Rising, one more than `counts`; equally far apart. */
  readonly edges: readonly number[];
  /** Values from one edge up to the next, the last edge included. */
  readonly counts: readonly number[];
}

/** Statistics of some numbers; those that are NaN or infinite count in `nonFinite` alone. */
export interface ValueStatistics {
  readonly size: number;
  /** √Σx² */
  readonly norm: number;
  readonly mean: number;
  /** √(Σ(x − mean)² / n) */
  readonly std: number;
  readonly min: number;
  readonly max: number;
  /** Share of numbers that are exactly 0. */
  readonly zeros: number;
  /** How many are NaN or infinite. */
  readonly nonFinite: number;
  /** Present when `bins` was given. */
  readonly histogram?: Histogram;
}

/** Statistics of one parameter: plain data. */
export interface ParameterStatistics extends ValueStatistics {
  readonly path: string;
  readonly shape: readonly number[];
  /** Whether an optimizer must leave it alone. */
  readonly frozen: boolean;
  /** Length of its gradient, where it has one. */
  readonly gradientNorm?: number;
  /** Length of the last update by that of the values before it: about 0.001 is usual, 0 learns nothing, 0.1 is too much. */
  readonly updateRatio?: number;
}

/** Options of {@link parameterStatistics}. */
export interface ParameterStatisticsOptions {
  /** Gradients in the order of `model.parameters()`, null for none; they stay the caller's. */
  readonly gradients?: readonly (Tensor | null)[];
  /** Add histograms of so many bins. */
  readonly bins?: number;
  /** Only parameters whose path this is true of. */
  readonly match?: (path: string) => boolean;
  readonly signal?: AbortSignal;
}

/**
 * Norm, mean, deviation, range, zeros and, where given, gradient norm of each parameter, computed in float64.
 * @returns plain data, in the order of `model.namedParameters()`.
 * @throws the reason of `signal` once aborted; InputError for a model that is no module, or another number of gradients.
 * @example
 * for (const { path, std, zeros } of await parameterStatistics(model)) console.log(path, std, zeros);
 */
export async function parameterStatistics(
  model: AnyModule | Module<never, never>,
  options: ParameterStatisticsOptions = {},
): Promise<ParameterStatistics[]> {
  const operation = "parameterStatistics";
  assertOptionNames(operation, options, ["gradients", "bins", "match", "signal"]);
  const { gradients, bins, match = () => true, signal } = options;
  assertModule(operation, model);
  assertBins(operation, bins);
  signal?.throwIfAborted();
  const parameters = (model as AnyModule).namedParameters();
  if (gradients !== undefined && (!Array.isArray(gradients) || gradients.length !== parameters.length))
    throw new InputError(
      `${operation}: expected ${parameters.length} gradients, one a parameter, got ${Array.isArray(gradients) ? gradients.length : typeof gradients}; pass null for none`,
    );
  const results: ParameterStatistics[] = [];
  for (const [index, [path, parameter]] of parameters.entries()) {
    if (!match(path)) continue;
    const gradient = gradients?.[index];
    const values = await read(parameter.value);
    const length = isTensor(gradient) ? statisticsOf(await read(gradient)).norm : undefined;
    signal?.throwIfAborted();
    results.push({
      path,
      shape: [...parameter.shape],
      frozen: !parameter.requiresGrad,
      ...statisticsOf(values, bins),
      ...(length === undefined ? {} : { gradientNorm: length }),
    });
  }
  return results;
}

/** @throws InputError for what is no module: parameters have no names there. */
export function assertModule(operation: string, model: unknown): asserts model is AnyModule {
  if (!(model instanceof Module))
    throw new InputError(
      `${operation}: expected a module as model, got ${model === null ? "null" : typeof model}; extend Module`,
    );
}

/** @throws InputError for a number of bins that is not a positive integer. */
export function assertBins(operation: string, bins: number | undefined): void {
  if (bins !== undefined && (!Number.isInteger(bins) || bins < 1))
    throw new InputError(`${operation}: expected an integer of bins of at least 1, got ${bins}`);
}

type Numbers = ArrayLike<number> & Iterable<number>;

/** Statistics of the numbers of an array. @param bins Of a histogram; none without. */
export function statisticsOf(values: Numbers, bins?: number): ValueStatistics {
  let [sum, squares, min, max] = [0, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  let [zeros, finite] = [0, 0];
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    finite++;
    sum += value;
    squares += value * value;
    if (value < min) min = value;
    if (value > max) max = value;
    if (value === 0) zeros++;
  }
  const mean = finite === 0 ? 0 : sum / finite;
  let spread = 0; // in a second pass: the difference of large sums loses digits
  for (const value of values) if (Number.isFinite(value)) spread += (value - mean) ** 2;
  if (finite === 0) [min, max] = [0, 0];
  return {
    size: values.length,
    norm: Math.sqrt(squares),
    mean,
    std: finite === 0 ? 0 : Math.sqrt(spread / finite),
    min,
    max,
    zeros: values.length === 0 ? 0 : zeros / values.length,
    nonFinite: values.length - finite,
    ...(bins === undefined ? {} : { histogram: histogramOf(values, min, max, bins) }),
  };
}

function histogramOf(values: Numbers, min: number, max: number, bins: number): Histogram {
  // one value only: as NumPy, half a unit to each side
  const [low, high] = min === max ? [min - 0.5, max + 0.5] : [min, max];
  const counts = new Array<number>(bins).fill(0);
  const scale = bins / (high - low);
  for (const value of values)
    if (Number.isFinite(value)) counts[Math.min(bins - 1, Math.floor((value - low) * scale))]++;
  const edges = Array.from({ length: bins + 1 }, (_, index) => (index === bins ? high : low + index / scale));
  return { edges, counts };
}
