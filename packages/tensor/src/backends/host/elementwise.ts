import type { TensorInfo } from "@tensorflow/tfjs-core";
import { allocate, type DType } from "../../dtype.js";
import type { KernelCall } from "../../kernels/define-kernel.js";
import { broadcastShapes, type Shape, sameShape, sizeOf } from "../../shape.js";
import { hostResult, valuesOf } from "./values.js";

/** Computes input `x` element by element. */
export function unaryOnHost(call: KernelCall, compute: (x: number) => number, dtype?: DType): TensorInfo {
  const { x } = call.inputs;
  const source = valuesOf(call.backend, x);
  const type = dtype ?? (x.dtype as DType);
  const result = allocate(type, source.length);
  for (let i = 0; i < source.length; i++) result[i] = compute(source[i]);
  return hostResult(call.backend, x.shape, type, result);
}

/**
 * For each element of a broadcast result, where it lies in an input: strides of the result's axes in that input,
 * 0 along the axes it is repeated over. @returns one stride an axis of `target`
 */
export function broadcastStrides(shape: Shape, target: Shape): number[] {
  const strides = new Array<number>(target.length).fill(0);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1) strides[axis + target.length - shape.length] = stride;
    stride *= shape[axis];
  }
  return strides;
}

/**
 * Walks a result in row-major order, one call a row of its last axis, with the offsets of that row in each input.
 * @param strides per input, one stride an axis of `shape`.
 */
export function forEachRow(
  shape: Shape,
  strides: readonly (readonly number[])[],
  visit: (start: number, offsets: readonly number[]) => void,
): void {
  const size = sizeOf(shape);
  if (size === 0) return;
  const last = shape.length - 1;
  const length = last < 0 ? 1 : shape[last];
  const index = new Array<number>(Math.max(last, 0)).fill(0);
  const offsets = strides.map(() => 0);
  for (let start = 0; start < size; start += length) {
    visit(start, offsets);
    for (let axis = last - 1; axis >= 0; axis--) {
      index[axis]++;
      for (let input = 0; input < offsets.length; input++) offsets[input] += strides[input][axis];
      if (index[axis] < shape[axis]) break;
      for (let input = 0; input < offsets.length; input++)
        offsets[input] -= strides[input][axis] * shape[axis];
      index[axis] = 0;
    }
  }
}

/** Computes inputs `a` and `b` element by element, with broadcasting. */
export function binaryOnHost(
  call: KernelCall,
  compute: (a: number, b: number) => number,
  dtype?: DType,
): TensorInfo {
  const { a, b } = call.inputs;
  const left = valuesOf(call.backend, a);
  const right = valuesOf(call.backend, b);
  const type = dtype ?? (a.dtype as DType);
  if (sameShape(a.shape, b.shape)) {
    const result = allocate(type, left.length);
    for (let i = 0; i < left.length; i++) result[i] = compute(left[i], right[i]);
    return hostResult(call.backend, a.shape, type, result);
  }
  const shape = broadcastShapes("broadcast", a.shape, b.shape);
  const result = allocate(type, sizeOf(shape));
  const strides = [broadcastStrides(a.shape, shape), broadcastStrides(b.shape, shape)];
  const length = shape[shape.length - 1] ?? 1;
  const stepA = strides[0][shape.length - 1] ?? 0;
  const stepB = strides[1][shape.length - 1] ?? 0;
  forEachRow(shape, strides, (start, [offsetA, offsetB]) => {
    for (let i = 0; i < length; i++)
      result[start + i] = compute(left[offsetA + i * stepA], right[offsetB + i * stepB]);
  });
  return hostResult(call.backend, shape, type, result);
}

/** Copies input `x` into a larger shape, repeated along its axes of size 1. */
export function broadcastOnHost(call: KernelCall<{ shape: number[] }>): TensorInfo {
  const { x } = call.inputs;
  const { shape } = call.attrs;
  const source = valuesOf(call.backend, x);
  const type = x.dtype as DType;
  const result = allocate(type, sizeOf(shape));
  const strides = broadcastStrides(x.shape, shape);
  const length = shape[shape.length - 1] ?? 1;
  const step = strides[shape.length - 1] ?? 0;
  forEachRow(shape, [strides], (start, [offset]) => {
    if (step === 0) result.fill(source[offset], start, start + length);
    else result.set(source.subarray(offset, offset + length), start);
  });
  return hostResult(call.backend, shape, type, result);
}

/** `condition ? a : b` with broadcasting of all three. */
export function whereOnHost(call: KernelCall): TensorInfo {
  const { condition, a, b } = call.inputs;
  const shape = broadcastShapes("where", condition.shape, broadcastShapes("where", a.shape, b.shape));
  const [choice, left, right] = [condition, a, b].map((input) => valuesOf(call.backend, input));
  const type = a.dtype as DType;
  const result = allocate(type, sizeOf(shape));
  const strides = [condition, a, b].map((input) => broadcastStrides(input.shape, shape));
  const length = shape[shape.length - 1] ?? 1;
  const [stepC, stepA, stepB] = strides.map((each) => each[shape.length - 1] ?? 0);
  forEachRow(shape, strides, (start, [offsetC, offsetA, offsetB]) => {
    for (let i = 0; i < length; i++)
      result[start + i] =
        choice[offsetC + i * stepC] !== 0 ? left[offsetA + i * stepA] : right[offsetB + i * stepB];
  });
  return hostResult(call.backend, shape, type, result);
}
