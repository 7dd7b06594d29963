import type { Tensor } from "@tensorflow/tfjs-core";
import { assertList, assertOptions } from "../arguments.js";
import { noGrad } from "../autograd.js";
import { DTypeError, ShapeError } from "../errors.js";
import { tidy } from "../memory.js";
import { formatShape, sizeOf } from "../shape.js";
import { tensor } from "../tensor.js";
import { mul } from "./arithmetic.js";
import { gather } from "./indexing.js";
import {
  type MaxPoolResult,
  maxPool1dWithIndices,
  maxPool2dWithIndices,
  maxPool3dWithIndices,
} from "./max-pool-indices.js";
import { type MaxPoolOptions, maxPool1d, maxPool2d, maxPool3d } from "./pool.js";
import { sum } from "./reduce.js";
import { resample, windowMeans } from "./resample.js";
import { reshape } from "./shape-ops.js";
import { perAxis } from "./window.js";

/** Options of {@link adaptiveAvgPool2d} and its like. */
export interface AdaptivePoolOptions {
  /** Spatial size of the result; one number for all axes; null keeps the input's. */
  readonly outputSize: number | null | readonly (number | null)[];
}

/** Checks the arguments. @returns the size of the result, one entry a spatial axis. */
function outputSizes(operation: string, x: Tensor, axes: number, options: AdaptivePoolOptions): number[] {
  assertOptions(operation, options, ["outputSize"]);
  const { outputSize } = options;
  if (x?.shape?.length !== axes + 2 || x.shape.slice(1, -1).includes(0))
    throw new ShapeError(
      `${operation}: expected x [batch, ${["length", "height, width", "depth, height, width"][axes - 1]}, channels] with cells, got ${formatShape(x?.shape ?? [])}`,
    );
  if (x.dtype !== "float32")
    throw new DTypeError(`${operation}: expected float32, got ${x.dtype}; cast it first`);
  const one = typeof outputSize === "number" || outputSize === null;
  if (!one) assertList(operation, "outputSize, a number or", outputSize);
  const asked = one ? new Array<number | null>(axes).fill(outputSize) : outputSize;
  const sizes = asked.map((count, axis) => count ?? x.shape[axis + 1]);
  return perAxis(operation, "outputSize", sizes, axes);
}

function average(operation: string, x: Tensor, axes: number, options: AdaptivePoolOptions): Tensor {
  const sizes = outputSizes(operation, x, axes, options);
  const cells = sizeOf(x.shape.slice(1, -1));
  if (sizes.every((count) => count === 1))
    return tidy(() => mul(sum(x, { axes: sizes.map((_, axis) => axis + 1), keepDims: true }), 1 / cells));
  return tidy(() =>
    sizes.reduce((y, count, axis) => {
      const { shape } = y;
      const outer = sizeOf(shape.slice(0, axis + 1));
      const lines = reshape(y, [outer, shape[axis + 1], sizeOf(shape.slice(axis + 2))]);
      const means = resample(lines, windowMeans(shape[axis + 1], count)); // [outer, count, inner]
      return reshape(means, [...shape.slice(0, axis + 1), count, ...shape.slice(axis + 2)]);
    }, x),
  );
}

/**
 * Means over windows of the length; see {@link adaptiveAvgPool2d}.
 * @param x `[batch, length, channels]`
 * @returns `[batch, outputSize, channels]`
 * @throws ShapeError for an empty sequence. @throws InputError for a size below 1.
 */
export function adaptiveAvgPool1d(x: Tensor, options: AdaptivePoolOptions): Tensor {
  return average("adaptiveAvgPool1d", x, 1, options);
}

/**
 * Means over windows chosen so that the result has a given size: along an axis of `length` cells, result `i` of `count`
 * covers `[⌊i·length/count⌋, ⌈(i + 1)·length/count⌉)`.
 * @param x `[batch, height, width, channels]`
 * @returns `[batch, outputSize[0], outputSize[1], channels]`
 * @throws ShapeError for an empty image. @throws InputError for a size below 1.
 * @example
 * const pooled = adaptiveAvgPool2d(x, { outputSize: 1 }); // [batch, 1, 1, channels]
 */
export function adaptiveAvgPool2d(x: Tensor, options: AdaptivePoolOptions): Tensor {
  return average("adaptiveAvgPool2d", x, 2, options);
}

/**
 * Means over windows of a volume; see {@link adaptiveAvgPool2d}.
 * @param x `[batch, depth, height, width, channels]`
 * @returns `[batch, ...outputSize, channels]`
 * @throws ShapeError for an empty volume. @throws InputError for a size below 1.
 */
export function adaptiveAvgPool3d(x: Tensor, options: AdaptivePoolOptions): Tensor {
  return average("adaptiveAvgPool3d", x, 3, options);
}

/** The input's cells of every adaptive window of one axis, all windows as long as the longest: the last cell repeats. */
function windowCells(length: number, count: number): { cells: Int32Array; window: number } {
  const starts = Array.from({ length: count }, (_, index) => Math.floor((index * length) / count));
  const ends = starts.map((_, index) => Math.ceil(((index + 1) * length) / count));
  const window = Math.max(...starts.map((start, index) => ends[index] - start));
  const cells = starts.flatMap((start, index) =>
    Array.from({ length: window }, (_, step) => Math.min(start + step, ends[index] - 1)),
  );
  return { cells: Int32Array.from(cells), window };
}

