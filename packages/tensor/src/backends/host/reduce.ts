import type { TensorInfo } from "@tensorflow/tfjs-core";
import { allocate, type DType } from "../../dtype.js";
import type { KernelCall } from "../../kernels/define-kernel.js";
import { type Shape, sizeOf, stridesOf } from "../../shape.js";
import { hostResult, valuesOf } from "./values.js";

/** Splits a shape at an axis: elements before it, along it and after it. */
function around(shape: Shape, axis: number): { before: number; length: number; after: number } {
  return { before: sizeOf(shape.slice(0, axis)), length: shape[axis], after: sizeOf(shape.slice(axis + 1)) };
}

/** Product of `x` over axes; integers wrap like int32. */
export function prodOnHost(call: KernelCall<{ axis: number[] }>): TensorInfo {
  const { x } = call.inputs;
  const { axis } = call.attrs;
  const source = valuesOf(call.backend, x);
  const type = x.dtype as DType;
  const kept = x.shape.filter((_, index) => !axis.includes(index));
  const keptStrides = stridesOf(kept);
  let next = 0;
  const strides = x.shape.map((_, index) => (axis.includes(index) ? 0 : keptStrides[next++]));
  // doubles until the end: a product of many factors is rounded once
  const result = type === "float32" ? new Float64Array(sizeOf(kept)) : new Int32Array(sizeOf(kept));
  result.fill(1);
  const multiply = type === "float32" ? (a: number, b: number) => a * b : Math.imul;
  const index = new Array<number>(x.shape.length).fill(0);
  let target = 0;
  for (let i = 0; i < source.length; i++) {
    result[target] = multiply(result[target], source[i]);
    for (let each = index.length - 1; each >= 0; each--) {
      index[each]++;
      target += strides[each];
      if (index[each] < x.shape[each]) break;
      target -= strides[each] * x.shape[each];
      index[each] = 0;
    }
  }
  return hostResult(
    call.backend,
    kept,
    type,
    type === "float32" ? Float32Array.from(result) : (result as Int32Array),
  );
}

/** Index of the largest (`sign` 1) or smallest (−1) value along an axis; the first NaN wins. */
export function argExtremumOnHost(call: KernelCall<{ axis: number }>, sign: 1 | -1): TensorInfo {
  const { x } = call.inputs;
  const source = valuesOf(call.backend, x);
  const { before, length, after } = around(x.shape, call.attrs.axis);
  const result = new Int32Array(before * after);
  for (let outer = 0; outer < before; outer++)
    for (let inner = 0; inner < after; inner++) {
      const start = outer * length * after + inner;
      let best = source[start];
      let where = 0;
      for (let i = 1; i < length && !Number.isNaN(best); i++) {
        const value = source[start + i * after];
        if (value * sign > best * sign || Number.isNaN(value)) {
          best = value;
          where = i;
        }
      }
      result[outer * after + inner] = where;
    }
  const shape = x.shape.filter((_, index) => index !== call.attrs.axis);
  return hostResult(call.backend, shape, "int32", result);
}

/** Running product of `x` along an axis; integers wrap like int32. */
export function cumprodOnHost(
  call: KernelCall<{ axis: number; exclusive: boolean; reverse: boolean }>,
): TensorInfo {
  const { x } = call.inputs;
  const { axis, exclusive, reverse } = call.attrs;
  const source = valuesOf(call.backend, x);
  const type = x.dtype as DType;
  const result = allocate(type, source.length);
  const multiply = type === "float32" ? (a: number, b: number) => a * b : Math.imul;
  const { before, length, after } = around(x.shape, axis);
  for (let outer = 0; outer < before; outer++)
    for (let inner = 0; inner < after; inner++) {
      let product = 1;
      for (let step = 0; step < length; step++) {
        const at = (outer * length + (reverse ? length - 1 - step : step)) * after + inner;
        const value = source[at];
        if (exclusive) result[at] = product;
        product = multiply(product, value);
        if (!exclusive) result[at] = product;
      }
    }
  return hostResult(call.backend, x.shape, type, result);
}
