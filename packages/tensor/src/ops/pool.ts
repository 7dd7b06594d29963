import type { Tensor } from "@tensorflow/tfjs-core";
import { assertOptions } from "../arguments.js";
import { DTypeError, InputError, ShapeError } from "../errors.js";
import { tidy } from "../memory.js";
import { formatShape } from "../shape.js";
import { tensor } from "../tensor.js";
import { mul } from "./arithmetic.js";
import {
  type AveragePoolAttributes,
  avgPoolForward,
  maxPoolForward,
  type PoolAttributes,
} from "./pool-kernels.js";
import { reshape } from "./shape-ops.js";
import { type PerAxis, perAxis } from "./window.js";

/** Options of every pooling. */
export interface PoolOptions {
  /** Cells of the window along each spatial axis. */
  readonly kernelSize: PerAxis;
  /** Step of the window. Default `kernelSize`. */
  readonly stride?: PerAxis;
  /** Cells around the input, at most half a window. Default 0. */
  readonly padding?: PerAxis;
  /** Let a last window that starts inside the input or its left padding reach beyond the end. Default false. */
  readonly ceilMode?: boolean;
}

/** Options of the maximum poolings. */
export interface MaxPoolOptions extends PoolOptions {
  /** Distance between the cells of a window. Default 1. */
  readonly dilation?: PerAxis;
}

/** Options of the average poolings. */
export interface AvgPoolOptions extends PoolOptions {
  /** Count the padding's zeros as cells of the window. Default true. */
  readonly countIncludePad?: boolean;
  /** Divide the sum of a window by this number instead of its cells. */
  readonly divisorOverride?: number;
}

/** Checks a pooling's arguments and expands them to one entry a spatial axis. @internal */
export function plan(operation: string, x: Tensor, axes: number, options: MaxPoolOptions): PoolAttributes {
  if (x?.shape?.length !== axes + 2)
    throw new ShapeError(`${operation}: expected x of rank ${axes + 2}, got ${formatShape(x?.shape ?? [])}`);
  if (x.dtype !== "float32")
    throw new DTypeError(`${operation}: expected float32, got ${x.dtype}; cast it first`);
  assertOptions(operation, options, ["kernelSize", "stride", "padding", "dilation", "ceilMode?"]);
  const { kernelSize, stride = kernelSize, padding = 0, dilation = 1, ceilMode = false } = options;
  const window = perAxis(operation, "kernelSize", kernelSize, axes);
  const strides = perAxis(operation, "stride", stride, axes);
  const cells = perAxis(operation, "padding", padding, axes, 0);
  const dilations = perAxis(operation, "dilation", dilation, axes);
  const inputSize = x.shape.slice(1, -1);
  const outputSize = inputSize.map((length, axis) => {
    const reach = dilations[axis] * (window[axis] - 1) + 1;
    if (cells[axis] > Math.floor(reach / 2))
      throw new InputError(
        `${operation}: expected padding of at most half the window, got ${cells[axis]} for ${window[axis]}`,
      );
    const room = (length + 2 * cells[axis] - reach) / strides[axis];
    const count = (ceilMode ? Math.ceil(room) : Math.floor(room)) + 1;
    // PyTorch: a window may not start in the right padding
    return ceilMode && (count - 1) * strides[axis] >= length + cells[axis] ? count - 1 : count;
  });
  if (outputSize.some((length) => length < 1))
    throw new ShapeError(
      `${operation}: expected a window that fits into ${formatShape(inputSize)}, got kernelSize ${window} and padding ${cells}`,
    );
  return { inputSize, outputSize, kernelSize: window, strides, padding: cells, dilations };
}

type Pool2d<Attributes extends PoolAttributes> = (x: Tensor, attributes: Attributes) => Tensor;

/** The windows of some of the axes of a plan, as a 2-D plan; a missing axis gets windows of one cell. @internal */
export function pick<Attributes extends PoolAttributes>(
  attributes: Attributes,
  axes: readonly [number, number],
): Attributes {
  const two = (list: readonly number[], missing: number): number[] =>
    axes.map((axis) => list[axis] ?? missing);
  return {
    ...attributes,
    inputSize: two(attributes.inputSize, 1),
    outputSize: two(attributes.outputSize, 1),
    kernelSize: two(attributes.kernelSize, 1),
    strides: two(attributes.strides, 1),
    padding: two(attributes.padding, 0),
    dilations: two(attributes.dilations, 1),
  };
}

/** Pools `[batch, length, channels]` as an image of one row. @internal */
export function pool1d<Attributes extends PoolAttributes>(
  x: Tensor,
  attributes: Attributes,
  pool: Pool2d<Attributes>,
): Tensor {
  return tidy(() => {
    const [batch, length, channels] = x.shape;
    const y = pool(reshape(x, [batch, 1, length, channels]), pick(attributes, [-1, 0]));
    return reshape(y, [batch, attributes.outputSize[0], channels]);
  });
}

/** Pools height and width of every slice, then depth: windows, means and first maxima are separable. */
function pool3d<Attributes extends PoolAttributes>(
  x: Tensor,
  attributes: Attributes,
  pool: Pool2d<Attributes>,
): Tensor {
  return tidy(() => {
    const [batch, depth, height, width, channels] = x.shape;
    const [outDepth, outHeight, outWidth] = attributes.outputSize;
    const slices = pool(reshape(x, [batch * depth, height, width, channels]), pick(attributes, [1, 2]));
    const columns = reshape(slices, [batch, depth, 1, outHeight * outWidth * channels]);
    const y = pool(columns, pick(attributes, [0, -1])); // [batch, outDepth, 1, outHeight · outWidth · channels]
    return reshape(y, [batch, outDepth, outHeight, outWidth, channels]);
  });
}

