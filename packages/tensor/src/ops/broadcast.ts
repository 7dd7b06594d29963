import type { Tensor } from "@tensorflow/tfjs-core";
import { promote, type DType } from "../dtype.js";
import type { Kernel } from "../kernels/define-kernel.js";
import { broadcastShapes, sameShape, type Shape } from "../shape.js";
import { scalar, type TensorLike } from "../tensor.js";
import { tidy } from "../memory.js";
import { InputError } from "../errors.js";
import { cast } from "./cast.js";
import { reshape } from "./shape-ops.js";
import { sum } from "./reduce.js";

/** A number as a scalar that leaves the dtype of its partner alone where it can: 2 beside int32 is int32, 0.5 is float32. */
export function toTensor(operation: string, value: TensorLike, partner?: TensorLike): Tensor {
  if (typeof value !== "number") {
    if (typeof value?.dataId !== "object") throw new InputError(`${operation}: expected a tensor or a number, got ${typeof value}`);
    return value;
  }
  const beside = typeof partner === "object" && partner !== null ? partner.dtype : "float32";
  return scalar(value, beside === "float32" || !Number.isInteger(value) ? "float32" : "int32");
}

/** Runs an elementwise kernel of two inputs: numbers become scalars, dtypes are promoted, shapes checked. */
export function binary(
  operation: string,
  kernel: Kernel<{ a: Tensor; b: Tensor }, Record<never, never>>,
  a: TensorLike,
  b: TensorLike,
  compute?: DType,
): Tensor {
  return tidy(() => {
    const first = toTensor(operation, a, b);
    const second = toTensor(operation, b, a);
    if (!sameShape(first.shape, second.shape)) broadcastShapes(operation, first.shape, second.shape);
    const dtype = compute ?? promote(operation, first.dtype, second.dtype);
    return kernel({ a: cast(first, dtype), b: cast(second, dtype) }, {});
  });
}

/** Sums a gradient back to the shape that was broadcast. @param gradient broadcast shape @returns `shape` */
export function sumToShape(gradient: Tensor, shape: Shape): Tensor {
  if (sameShape(gradient.shape, shape)) return gradient;
  const lead = gradient.shape.length - shape.length;
  const axes = gradient.shape.flatMap((length, axis) =>
    axis < lead || (shape[axis - lead] === 1 && length !== 1) ? [axis] : [],
  );
  const summed = axes.length === 0 ? gradient : sum(gradient, { axes });
  return reshape(summed, shape);
}

