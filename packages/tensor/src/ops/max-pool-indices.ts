import type { Tensor } from "@tensorflow/tfjs-core";
import { assertList, assertOptions } from "../arguments.js";
import { noGrad, stopGradient } from "../autograd.js";
import { DTypeError, InputError, ShapeError } from "../errors.js";
import { tidy } from "../memory.js";
import { formatShape, sizeOf } from "../shape.js";
import { ones } from "../tensor.js";
import { add, div, maximum, mul, sub } from "./arithmetic.js";
import { assertInRange } from "./indexing.js";
import { scatterAlong, takeAlong } from "./indexing-kernels.js";
import { type MaxPoolOptions, pick, plan, pool1d } from "./pool.js";
import { maxPoolForward, maxPoolIndices, type PoolAttributes } from "./pool-kernels.js";
import { reshape } from "./shape-ops.js";
import { type PerAxis, perAxis } from "./window.js";

/** Maxima and where they were. */
export interface MaxPoolResult {
  /** `[batch, ...outputSize, channels]` */
  readonly values: Tensor;
  /** The same shape, int32: the cell of each maximum, counted row by row over the spatial axes of one channel, as PyTorch counts. */
  readonly indices: Tensor;
}

/**
 * {@link maxPool1d} with the place of each maximum, the first of equal ones.
 * @param x `[batch, length, channels]`
 * @returns `values` and `indices` `[batch, outLength, channels]`
 * @throws ShapeError when no window fits. @throws InputError for an option out of range.
 */
export function maxPool1dWithIndices(x: Tensor, options: MaxPoolOptions): MaxPoolResult {
  const attributes = plan("maxPool1dWithIndices", x, 1, options);
  return {
    values: pool1d(x, attributes, maxPoolForward),
    indices: noGrad(() => pool1d(x, attributes, maxPoolIndices)),
  };
}

/**
 * {@link maxPool2d} with the place of each maximum, the first of equal ones.
 * @param x `[batch, height, width, channels]`
 * @returns `values` and `indices` `[batch, outHeight, outWidth, channels]`; an index is `row · width + column`.
 * @throws ShapeError when no window fits. @throws InputError for an option out of range.
 * @example
 * const { values, indices } = maxPool2dWithIndices(x, { kernelSize: 2 });
 * const sparse = maxUnpool2d(values, indices, { kernelSize: 2 }); // the maxima where they were, zeros elsewhere
 */
export function maxPool2dWithIndices(x: Tensor, options: MaxPoolOptions): MaxPoolResult {
  const attributes = plan("maxPool2dWithIndices", x, 2, options);
  return { values: maxPoolForward(x, attributes), indices: noGrad(() => maxPoolIndices(x, attributes)) };
}

/**
 * {@link maxPool3d} with the place of each maximum, the first of equal ones.
 * @param x `[batch, depth, height, width, channels]`
 * @returns `values` and `indices` `[batch, outDepth, outHeight, outWidth, channels]`; an index is
 * `(slice · height + row) · width + column`.
 * @throws ShapeError when no window fits. @throws InputError for an option out of range.
 */
export function maxPool3dWithIndices(x: Tensor, options: MaxPoolOptions): MaxPoolResult {
  return maxima3d(x, plan("maxPool3dWithIndices", x, 3, options));
}

/** Height and width of every slice first, then depth: first maxima are separable. */
function maxima3d(x: Tensor, attributes: PoolAttributes): MaxPoolResult {
  return tidy(() => {
    const [batch, depth, height, width, channels] = x.shape;
    const [outDepth, outHeight, outWidth] = attributes.outputSize;
    const outShape = [batch, outDepth, outHeight, outWidth, channels];
    const lines = outHeight * outWidth * channels;
    const [within, across] = [pick(attributes, [1, 2]), pick(attributes, [0, -1])];
    const slices = reshape(x, [batch * depth, height, width, channels]);
    const columns = reshape(maxPoolForward(slices, within), [batch, depth, 1, lines]);
    const values = reshape(maxPoolForward(columns, across), outShape);
    const indices = noGrad(() => {
      const cells = reshape(maxPoolIndices(slices, within), [batch, depth, lines]);
      const slice = reshape(maxPoolIndices(columns, across), [batch, outDepth, lines]);
      const taken = takeAlong(cells, slice, "maxPool3dWithIndices"); // [batch, outDepth, lines]
      return reshape(add(mul(slice, height * width), taken), outShape);
    });
    return { values, indices };
  });
}

/** Options of {@link maxUnpool2d}: those of the pooling that it reverses. */
export interface MaxUnpoolOptions {
  /** Cells of the window along each spatial axis. */
  readonly kernelSize: PerAxis;
  /** Step of the window. Default `kernelSize`. */
  readonly stride?: PerAxis;
  /** Cells around the input. Default 0. */
  readonly padding?: PerAxis;
  /**
   * Spatial size of the result, less than one stride from the default `(length − 1)·stride − 2·padding + kernelSize`:
   * several inputs pool to one size.
   */
  readonly outputSize?: readonly number[];
}

