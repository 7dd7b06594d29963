import { allocate, type DType } from "../../dtype.js";
import type { KernelCall } from "../../kernels/define-kernel.js";
import type { PlaceAttributes, StridedSliceAttributes } from "../../ops/slice.js";
import { sizeOf, stridesOf } from "../../shape.js";
import { copyStrided } from "./strided.js";
import { hostResult, valuesOf } from "./values.js";

const offsetOf = (begin: readonly number[], strides: readonly number[]): number =>
  begin.reduce((sum, start, axis) => sum + start * strides[axis], 0);

/** `ai/StridedSlice` on the host. */
export function stridedSliceOnHost({ inputs, attrs, backend }: KernelCall<StridedSliceAttributes>) {
  const { x } = inputs;
  const { begin, strides, size } = attrs;
  const values = allocate(x.dtype as DType, sizeOf(size));
  const xStrides = stridesOf(x.shape);
  copyStrided(
    {
      values: valuesOf(backend, x),
      offset: offsetOf(begin, xStrides),
      strides: xStrides.map((stride, axis) => stride * strides[axis]),
    },
    { values, offset: 0, strides: stridesOf(size) },
    size,
  );
  return hostResult(backend, size, x.dtype, values);
}

/** `ai/Place` on the host. */
export function placeOnHost({ inputs, attrs, backend }: KernelCall<PlaceAttributes>) {
  const { x } = inputs;
  const { begin, strides, shape, value } = attrs;
  const values = allocate(x.dtype as DType, sizeOf(shape));
  if (value !== 0) values.fill(value);
  const outStrides = stridesOf(shape);
  copyStrided(
    { values: valuesOf(backend, x), offset: 0, strides: stridesOf(x.shape) },
    {
      values,
      offset: offsetOf(begin, outStrides),
      strides: outStrides.map((stride, axis) => stride * strides[axis]),
    },
    x.shape,
  );
  return hostResult(backend, shape, x.dtype, values);
}
