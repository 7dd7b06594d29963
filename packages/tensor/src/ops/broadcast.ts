import type { Tensor } from "@tensorflow/tfjs-core";
import { describeNoTensor } from "../arguments.js";
import { broadcastOnHost } from "../backends/host/elementwise.js";
import { broadcastToWasm } from "../backends/wasm/ops/elementwise.js";
import { broadcastWebgpu } from "../backends/webgpu/kernels/strided.js";
import { asDType, type DType, promote } from "../dtype.js";
import { InputError } from "../errors.js";
import { broadcastGradient } from "../gradients/shape-ops.js";
import { defineKernel, type Kernel } from "../kernels/define-kernel.js";
import { tidy } from "../memory.js";
import { broadcastShapes, type Shape, sameShape, sizeOf } from "../shape.js";
import { scalar, type TensorLike, zeros } from "../tensor.js";
import { castKernel } from "./cast.js";
import { sum } from "./reduce.js";
import { reshape } from "./shape-ops.js";

/** Attributes of a kernel that has none. */
export type NoAttributes = Record<never, never>;
export type UnaryInputs = { x: Tensor };
export type BinaryInputs = { a: Tensor; b: Tensor };

export const NO_ATTRIBUTES: NoAttributes = {};

/** @throws InputError unless `value` is a tensor of a dtype that this library computes with. */
export function assertTensor(operation: string, value: Tensor): void {
  if (value == null || typeof value.dataId !== "object")
    throw new InputError(`${operation}: expected a tensor, got ${describeNoTensor(value)}`);
  asDType(operation, value.dtype);
}

/**
 * The tensor itself in the dtype asked for, or a new one: for use inside a `tidy`, where a result
 * that may be an input does no harm.
 */
export function toDType(x: Tensor, dtype: DType): Tensor {
  return x.dtype === dtype ? x : castKernel({ x }, { dtype });
}

const fitsInt32 = (value: number): boolean => (value | 0) === value;

/** A number as a scalar that leaves the dtype of its partner alone where it can: 2 beside int32 is int32, 0.5 is float32. */
export function toTensor(operation: string, value: TensorLike, partner?: TensorLike): Tensor {
  if (typeof value !== "number") {
    if (value == null || typeof value.dataId !== "object")
      throw new InputError(`${operation}: expected a tensor or a number, got ${describeNoTensor(value)}`);
    return value;
  }
  const beside = typeof partner === "object" && partner !== null ? partner.dtype : "float32";
  return scalar(value, beside === "float32" || !fitsInt32(value) ? "float32" : "int32");
}

/** Whether both operands are bool tensors. */
export function areBool(a: TensorLike, b: TensorLike): boolean {
  return typeof a === "object" && typeof b === "object" && a?.dtype === "bool" && b?.dtype === "bool";
}

/** Promotes numbers and dtypes, checks the shapes, and runs an elementwise kernel of two inputs. */
export function binary(
  operation: string,
  kernel: Kernel<BinaryInputs, NoAttributes>,
  a: TensorLike,
  b: TensorLike,
  /** The dtype to compute in; the promoted one when left out, where truth values count as int32. */
  compute?: DType | "promoted",
): Tensor {
  if (typeof a === "object" && typeof b === "object" && a?.dtype === "float32" && b?.dtype === "float32") {
    // nearly every call: nothing to make, cast or free
    if (!sameShape(a.shape, b.shape)) broadcastShapes(operation, a.shape, b.shape);
    return kernel({ a, b }, NO_ATTRIBUTES);
  }
  return tidy(() => {
    const first = toTensor(operation, a, b);
    const second = toTensor(operation, b, a);
    if (!sameShape(first.shape, second.shape)) broadcastShapes(operation, first.shape, second.shape);
    const promoted = promote(operation, first.dtype, second.dtype);
    const counted = promoted === "bool" ? "int32" : promoted;
    const dtype = compute === "promoted" ? promoted : (compute ?? counted);
    return kernel({ a: toDType(first, dtype), b: toDType(second, dtype) }, NO_ATTRIBUTES);
  });
}

/** Runs a kernel that computes in float32; integers are cast. */
export function floatUnary(operation: string, kernel: Kernel<UnaryInputs, NoAttributes>, x: Tensor): Tensor {
  if (x?.dtype === "float32") return kernel({ x }, NO_ATTRIBUTES);
  assertTensor(operation, x);
  return tidy(() => kernel({ x: toDType(x, "float32") }, NO_ATTRIBUTES));
}

/** Runs a kernel that computes in the tensor's own dtype, truth values as int32. */
export function numericUnary(
  operation: string,
  kernel: Kernel<UnaryInputs, NoAttributes>,
  x: Tensor,
): Tensor {
  if (x?.dtype === "float32" || x?.dtype === "int32") return kernel({ x }, NO_ATTRIBUTES);
  assertTensor(operation, x);
  return tidy(() => kernel({ x: toDType(x, "int32") }, NO_ATTRIBUTES));
}

/** A second tensor on the same data, recorded as such. @param x `[...]` @returns `[...]` */
export function alias(x: Tensor): Tensor {
  return reshape(x, x.shape);
}

/** Repeats axes of size 1; the input has the rank of `shape` and the shapes fit. */
export const broadcastKernel = /* @__PURE__ */ defineKernel<UnaryInputs, { shape: number[] }>({
  name: "BroadcastTo",
  stock: {
    kernel: "Tile",
    attrs: ({ shape }, { x }) => ({
      reps: shape.map((length, axis) => (x.shape[axis] === length ? 1 : length)),
    }),
  },
  implementations: {
    cpu: (call) => broadcastOnHost(call),
    wasm: (call) => broadcastToWasm(call) ?? broadcastOnHost(call),
    webgpu: (call) => broadcastWebgpu(call),
  },
  gradient: broadcastGradient,
});

/** `x` in a shape that it is known to broadcast to; `x` itself when it has that shape: for use inside a `tidy`. */
export function expandTo(x: Tensor, shape: Shape): Tensor {
  if (sameShape(x.shape, shape)) return x;
  const padded = [...new Array<number>(shape.length - x.shape.length).fill(1), ...x.shape];
  const aligned = padded.length === x.shape.length ? x : reshape(x, padded);
  return sameShape(padded, shape) ? aligned : broadcastKernel({ x: aligned }, { shape: [...shape] });
}

/** Sums a gradient back to the shape that was broadcast. @param gradient broadcast shape @returns `shape` */
export function sumToShape(gradient: Tensor, shape: Shape): Tensor {
  if (sameShape(gradient.shape, shape)) return gradient;
  const lead = gradient.shape.length - shape.length;
  const axes = gradient.shape.flatMap((length, axis) =>
    axis < lead || (shape[axis - lead] === 1 && length !== 1) ? [axis] : [],
  );
  const summed = axes.length === 0 ? gradient : sum(gradient, { axes });
  return sameShape(summed.shape, shape) ? summed : reshape(summed, shape);
}

/**
 * A result that does not depend on the values of its inputs, such as the sum of nothing: a constant
 * with gradients of zero, so that a function of empty tensors can still be differentiated.
 */
export const constantKernel = /* @__PURE__ */ defineKernel<
  Record<string, Tensor>,
  { shape: number[]; value: number; dtype: DType }
>({
  name: "Constant",
  reference: (_, { shape, value, dtype }) => zeros(shape, dtype, value),
  gradient: () => ({}),
});

/** Elements of the named axes taken together. */
export function countAlong(shape: Shape, axes: readonly number[]): number {
  return sizeOf(axes.map((axis) => shape[axis]));
}