/**
 * Maximum over windows along the length. Padding counts as −∞; NaN in a window gives NaN; the gradient goes to the first maximum.
 * @param x `[batch, length, channels]`
 * @returns `[batch, outLength, channels]` with `outLength = ⌊(length + 2·padding − dilation·(kernelSize − 1) − 1) / stride⌋ + 1` (⌈ ⌉ with `ceilMode`).
 * @throws ShapeError when no window fits. @throws InputError for an option out of range.
 */
export function maxPool1d(x: Tensor, options: MaxPoolOptions): Tensor {
  return pool1d(x, plan("maxPool1d", x, 1, options), maxPoolForward);
}

/**
 * Maximum over windows of an image, like {@link maxPool1d}.
 * @param x `[batch, height, width, channels]`
 * @returns `[batch, outHeight, outWidth, channels]`
 * @throws ShapeError when no window fits. @throws InputError for an option out of range.
 * @example
 * const half = maxPool2d(x, { kernelSize: 2 });
 */
export function maxPool2d(x: Tensor, options: MaxPoolOptions): Tensor {
  return maxPoolForward(x, plan("maxPool2d", x, 2, options));
}

/**
 * Maximum over windows of a volume, like {@link maxPool1d}.
 * @param x `[batch, depth, height, width, channels]`
 * @returns `[batch, outDepth, outHeight, outWidth, channels]`
 * @throws ShapeError when no window fits. @throws InputError for an option out of range.
 */
export function maxPool3d(x: Tensor, options: MaxPoolOptions): Tensor {
  return pool3d(x, plan("maxPool3d", x, 3, options), maxPoolForward);
}

interface AveragePlan {
  readonly attributes: AveragePoolAttributes;
  readonly divisor: number | undefined;
}

function averagePlan(operation: string, x: Tensor, axes: number, options: AvgPoolOptions): AveragePlan {
  assertOptions(operation, options, [
    "kernelSize",
    "stride",
    "padding",
    "ceilMode?",
    "countIncludePad?",
    "divisorOverride",
  ]);
  const { countIncludePad = true, divisorOverride: divisor, ...rest } = options;
  if (divisor !== undefined && !(Number.isFinite(divisor) && divisor !== 0))
    throw new InputError(
      `${operation}: expected divisorOverride as a number other than 0, got ${String(divisor)}`,
    );
  const include = countIncludePad || divisor !== undefined;
  return { attributes: { ...plan(operation, x, axes, rest), countIncludePad: include }, divisor };
}

/** Means of windows that padding counts for, made sums over `divisor`. @param y `[batch, ...outputSize, channels]` */
function overrideDivisor(y: Tensor, { attributes, divisor }: AveragePlan): Tensor {
  if (divisor === undefined) return y;
  const { inputSize, outputSize, kernelSize, strides, padding } = attributes;
  const cells = outputSize
    .map((count, axis) =>
      Array.from({ length: count }, (_, index) => {
        const start = index * strides[axis] - padding[axis];
        return Math.min(start + kernelSize[axis], inputSize[axis] + padding[axis]) - start;
      }),
    )
    .reduce((outer, lengths) => outer.flatMap((area) => lengths.map((length) => area * length)));
  const factors = Float32Array.from(cells, (count) => count / divisor);
  return mul(y, tensor(factors, [...outputSize, 1]));
}

/**
 * Mean over windows along the length. A window counts its cells in the input and, with `countIncludePad`, the zeros of
 * the padding, but not what `ceilMode` lets it reach beyond.
 * @param x `[batch, length, channels]`
 * @returns `[batch, outLength, channels]` with `outLength = ⌊(length + 2·padding − kernelSize) / stride⌋ + 1` (⌈ ⌉ with `ceilMode`).
 * @throws ShapeError when no window fits. @throws InputError for an option out of range.
 */
export function avgPool1d(x: Tensor, options: AvgPoolOptions): Tensor {
  const averages = averagePlan("avgPool1d", x, 1, options);
  return tidy(() => overrideDivisor(pool1d(x, averages.attributes, avgPoolForward), averages));
}

/**
 * Mean over windows of an image, like {@link avgPool1d}.
 * @param x `[batch, height, width, channels]`
 * @returns `[batch, outHeight, outWidth, channels]`
 * @throws ShapeError when no window fits. @throws InputError for an option out of range.
 */
export function avgPool2d(x: Tensor, options: AvgPoolOptions): Tensor {
  const averages = averagePlan("avgPool2d", x, 2, options);
  return tidy(() => overrideDivisor(avgPoolForward(x, averages.attributes), averages));
}

/**
 * Mean over windows of a volume, like {@link avgPool1d}.
 * @param x `[batch, depth, height, width, channels]`
 * @returns `[batch, outDepth, outHeight, outWidth, channels]`
 * @throws ShapeError when no window fits. @throws InputError for an option out of range.
 */
export function avgPool3d(x: Tensor, options: AvgPoolOptions): Tensor {
  const averages = averagePlan("avgPool3d", x, 3, options);
  return tidy(() => overrideDivisor(pool3d(x, averages.attributes, avgPoolForward), averages));
}
