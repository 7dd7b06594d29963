import type { Tensor } from "@tensorflow/tfjs-core";
import { assertList, assertOptions } from "../arguments.js";
import { hostValues } from "../backends/host/values.js";
import { asDType, type DType } from "../dtype.js";
import { DTypeError, InputError, KernelError, ShapeError } from "../errors.js";
import { tidy } from "../memory.js";
import { formatShape, normalizeAxis, type Shape, sizeOf } from "../shape.js";
import { full, onesLike, type TensorLike, zerosLike } from "../tensor.js";
import { add, div, floorDivide, maximum } from "./arithmetic.js";
import { assertTensor } from "./broadcast.js";
import { greater, where } from "./compare.js";
import {
  flattenIndicesKernel,
  gatherRows,
  oneHotKernel,
  scatterAlong,
  scatterRows,
  takeAlong,
} from "./indexing-kernels.js";
import { reshape } from "./shape-ops.js";
import { place, takeStrided } from "./slice.js";

function assertIndices(operation: string, indices: Tensor): void {
  if (indices?.dtype !== "int32")
    throw new DTypeError(`${operation}: expected int32 indices, got ${indices?.dtype}; cast them first`);
}

/** Throws for an index outside `[0, length)` where the host has the values. @internal */
export function assertInRange(operation: string, indices: Tensor, length: number): void {
  const values = hostValues(indices);
  if (values === undefined) return;
  for (let position = 0; position < values.length; position++)
    if (values[position] < 0 || values[position] >= length)
      throw outOfRange(operation, values[position], length, position);
}

function outOfRange(operation: string, index: number, length: number, position: number): KernelError {
  return new KernelError(
    `${operation}: expected indices in [0, ${length}), got ${index} at position ${position}; negative indices are not counted from the end`,
  );
}

/** Sizes before, at and after an axis, each as one number. */
function around(shape: Shape, axis: number): [number, number, number] {
  return [sizeOf(shape.slice(0, axis)), shape[axis], sizeOf(shape.slice(axis + 1))];
}

/** Options of {@link gather} and {@link indexAdd}. */
export interface GatherOptions {
  /** The axis that the indices name, negative counted from the end. Default 0. */
  readonly axis?: number;
}

/**
 * Picks entries along an axis: `y[…, i…, …] = x[…, indices[i…], …]` (`torch.index_select`, for indices of any rank).
 * The gradient adds up where an index repeats.
 * @param x `[...]` of any dtype.
 * @param indices `[...]` int32 in `[0, x.shape[axis])`.
 * @returns the shape of `x` with the shape of `indices` in place of `axis`.
 * @throws KernelError for an index out of range, negative ones included: here where the host has the indices, at the next read on a GPU.
 * @throws DTypeError when the indices are not int32.
 * @example
 * const vectors = gather(embedding, tokens); // [vocab, dim], [batch, length] → [batch, length, dim]
 */
export function gather(x: Tensor, indices: Tensor, options: GatherOptions = {}): Tensor {
  assertOptions("gather", options, ["axis"]);
  const { axis = 0 } = options;
  assertTensor("gather", x);
  assertIndices("gather", indices);
  const dimension = normalizeAxis("gather", axis, x.shape.length);
  const [outer, length, inner] = around(x.shape, dimension);
  assertInRange("gather", indices, length);
  return tidy(() => {
    const lines = reshape(x, [outer, length, inner]);
    const picked = gatherRows(lines, reshape(indices, [indices.size]), "gather"); // [outer, count, inner]
    const before = x.shape.slice(0, dimension);
    return reshape(picked, [...before, ...indices.shape, ...x.shape.slice(dimension + 1)]);
  });
}

/**
 * `x` with updates added along an axis: `y[…, indices[i], …] += updates[…, i, …]`; repeated indices add up (`torch.index_add`).
 * @param x `[...]` float32 or int32.
 * @param indices `[count]` int32 in `[0, x.shape[axis])`.
 * @param updates the shape of `x` with `count` at `axis`, dtype of `x`.
 * @returns the shape of `x`.
 * @throws KernelError for an index out of range (see {@link gather}). @throws ShapeError when `updates` does not fit. @throws DTypeError for other dtypes.
 */
