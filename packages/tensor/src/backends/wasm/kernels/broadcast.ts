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
  if (merged.length === 0) merged.push({ length: 1, strides: axes[0]?.strides.map(() => 1) ?? [1, 1, 1] });
  return merged;
}

/** Hands the axes to the kernels. */
export function setAxes(backend: WasmBackend, axes: readonly WalkAxis[]): void {
  axes.forEach(({ length, strides: [a, b = 0, c = 0] }, index) => {
    backend.exports.setAxis(index, length, a, b, c);
  });
}

/** Strides of a shape seen as `target`: 0 along the axes that it repeats. */
function broadcastStrides(shape: readonly number[], target: readonly number[]): number[] {
  const strides = new Array<number>(target.length).fill(0);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[target.length - shape.length + axis] = shape[axis] === 1 ? 0 : stride;
    stride *= shape[axis];
  }
  return strides;
}

/** The walk of a binary operation; undefined when it is empty or has too many axes. */
export function binaryWalk(
  a: readonly number[],
  b: readonly number[],
): { shape: number[]; axes: WalkAxis[] } | undefined {
  const shape = broadcastShapes("broadcast", a, b);
  if (sizeOf(shape) === 0) return undefined;
  const [stridesA, stridesB] = [broadcastStrides(a, shape), broadcastStrides(b, shape)];
  const axes = mergeAxes(
    shape.map((length, axis) => ({ length, strides: [stridesA[axis], stridesB[axis]] })),
  );
  const last = axes.at(-1)!;
  // both repeat along the last axis only when the whole result is one element repeated; the run handles strides 0 and 1
  if (axes.length > MAXIMUM_AXES || last.strides.some((stride) => stride > 1)) return undefined;
  return { shape, axes };
}
