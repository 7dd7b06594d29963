import { WeightsError } from "../errors.js";
import { formatShape } from "../shape.js";

/** Elements that a view may repeat beyond what is stored (an expanded tensor): 16 MiB of float32. */
const MOST_REPEATED = 2 ** 22;

/** Elements of a shape. @throws WeightsError beyond 2⁵³, or when a size is negative or no integer. */
export function elementsOf(where: string, shape: readonly number[]): number {
  const count = shape.reduce((product, size) => product * BigInt(size), 1n);
  if (count > BigInt(Number.MAX_SAFE_INTEGER))
    throw new WeightsError(`${where}: expected a shape that a file can hold, got ${formatShape(shape)}`);
  return Number(count);
}

/** A view of stored elements: which there are, and how they are arranged. */
export interface StridedView {
  readonly shape: readonly number[];
  /** Elements from one index of an axis to the next, not negative. */
  readonly strides: readonly number[];
}

/**
 * How many elements a view spans, from its first to behind its last.
 * @throws WeightsError when it repeats elements so often that memory would be short.
 */
export function spanOf(where: string, { shape, strides }: StridedView): number {
  const count = elementsOf(where, shape);
  if (count === 0) return 0;
  const span = shape.reduce((sum, size, axis) => sum + BigInt(size - 1) * BigInt(strides[axis]), 1n);
  if (span > BigInt(Number.MAX_SAFE_INTEGER))
    throw new WeightsError(
      `${where}: expected strides inside a file, got ${formatShape(strides)} for ${formatShape(shape)}`,
    );
  if (BigInt(count) > span && count > MOST_REPEATED)
    throw new WeightsError(
      `${where}: expected a tensor that repeats its values up to ${MOST_REPEATED} elements, got ${formatShape(shape)} of ${span} stored ones; save a copy (clone) of it`,
    );
  return Number(span);
}

/** Strides of elements that lie one after the other, the last axis first. */
export function contiguousStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis];
  }
  return strides;
}

/** Whether a view is what {@link contiguousStrides} gives, whatever the strides of axes of size 1. */
export function isContiguous({ shape, strides }: StridedView): boolean {
  const expected = contiguousStrides(shape);
  return shape.includes(0) || shape.every((size, axis) => size === 1 || strides[axis] === expected[axis]);
}

/**
 * Copies a view into order.
 * @param bytes Of the elements that it spans.
 * @param size Bytes of an element.
 */
export function gatherView(bytes: Uint8Array, size: number, { shape, strides }: StridedView): Uint8Array {
  const count = shape.reduce((product, length) => product * length, 1);
  const output = new Uint8Array(count * size);
  const index = new Array<number>(shape.length).fill(0);
  let from = 0;
  for (let to = 0; to < output.length; to += size) {
    for (let byte = 0; byte < size; byte++) output[to + byte] = bytes[from + byte];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis] * size;
      if (++index[axis] < shape[axis]) break;
      from -= strides[axis] * shape[axis] * size;
      index[axis] = 0;
    }
  }
  return output;
}

/** Turns the bytes of each element around, in place: big-endian to little-endian. */
export function swapBytes(bytes: Uint8Array, size: number): Uint8Array {
  if (size > 1)
    for (let at = 0; at + size <= bytes.length; at += size) bytes.subarray(at, at + size).reverse();
  return bytes;
}