export function indexAdd(x: Tensor, indices: Tensor, updates: Tensor, options: GatherOptions = {}): Tensor {
  assertOptions("indexAdd", options, ["axis"]);
  const { axis = 0 } = options;
  assertIndices("indexAdd", indices);
  assertSummable("indexAdd", x, updates);
  const dimension = normalizeAxis("indexAdd", axis, x.shape.length);
  const expected = x.shape.map((length, index) => (index === dimension ? indices.size : length));
  if (indices.shape.length !== 1 || formatShape(updates.shape) !== formatShape(expected))
    throw new ShapeError(
      `indexAdd: expected indices [count] and updates ${formatShape(expected)}, got ${formatShape(indices.shape)} and ${formatShape(updates.shape)}`,
    );
  const [outer, length, inner] = around(x.shape, dimension);
  assertInRange("indexAdd", indices, length);
  return tidy(() => {
    const added = scatterRows(reshape(updates, [outer, indices.size, inner]), indices, {
      length,
      operation: "indexAdd",
    });
    return add(x, reshape(added, x.shape));
  });
}

function assertSummable(operation: string, x: Tensor, updates: Tensor): void {
  for (const tensor of [x, updates]) assertTensor(operation, tensor);
  if (x.dtype !== updates.dtype || (x.dtype !== "float32" && x.dtype !== "int32"))
    throw new DTypeError(
      `${operation}: expected two float32 or two int32 tensors, got ${x.dtype} and ${updates.dtype}; cast first`,
    );
}

/** Options of {@link takeAlongAxis} and {@link scatterAdd}. */
export interface AlongAxisOptions {
  /** The axis that the indices name, negative counted from the end. */
  readonly axis: number;
}

/** Cuts a tensor to `shape` outside one axis, as `torch.gather` does with larger sources. */
function cropOutside(operation: string, x: Tensor, shape: Shape, axis: number, whole: boolean): Tensor {
  const size = x.shape.map((length, index) => (whole && index === axis ? length : shape[index]));
  if (x.shape.length !== shape.length || size.some((length, index) => length > x.shape[index]))
    throw new ShapeError(
      `${operation}: expected indices of the same rank and no longer on any other axis than ${formatShape(x.shape)}, got ${formatShape(shape)}`,
    );
  if (size.every((length, index) => length === x.shape[index])) return x;
  return takeStrided(x, { begin: size.map(() => 0), strides: size.map(() => 1), size });
}

/**
 * Picks an element for each index: for axis 1 of a matrix `y[i][j] = x[i][indices[i][j]]` (`torch.gather`).
 * @param x `[...]` of any dtype.
 * @param indices the rank of `x`, int32 in `[0, x.shape[axis])`; on other axes at most as long as `x`.
 * @returns the shape of `indices`.
 * @throws KernelError for an index out of range (see {@link gather}). @throws ShapeError when the shapes do not fit. @throws DTypeError when the indices are not int32.
 */
export function takeAlongAxis(x: Tensor, indices: Tensor, options: AlongAxisOptions): Tensor {
  assertOptions("takeAlongAxis", options, ["axis"]);
  const { axis } = options;
  assertTensor("takeAlongAxis", x);
  assertIndices("takeAlongAxis", indices);
  const dimension = normalizeAxis("takeAlongAxis", axis, x.shape.length);
  return tidy(() => {
    const source = cropOutside("takeAlongAxis", x, indices.shape, dimension, true);
    assertInRange("takeAlongAxis", indices, x.shape[dimension]);
    const taken = takeAlong(
      reshape(source, around(source.shape, dimension)),
      reshape(indices, around(indices.shape, dimension)),
      "takeAlongAxis",
    ); // [outer, count, inner]
    return reshape(taken, indices.shape);
  });
}

/**
 * `x` with an update added for each index: for axis 1 of a matrix `y[i][indices[i][j]] += updates[i][j]`
 * (`torch.scatter_add`); repeated indices add up.
 * @param x `[...]` float32 or int32.
 * @param indices the rank of `x`, int32 in `[0, x.shape[axis])`; on other axes at most as long as `x`.
 * @param updates at least as long as `indices` on every axis, dtype of `x`.
 * @returns the shape of `x`.
 * @throws KernelError for an index out of range (see {@link gather}). @throws ShapeError when the shapes do not fit. @throws DTypeError for other dtypes.
 */
