import type { Tensor } from "@tensorflow/tfjs-core";
import { assertOptions, assertTensors } from "../arguments.js";
import { InputError, ShapeError } from "../errors.js";
import { tidy } from "../memory.js";
import { formatShape, normalizeAxis, sizeOf } from "../shape.js";
import { fromValues } from "../tensor.js";
import { alias, assertTensor, expandTo } from "./broadcast.js";
import { gather } from "./indexing.js";
import { expandDims, reshape, transpose } from "./shape-ops.js";
import { place, takeStrided } from "./slice.js";

/** Options of {@link repeatInterleave}. */
export interface RepeatInterleaveOptions {
  /** The axis whose entries are repeated, negative counted from the end. Default: of the flattened tensor. */
  readonly axis?: number;
}

/**
 * Each entry of an axis several times in a row (`torch.repeat_interleave`): `[a, b]` by 2 is `[a, a, b, b]`, where `tile`
 * gives `[a, b, a, b]`.
 * @param x `[...]` of any dtype. @param repeats how often each, or one number an entry.
 * @returns the shape of `x` with the axis longer; `[count]` without an axis.
 * @throws InputError for repeats that are no whole numbers of at least 0, or not one an entry.
 * @example
 * const keys = repeatInterleave(grouped, 4, { axis: 1 }); // [batch, 2, length, headDim] → [batch, 8, length, headDim]
 */
export function repeatInterleave(
  x: Tensor,
  repeats: number | readonly number[],
  options: RepeatInterleaveOptions = {},
): Tensor {
  const operation = "repeatInterleave";
  assertTensor(operation, x);
  assertOptions(operation, options, ["axis"]);
  return tidy(() => {
    const flat = options.axis === undefined;
    const whole = flat ? reshape(x, [x.size]) : x;
    const axis = flat ? 0 : normalizeAxis(operation, options.axis as number, x.shape.length);
    const length = whole.shape[axis] as number;
    const counts = [repeats].flat();
    if (
      !counts.every((count) => Number.isInteger(count) && count >= 0) ||
      (typeof repeats !== "number" && counts.length !== length)
    )
      throw new InputError(
        `${operation}: expected a whole number of repeats, or ${length} of them, got ${JSON.stringify(repeats)}`,
      );
    if (typeof repeats !== "number") {
      const indices = Int32Array.from(counts.flatMap((count, index) => new Array<number>(count).fill(index)));
      return gather(whole, fromValues(indices, [indices.length], "int32"), { axis });
    }
    const apart = expandDims(whole, axis + 1); // [..., length, 1, ...]
    const wide = expandTo(
      apart,
      apart.shape.map((size, index) => (index === axis + 1 ? repeats : size)),
    ); // [..., length, repeats, ...]
    return reshape(
      wide,
      whole.shape.map((size, index) => (index === axis ? size * repeats : size)),
    );
  });
}

/** Options of {@link diagonal}. */
export interface DiagonalOptions {
  /** Which diagonal: 0 (default) the main one, above 0 those to its right, below 0 to its left. */
  readonly offset?: number;
  /** The axes of rows and columns, negative counted from the end. Default `[0, 1]`, as in PyTorch. */
  readonly axes?: readonly [number, number];
}

/**
 * The diagonal of matrices (`torch.diagonal`).
 * @param x `[...]` of rank at least 2, any dtype.
 * @returns `[..., length]`: the other axes, then the diagonal.
 * @throws InputError for axes that are out of range or one, or an offset that is not whole.
 * @example
 * const traces = sum(diagonal(matrices, { axes: [-2, -1] }), { axes: -1 }); // [batch, n, n] → [batch]
 */
