import { allocate, type DType } from "../../dtype.js";
import type { KernelCall } from "../../kernels/define-kernel.js";
import type { DepthAttributes, FlattenAttributes, LengthAttributes } from "../../ops/indexing-kernels.js";
import { sizeOf } from "../../shape.js";
import { hostResult, valuesOf } from "./values.js";

/** `ai/Gather` on the host: rows of `[outer, length, inner]`. */
export function gatherOnHost({ inputs, backend }: KernelCall) {
  const { x, indices } = inputs;
  const [outer, length, inner] = x.shape;
  const count = indices.shape[0];
  const from = valuesOf(backend, x);
  const at = valuesOf(backend, indices);
  const values = allocate(x.dtype as DType, outer * count * inner);
  for (let block = 0; block < outer; block++)
    for (let row = 0; row < count; row++) {
      const read = (block * length + at[row]) * inner;
      const write = (block * count + row) * inner;
      if (inner > 8) values.set(from.subarray(read, read + inner), write);
      else for (let i = 0; i < inner; i++) values[write + i] = from[read + i];
    }
  return hostResult(backend, [outer, count, inner], x.dtype, values);
}

/** `ai/ScatterRows` on the host: adds rows into zeros. */
export function scatterRowsOnHost({ inputs, attrs, backend }: KernelCall<LengthAttributes>) {
  const { updates, indices } = inputs;
  const [outer, count, inner] = updates.shape;
  const { length } = attrs;
  const from = valuesOf(backend, updates);
  const at = valuesOf(backend, indices);
  const values = allocate(updates.dtype as DType, outer * length * inner);
  for (let block = 0; block < outer; block++)
    for (let row = 0; row < count; row++) {
      const read = (block * count + row) * inner;
      const write = (block * length + at[row]) * inner;
      for (let i = 0; i < inner; i++) values[write + i] += from[read + i];
    }
  return hostResult(backend, [outer, length, inner], updates.dtype, values);
}

/** `ai/TakeAlongAxis` on the host: `[outer, length, inner]` by indices `[outer, count, inner]`. */
export function takeAlongAxisOnHost({ inputs, backend }: KernelCall) {
  const { x, indices } = inputs;
  const [outer, count, inner] = indices.shape;
  const length = x.shape[1] as number;
  const from = valuesOf(backend, x);
  const at = valuesOf(backend, indices);
  const values = allocate(x.dtype as DType, outer * count * inner);
  let position = 0;
  for (let block = 0; block < outer; block++)
    for (let row = 0; row < count; row++)
      for (let i = 0; i < inner; i++, position++)
        values[position] = from[(block * length + at[position]) * inner + i];
  return hostResult(backend, indices.shape, x.dtype, values);
}

/** `ai/ScatterAlongAxis` on the host: the transpose of {@link takeAlongAxisOnHost}, adding into zeros. */
export function scatterAlongAxisOnHost({ inputs, attrs, backend }: KernelCall<LengthAttributes>) {
  const { updates, indices } = inputs;
  const [outer, count, inner] = updates.shape;
  const { length } = attrs;
  const from = valuesOf(backend, updates);
  const at = valuesOf(backend, indices);
  const values = allocate(updates.dtype as DType, outer * length * inner);
  let position = 0;
  for (let block = 0; block < outer; block++)
    for (let row = 0; row < count; row++)
      for (let i = 0; i < inner; i++, position++)
        values[(block * length + at[position]) * inner + i] += from[position];
  return hostResult(backend, [outer, length, inner], updates.dtype, values);
}

/** `ai/FlattenIndices` on the host: coordinates `[count, depth]` become positions `[count]` in `dims`. */
export function flattenIndicesOnHost({ inputs, attrs, backend }: KernelCall<FlattenAttributes>) {
  const { indices } = inputs;
  const [count, depth] = indices.shape;
  const at = valuesOf(backend, indices);
  const values = new Int32Array(count);
  for (let row = 0; row < count; row++) {
    let position = 0;
    for (let axis = 0; axis < depth; axis++) position = position * attrs.dims[axis] + at[row * depth + axis];
    values[row] = position;
  }
  return hostResult(backend, [count], "int32", values);
}

/** `ai/OneHot` on the host. */
export function oneHotOnHost({ inputs, attrs, backend }: KernelCall<DepthAttributes>) {
  const { indices } = inputs;
  const { depth, dtype } = attrs;
  const at = valuesOf(backend, indices);
  const values = allocate(dtype, sizeOf([indices.shape[0], depth]));
  for (let row = 0; row < at.length; row++) values[row * depth + at[row]] = 1;
  return hostResult(backend, [at.length, depth], dtype, values);
}