/**
 * Reverses max pooling along the length; see {@link maxUnpool2d}.
 * @param x `[batch, length, channels]`
 * @param indices `[batch, length, channels]` int32, of {@link maxPool1dWithIndices}
 * @returns `[batch, outLength, channels]`
 * @throws KernelError for an index out of range. @throws ShapeError or InputError for what does not fit.
 */
export function maxUnpool1d(x: Tensor, indices: Tensor, options: MaxUnpoolOptions): Tensor {
  return unpool("maxUnpool1d", x, indices, { axes: 1, options });
}

/**
 * Puts each value where its index says, zeros elsewhere. A place that several values name, which PyTorch leaves
 * undefined, gets their mean: what overlapping windows give, as their values are one.
 * @param x `[batch, height, width, channels]`
 * @param indices the shape of `x`, int32, of {@link maxPool2dWithIndices}
 * @returns `[batch, outHeight, outWidth, channels]` with `(length − 1)·stride − 2·padding + kernelSize` or `outputSize`.
 * @throws KernelError for an index out of range (at the next read on a GPU). @throws ShapeError or InputError for what does not fit.
 */
export function maxUnpool2d(x: Tensor, indices: Tensor, options: MaxUnpoolOptions): Tensor {
  return unpool("maxUnpool2d", x, indices, { axes: 2, options });
}

/**
 * Reverses max pooling of volumes; see {@link maxUnpool2d}.
 * @param x `[batch, depth, height, width, channels]`
 * @param indices `[batch, depth, height, width, channels]` int32, of {@link maxPool3dWithIndices}
 * @returns `[batch, outDepth, outHeight, outWidth, channels]`
 * @throws KernelError for an index out of range. @throws ShapeError or InputError for what does not fit.
 */
export function maxUnpool3d(x: Tensor, indices: Tensor, options: MaxUnpoolOptions): Tensor {
  return unpool("maxUnpool3d", x, indices, { axes: 3, options });
}

function unpool(
  operation: string,
  x: Tensor,
  indices: Tensor,
  { axes, options }: { readonly axes: number; readonly options: MaxUnpoolOptions },
): Tensor {
  if (x?.shape?.length !== axes + 2 || formatShape(indices?.shape ?? []) !== formatShape(x.shape))
    throw new ShapeError(
      `${operation}: expected x of rank ${axes + 2} and indices of its shape, got ${formatShape(x?.shape ?? [])} and ${formatShape(indices?.shape ?? [])}`,
    );
  if (x.dtype !== "float32" || indices.dtype !== "int32")
    throw new DTypeError(
      `${operation}: expected x float32 and indices int32, got ${x.dtype} and ${indices.dtype}; cast them first`,
    );
  const size = unpooledSize(operation, x.shape.slice(1, -1), options);
  const [batch, channels] = [x.shape[0], x.shape[axes + 1]];
  const length = sizeOf(size);
  assertInRange(operation, indices, length);
  return tidy(() => {
    const places = reshape(indices, [batch, -1, channels]);
    const scatter = (updates: Tensor): Tensor => scatterAlong(updates, places, { length, operation });
    const sums = scatter(reshape(x, [batch, -1, channels])); // [batch, cells, channels]
    const values = noGrad(() => div(sums, maximum(scatter(ones(places.shape)), 1)));
    // the value of a mean, the gradient of a plain read: each of several values gets all of it, as in PyTorch
    const unpooled = sub(sums, stopGradient(sub(sums, values)));
    return reshape(unpooled, [batch, ...size, channels]);
  });
}

function unpooledSize(operation: string, inputSize: number[], options: MaxUnpoolOptions): number[] {
  assertOptions(operation, options, ["kernelSize", "stride", "padding", "outputSize"]);
  const axes = inputSize.length;
  const { kernelSize, stride = kernelSize, padding = 0, outputSize } = options;
  const window = perAxis(operation, "kernelSize", kernelSize, axes);
  const strides = perAxis(operation, "stride", stride, axes);
  const cells = perAxis(operation, "padding", padding, axes, 0);
  const expected = inputSize.map(
    (length, axis) => (length - 1) * strides[axis] - 2 * cells[axis] + window[axis],
  );
  if (outputSize === undefined) return expected;
  assertList(operation, "outputSize", outputSize);
  if (
    outputSize.length !== axes ||
    !outputSize.every(
      (length, axis) => Number.isInteger(length) && Math.abs(length - expected[axis]) < strides[axis],
    )
  )
    throw new InputError(
      `${operation}: expected outputSize within a stride of ${formatShape(expected)}, got ${formatShape(outputSize)}`,
    );
  return [...outputSize];
}
