import { InputError, ShapeError } from "./errors.js";

/** Sizes of a tensor's axes; `[]` is a scalar. */
export type Shape = readonly number[];

/** Number of elements: the product of the sizes, 1 for a scalar. */
export function sizeOf(shape: Shape): number {
  let size = 1;
  for (const length of shape) size *= length;
  return size;
}

/** Whether two shapes are the same. */
export function sameShape(a: Shape, b: Shape): boolean {
  if (a.length !== b.length) return false;
  for (let axis = 0; axis < a.length; axis++) if (a[axis] !== b[axis]) return false;
  return true;
}

/** `[2, 3]` as text, for errors. */
export function formatShape(shape: Shape): string {
  return `[${shape.join(", ")}]`;
}

/** Row-major strides in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis];
  }
  return strides;
}

/**
 * Turns a possibly negative axis into `0 … rank − 1`.
 * @throws InputError when it is not an integer in `[−rank, rank)`.
 */
export function normalizeAxis(operation: string, axis: number, rank: number): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank)
    throw new InputError(`${operation}: expected an axis in [${-rank}, ${rank}), got ${axis}`);
  return axis < 0 ? axis + rank : axis;
}

/**
 * Sorted, non-negative, distinct axes; all axes when none are given.
 * @throws InputError for an axis out of range or named twice.
 */
export function normalizeAxes(
  operation: string,
  axes: number | readonly number[] | undefined,
  rank: number,
): number[] {
  if (axes === undefined) return Array.from({ length: rank }, (_, axis) => axis);
  if (typeof axes !== "number" && !Array.isArray(axes))
    throw new InputError(
      `${operation}: expected an axis or an array of axes, got ${axes === null ? "null" : typeof axes}`,
    );
  const list = (typeof axes === "number" ? [axes] : [...axes]).map((axis) =>
    normalizeAxis(operation, axis, rank),
  );
  if (new Set(list).size !== list.length)
    throw new InputError(`${operation}: expected distinct axes, got [${[axes].flat().join(", ")}]`);
  return list.sort((a, b) => a - b);
}

/**
 * The shape that two shapes broadcast to, NumPy's rule.
 * @throws ShapeError when two sizes differ and neither is 1.
 */
export function broadcastShapes(operation: string, a: Shape, b: Shape): number[] {
  const rank = Math.max(a.length, b.length);
  const result = new Array<number>(rank);
  for (let axis = 0; axis < rank; axis++) {
    const first = a[a.length - rank + axis] ?? 1;
    const second = b[b.length - rank + axis] ?? 1;
    if (first !== second && first !== 1 && second !== 1)
      throw new ShapeError(
        `${operation}: expected shapes that broadcast, got ${formatShape(a)} and ${formatShape(b)}`,
      );
    result[axis] = first === 1 ? second : first;
  }
  return result;
}