export function scatterAdd(x: Tensor, indices: Tensor, updates: Tensor, options: AlongAxisOptions): Tensor {
  assertOptions("scatterAdd", options, ["axis"]);
  return added("scatterAdd", x, indices, { updates, axis: options.axis });
}

/** {@link scatterAdd} of the named operation. */
function added(
  operation: string,
  x: Tensor,
  indices: Tensor,
  { updates, axis }: AlongAxisOptions & { readonly updates: Tensor },
): Tensor {
  assertIndices(operation, indices);
  assertSummable(operation, x, updates);
  const dimension = normalizeAxis(operation, axis, x.shape.length);
  return tidy(() => {
    const source = cropOutside(operation, updates, indices.shape, dimension, false);
    const region = x.shape.map((length, index) => (index === dimension ? length : indices.shape[index]));
    if (indices.shape.length !== x.shape.length || region.some((length, index) => length > x.shape[index]))
      throw new ShapeError(
        `${operation}: expected indices of the rank of ${formatShape(x.shape)} and no longer on other axes, got ${formatShape(indices.shape)}`,
      );
    assertInRange(operation, indices, x.shape[dimension]);
    const sums = scatterAlong(
      reshape(source, around(source.shape, dimension)),
      reshape(indices, around(indices.shape, dimension)),
      { length: x.shape[dimension], operation },
    ); // [outer, length, inner]
    const within = reshape(sums, region);
    if (formatShape(region) === formatShape(x.shape)) return add(x, within);
    const corner = { begin: region.map(() => 0), strides: region.map(() => 1) };
    return add(x, place(within, { shape: x.shape, ...corner, value: 0 }));
  });
}

/**
 * `x` with an update in place of an element for each index: for axis 1 of a matrix `y[i][indices[i][j]] = updates[i][j]`
 * (`torch.scatter`). An element that several indices name, which PyTorch leaves undefined, gets their mean.
 * @param x `[...]` float32 or int32.
 * @param indices the rank of `x`, int32 in `[0, x.shape[axis])`; on other axes at most as long as `x`.
 * @param updates at least as long as `indices` on every axis, dtype of `x`; or one number for all.
 * @returns the shape of `x`.
 * @throws KernelError for an index out of range (see {@link gather}). @throws ShapeError when the shapes do not fit. @throws DTypeError for other dtypes.
 * @example
 * const kept = scatter(zerosLike(scores), topK(scores, 2).indices, 1, { axis: -1 }); // 1 for the best two
 */
export function scatter(x: Tensor, indices: Tensor, updates: TensorLike, options: AlongAxisOptions): Tensor {
  assertOptions("scatter", options, ["axis"]);
  const { axis } = options;
  assertIndices("scatter", indices);
  assertTensor("scatter", x);
  return tidy(() => {
    const given = typeof updates === "number" ? full(indices.shape, updates, x.dtype as DType) : updates;
    assertSummable("scatter", x, given);
    const none = zerosLike(x);
    const sums = added("scatter", none, indices, { updates: given, axis });
    const counts = added("scatter", none, indices, { updates: onesLike(given), axis });
    const several = maximum(counts, 1);
    const means = x.dtype === "int32" ? floorDivide(sums, several) : div(sums, several);
    return where(greater(counts, 0), means, x);
  });
}

/** Positions in a tensor of sizes `dims` from coordinates in the last axis of `indices`. @returns `[count]` */
function flattenIndices(operation: string, indices: Tensor, dims: number[]): Tensor {
  const depth = dims.length;
  const values = hostValues(indices);
  if (values !== undefined)
    for (let position = 0; position < values.length; position++) {
      const length = dims[position % depth];
      if (values[position] < 0 || values[position] >= length)
        throw outOfRange(operation, values[position], length, position);
    }
  return flattenIndicesKernel(
    { indices: reshape(indices, [sizeOf(indices.shape.slice(0, -1)), depth]) },
    { dims, operation },
  );
}