export function diagonal(x: Tensor, options: DiagonalOptions = {}): Tensor {
  const operation = "diagonal";
  assertTensor(operation, x);
  assertOptions(operation, options, ["offset", "axes"]);
  const { offset = 0, axes = [0, 1] } = options;
  const [row, column] = [axes[0], axes[1]].map((axis) => normalizeAxis(operation, axis, x.shape.length));
  assertOffset(operation, offset);
  if (row === column) throw new InputError(`${operation}: expected two axes, got ${row} twice`);
  const others = x.shape.flatMap((_, axis) => (axis === row || axis === column ? [] : [axis]));
  const [rows, columns] = [x.shape[row], x.shape[column]] as [number, number];
  const outer = others.map((axis) => x.shape[axis] as number);
  const length = Math.max(0, Math.min(rows, columns, rows + offset, columns - offset));
  return tidy(() => {
    const matrices = reshape(transpose(x, [...others, row, column]), [sizeOf(outer), rows * columns]);
    const picked = takeStrided(matrices, {
      begin: [0, length === 0 ? 0 : startOf(offset, columns)],
      strides: [1, columns + 1],
      size: [sizeOf(outer), length],
    });
    return reshape(picked, [...outer, length]);
  });
}

/**
 * Square matrices with the last axis on a diagonal, 0 elsewhere (`torch.diag_embed`).
 * @param x `[..., length]` of any dtype.
 * @returns `[..., length + |offset|, length + |offset|]`
 * @throws ShapeError for a scalar. @throws InputError for an offset that is not whole.
 */
export function diagEmbed(x: Tensor, options: { readonly offset?: number } = {}): Tensor {
  const operation = "diagEmbed";
  assertTensor(operation, x);
  assertOptions(operation, options, ["offset"]);
  const { offset = 0 } = options;
  assertOffset(operation, offset);
  if (x.shape.length === 0)
    throw new ShapeError(`${operation}: expected vectors [..., length], got ${formatShape(x.shape)}`);
  const outer = x.shape.slice(0, -1);
  const length = x.shape[x.shape.length - 1] as number;
  const size = length + Math.abs(offset);
  return tidy(() => {
    const placed = place(reshape(x, [sizeOf(outer), length]), {
      shape: [sizeOf(outer), size * size],
      begin: [0, length === 0 ? 0 : startOf(offset, size)],
      strides: [1, size + 1],
      value: 0,
    });
    return reshape(placed, [...outer, size, size]);
  });
}

/** Where a diagonal begins in a matrix that is laid out row by row. */
function startOf(offset: number, columns: number): number {
  return offset >= 0 ? offset : -offset * columns;
}

function assertOffset(operation: string, offset: number): void {
  if (!Number.isInteger(offset))
    throw new InputError(`${operation}: expected a whole offset, got ${String(offset)}`);
}

/** Options of {@link meshgrid}. */
export interface MeshgridOptions {
  /** `"ij"` (default, as in PyTorch): the first vector along the first axis; `"xy"`: the first two the other way round. */
  readonly indexing?: "ij" | "xy";
}

/**
 * Coordinates of a grid (`torch.meshgrid`): each vector along an axis of its own.
 * @param vectors `[length]` each, or scalars; any dtype.
 * @returns one `[length₀, length₁, …]` a vector; yours to dispose.
 * @throws ShapeError for another rank. @throws InputError for no vectors or another indexing.
 * @example
 * const [rows, columns] = meshgrid([arange(0, height), arange(0, width)]); // [height, width] each
 */
export function meshgrid(vectors: readonly Tensor[], options: MeshgridOptions = {}): Tensor[] {
  const operation = "meshgrid";
  assertTensors(operation, "vectors", vectors);
  assertOptions(operation, options, ["indexing"]);
  const { indexing = "ij" } = options;
  if (indexing !== "ij" && indexing !== "xy")
    throw new InputError(`${operation}: expected indexing ij or xy, got ${String(indexing)}`);
  if (vectors.length === 0) throw new InputError(`${operation}: expected at least one vector, got none`);
  const wrong = vectors.find(({ shape }) => shape.length > 1);
  if (wrong !== undefined)
    throw new ShapeError(`${operation}: expected vectors [length], got ${formatShape(wrong.shape)}`);
  const order = vectors.map((_, axis) => axis);
  if (indexing === "xy" && order.length > 1) order.splice(0, 2, 1, 0);
  const shape = order.map((vector) => vectors[vector].size);
  return tidy(() =>
    vectors.map((vector, index) => {
      const along = order.map((each) => (each === index ? vector.size : 1));
      return alias(expandTo(reshape(vector, along), shape));
    }),
  );
}