/** An input whose adaptive windows lie side by side, all of one size. */
interface SpreadWindows {
  /** `[batch, ...window · count, channels]` */
  readonly x: Tensor;
  readonly options: MaxPoolOptions;
  /** For each spatial axis the input's cell of each cell of `x`. */
  readonly cells: readonly Int32Array[];
}

function spreadWindows(
  operation: string,
  x: Tensor,
  axes: number,
  options: AdaptivePoolOptions,
): SpreadWindows {
  const sizes = outputSizes(operation, x, axes, options);
  const plans = sizes.map((count, axis) => windowCells(x.shape[axis + 1], count));
  const spread = plans.reduce(
    (y, { cells }, axis) =>
      cells.length === y.shape[axis + 1] ? y : gather(y, tensor(cells, [cells.length]), { axis: axis + 1 }),
    x,
  );
  return {
    x: spread,
    options: { kernelSize: plans.map(({ window }) => window) },
    cells: plans.map(({ cells }) => cells),
  };
}

type PoolWithIndices = (x: Tensor, options: MaxPoolOptions) => MaxPoolResult;

function maximaWithIndices(
  spread: SpreadWindows,
  inputSize: readonly number[],
  pool: PoolWithIndices,
): MaxPoolResult {
  const { values, indices } = pool(spread.x, spread.options);
  const places = spread.cells
    .map((cells) => Array.from(cells))
    .reduce((outer, cells, axis) =>
      outer.flatMap((row) => cells.map((cell) => row * inputSize[axis] + cell)),
    );
  const table = tensor(Int32Array.from(places), [places.length]);
  return { values, indices: noGrad(() => gather(table, indices)) };
}

/**
 * Maxima over windows of the length; see {@link adaptiveMaxPool2d}.
 * @param x `[batch, length, channels]`
 * @returns `[batch, outputSize, channels]`
 * @throws ShapeError for an empty sequence. @throws InputError for a size below 1.
 */
export function adaptiveMaxPool1d(x: Tensor, options: AdaptivePoolOptions): Tensor {
  return tidy(() => {
    const spread = spreadWindows("adaptiveMaxPool1d", x, 1, options);
    return maxPool1d(spread.x, spread.options);
  });
}

/**
 * Maxima over the windows of {@link adaptiveAvgPool2d}; the gradient goes to the first maximum.
 * @param x `[batch, height, width, channels]`
 * @returns `[batch, outputSize[0], outputSize[1], channels]`
 * @throws ShapeError for an empty image. @throws InputError for a size below 1.
 * @example
 * const largest = adaptiveMaxPool2d(x, { outputSize: [7, 7] });
 */
export function adaptiveMaxPool2d(x: Tensor, options: AdaptivePoolOptions): Tensor {
  return tidy(() => {
    const spread = spreadWindows("adaptiveMaxPool2d", x, 2, options);
    return maxPool2d(spread.x, spread.options);
  });
}

/**
 * Maxima over windows of a volume; see {@link adaptiveMaxPool2d}.
 * @param x `[batch, depth, height, width, channels]`
 * @returns `[batch, ...outputSize, channels]`
 * @throws ShapeError for an empty volume. @throws InputError for a size below 1.
 */
export function adaptiveMaxPool3d(x: Tensor, options: AdaptivePoolOptions): Tensor {
  return tidy(() => {
    const spread = spreadWindows("adaptiveMaxPool3d", x, 3, options);
    return maxPool3d(spread.x, spread.options);
  });
}

/**
 * {@link adaptiveMaxPool1d} with the place of each maximum, the first of equal ones.
 * @param x `[batch, length, channels]`
 * @returns `values` and `indices` `[batch, outputSize, channels]`
 * @throws ShapeError for an empty sequence. @throws InputError for a size below 1.
 */
export function adaptiveMaxPool1dWithIndices(x: Tensor, options: AdaptivePoolOptions): MaxPoolResult {
  return tidy(() =>
    maximaWithIndices(
      spreadWindows("adaptiveMaxPool1dWithIndices", x, 1, options),
      x.shape.slice(1, -1),
      maxPool1dWithIndices,
    ),
  );
}

/**
 * {@link adaptiveMaxPool2d} with the place of each maximum, the first of equal ones.
 * @param x `[batch, height, width, channels]`
 * @returns `values` and `indices` `[batch, outputSize[0], outputSize[1], channels]`
 * @throws ShapeError for an empty image. @throws InputError for a size below 1.
 */
export function adaptiveMaxPool2dWithIndices(x: Tensor, options: AdaptivePoolOptions): MaxPoolResult {
  return tidy(() =>
    maximaWithIndices(
      spreadWindows("adaptiveMaxPool2dWithIndices", x, 2, options),
      x.shape.slice(1, -1),
      maxPool2dWithIndices,
    ),
  );
}

/**
 * {@link adaptiveMaxPool3d} with the place of each maximum, the first of equal ones.
 * @param x `[batch, depth, height, width, channels]`
 * @returns `values` and `indices` `[batch, ...outputSize, channels]`
 * @throws ShapeError for an empty volume. @throws InputError for a size below 1.
 */
export function adaptiveMaxPool3dWithIndices(x: Tensor, options: AdaptivePoolOptions): MaxPoolResult {
  return tidy(() =>
    maximaWithIndices(
      spreadWindows("adaptiveMaxPool3dWithIndices", x, 3, options),
      x.shape.slice(1, -1),
      maxPool3dWithIndices,
    ),
  );
}