function assertCoordinates(operation: string, indices: Tensor, shape: Shape): number {
  assertIndices(operation, indices);
  const depth = indices.shape[indices.shape.length - 1];
  if (indices.shape.length === 0 || depth > shape.length)
    throw new ShapeError(
      `${operation}: expected indices [..., depth] with depth at most ${shape.length} for ${formatShape(shape)}, got ${formatShape(indices.shape)}`,
    );
  return depth;
}

/**
 * Picks by coordinates: `y[i…] = x[indices[i…][0], indices[i…][1], …]`.
 * @param x `[...]` of any dtype.
 * @param indices `[..., depth]` int32, each coordinate inside its axis of `x`; depth at most the rank of `x`.
 * @returns `[...indices.shape without depth, ...x.shape from axis depth on]`
 * @throws KernelError for a coordinate out of range (see {@link gather}).
 * @throws ShapeError for too many coordinates. @throws DTypeError when the indices are not int32.
 */
export function gatherNd(x: Tensor, indices: Tensor): Tensor {
  assertTensor("gatherNd", x);
  const depth = assertCoordinates("gatherNd", indices, x.shape);
  const dims = x.shape.slice(0, depth);
  return tidy(() => {
    const rows = reshape(x, [1, sizeOf(dims), sizeOf(x.shape.slice(depth))]);
    const picked = gatherRows(rows, flattenIndices("gatherNd", indices, dims), "gatherNd"); // [1, count, inner]
    return reshape(picked, [...indices.shape.slice(0, -1), ...x.shape.slice(depth)]);
  });
}

/**
 * Zeros with updates added at coordinates: `y[indices[i…]] += updates[i…]`; coordinates that repeat add up.
 * @param indices `[..., depth]` int32, each coordinate inside its axis of `shape`.
 * @param updates `[...indices.shape without depth, ...shape from axis depth on]` float32 or int32.
 * @returns `shape`
 * @throws KernelError for a coordinate out of range (see {@link gather}).
 * @throws ShapeError when the shapes do not fit. @throws DTypeError for other dtypes.
 */
export function scatterNd(indices: Tensor, updates: Tensor, shape: Shape): Tensor {
  assertSummable("scatterNd", updates, updates);
  assertList("scatterNd", "a shape", shape);
  const depth = assertCoordinates("scatterNd", indices, shape);
  const dims = shape.slice(0, depth);
  const count = sizeOf(indices.shape.slice(0, -1));
  const expected = [...indices.shape.slice(0, -1), ...shape.slice(depth)];
  if (formatShape(expected) !== formatShape(updates.shape))
    throw new ShapeError(
      `scatterNd: expected updates ${formatShape(expected)}, got ${formatShape(updates.shape)}`,
    );
  return tidy(() => {
    const rows = reshape(updates, [1, count, sizeOf(shape.slice(depth))]);
    const positions = flattenIndices("scatterNd", indices, dims);
    return reshape(scatterRows(rows, positions, { length: sizeOf(dims), operation: "scatterNd" }), shape);
  });
}

/** Options of {@link oneHot}. */
export interface OneHotOptions {
  /** Of the result. Default float32. */
  readonly dtype?: DType;
}

/**
 * A 1 at each index and 0 elsewhere.
 * @param indices `[...]` int32 in `[0, depth)`.
 * @param depth Number of classes.
 * @returns `[..., depth]`
 * @throws KernelError for an index out of range (see {@link gather}). @throws InputError for a depth that is not a size.
 */
export function oneHot(indices: Tensor, depth: number, options: OneHotOptions = {}): Tensor {
  assertOptions("oneHot", options, ["dtype"]);
  const { dtype = "float32" } = options;
  assertIndices("oneHot", indices);
  asDType("oneHot", dtype);
  if (!Number.isInteger(depth) || depth < 0)
    throw new InputError(`oneHot: expected a depth of at least 0, got ${depth}`);
  assertInRange("oneHot", indices, depth);
  return tidy(() => {
    const rows = oneHotKernel({ indices: reshape(indices, [indices.size]) }, { depth, dtype }); // [count, depth]
    return reshape(rows, [...indices.shape, depth]);
  });
}
