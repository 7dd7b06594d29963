import { broadcastShapes, sizeOf } from "../../../shape.js";
import type { WasmBackend } from "../backend.js";

/** Most axes that a walk in wasm/strided.ts has. */
export const MAXIMUM_AXES = 8;

/** One axis of a walk: its length and how far apart its elements are in each tensor. */
export interface WalkAxis {
  readonly length: number;
  readonly strides: readonly number[];
}

/** Joins neighbouring axes that all tensors pass in one stride, and drops axes of length 1; at least one axis is left. */
export function mergeAxes(axes: readonly WalkAxis[]): WalkAxis[] {
  const merged: WalkAxis[] = [];
  for (const axis of axes) {
    if (axis.length === 1) continue;
    const outer = merged.at(-1);
    if (outer?.strides.every((stride, index) => stride === axis.strides[index] * axis.length))
      merged[merged.length - 1] = { length: outer.length * axis.length, strides: axis.strides };
    else merged.push(axis);
  }
  // a run of one element: its strides do not matter
  if (merged.length === 0) merged.push({ length: 1, strides: [1, 1, 1] });
  return merged;
}

/** Hands the axes to the kernels. */
export function setAxes(backend: WasmBackend, axes: readonly WalkAxis[]): void {
  axes.forEach(({ length, strides: [a, b = 0, c = 0] }, index) => {
    backend.exports.setAxis(index, length, a, b, c);
  });
}

/** Strides of a shape seen as `target`: 0 along the axes that it repeats. */
export function broadcastStrides(shape: readonly number[], target: readonly number[]): number[] {
  const strides = new Array<number>(target.length).fill(0);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[target.length - shape.length + axis] = shape[axis] === 1 ? 0 : stride;
    stride *= shape[axis];
  }
  return strides;
}

/** The walk of an operation whose operands broadcast; undefined when it is empty or has too many axes. */
export function broadcastWalk(
  shapes: readonly (readonly number[])[],
): { shape: number[]; axes: WalkAxis[] } | undefined {
  const shape = shapes.reduce<number[]>((joined, next) => broadcastShapes("broadcast", joined, next), []);
  if (sizeOf(shape) === 0) return undefined;
  const strides = shapes.map((each) => broadcastStrides(each, shape));
  const axes = mergeAxes(
    shape.map((length, axis) => ({ length, strides: strides.map((each) => each[axis]) })),
  );
  return axes.length > MAXIMUM_AXES ? undefined : { shape, axes };
}
