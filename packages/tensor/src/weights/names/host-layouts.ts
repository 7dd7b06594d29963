import { type Shape, sizeOf } from "../../shape.js";
import type { HostEntry } from "../dtypes.js";

export type HostValues = HostEntry["values"];

/** New values of the same kind. */
export function emptyLike(values: HostValues, length: number): HostValues {
  if (values instanceof Float32Array) return new Float32Array(length);
  if (values instanceof Int32Array) return new Int32Array(length);
  return values instanceof BigInt64Array ? new BigInt64Array(length) : new Uint8Array(length);
}

/** Copies `count` values; both sides are of one kind. */
function copy(target: HostValues, at: number, source: HostValues, from: number, count: number): void {
  (target as Float32Array).set((source as Float32Array).subarray(from, from + count), at);
}

/**
 * Reorders axes.
 * @param values `shape`, row-major
 * @returns values of `permutation.map((axis) => shape[axis])`; the same ones when nothing moves
 */
export function permuteHost(values: HostValues, shape: Shape, permutation: readonly number[]): HostValues {
  const moving = permutation.filter((axis) => shape[axis] !== 1);
  if (values.length === 0 || moving.every((axis, index) => index === 0 || moving[index - 1] < axis))
    return values;
  const strides = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
  const result = emptyLike(values, values.length);
  let next = 0;
  const visit = (depth: number, offset: number): void => {
    const axis = moving[depth];
    const stride = strides[axis];
    if (depth === moving.length - 1 && stride === 1) {
      copy(result, next, values, offset, shape[axis]);
      next += shape[axis];
      return;
    }
    for (let index = 0; index < shape[axis]; index++) {
      if (depth === moving.length - 1) result[next++] = values[offset + index * stride];
      else visit(depth + 1, offset + index * stride);
    }
  };
  visit(0, 0);
  return result;
}

/** Values side by side along an axis. @param parts each `[…, length of its own, …]`, else of one shape */
export function joinHost(parts: readonly Pick<HostEntry, "shape" | "values">[], axis: number): HostValues {
  const outer = sizeOf(parts[0].shape.slice(0, axis));
  const result = emptyLike(
    parts[0].values,
    parts.reduce((sum, { values }) => sum + values.length, 0),
  );
  let next = 0;
  for (let row = 0; row < outer; row++)
    for (const { shape, values } of parts) {
      const count = sizeOf(shape.slice(axis));
      copy(result, next, values, row * count, count);
      next += count;
    }
  return result;
}

/** A range along an axis. */
export function sliceHost(
  values: HostValues,
  shape: Shape,
  range: { axis: number; start: number; length: number },
): HostValues {
  const { axis, start, length } = range;
  const outer = sizeOf(shape.slice(0, axis));
  const inner = sizeOf(shape.slice(axis + 1));
  const result = emptyLike(values, outer * length * inner);
  for (let row = 0; row < outer; row++)
    copy(result, row * length * inner, values, (row * shape[axis] + start) * inner, length * inner);
  return result;
}

/** Euclidean norms over all axes but one, summed in double precision. @returns `[length of the axis]` */
export function normsHost(values: Float32Array, shape: Shape, axis: number): Float64Array {
  const inner = sizeOf(shape.slice(axis + 1));
  const sums = new Float64Array(shape[axis]);
  for (let index = 0; index < values.length; index++)
    sums[Math.floor(index / inner) % shape[axis]] += values[index] ** 2;
  return sums.map(Math.sqrt);
}

/** `g · v / ‖v‖` along an axis. @param g one number for each index of the axis */
export function weightNormHost(g: Float32Array, v: Float32Array, shape: Shape, axis: number): Float32Array {
  const inner = sizeOf(shape.slice(axis + 1));
  const norms = normsHost(v, shape, axis);
  return v.map((value, index) => {
    const at = Math.floor(index / inner) % shape[axis];
    return (value * g[at]) / norms[at];
  });
}
