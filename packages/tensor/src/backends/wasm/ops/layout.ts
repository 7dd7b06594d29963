import type { TensorInfo } from "@tensorflow/tfjs-core";
import { BYTES_PER_ELEMENT, type DType } from "../../../dtype.js";
import type { KernelCall } from "../../../kernels/define-kernel.js";
import type { DepthAttributes, FlattenAttributes, LengthAttributes } from "../../../ops/indexing-kernels.js";
import type { PlaceAttributes, StridedSliceAttributes } from "../../../ops/slice.js";
import { sizeOf, stridesOf } from "../../../shape.js";
import type { WasmBackend } from "../backend.js";
import { MAXIMUM_AXES } from "../kernels/broadcast.js";
import { oneHot } from "../kernels/integers.js";
import { copyBlock, fill, isPlain, offsetOf } from "../kernels/layout.js";

/** `ai/StridedSlice` in WebAssembly. */
export function stridedSliceWasm({
  inputs: { x },
  attrs,
  backend,
}: KernelCall<StridedSliceAttributes>): TensorInfo | null {
  const wasm = backend as WasmBackend;
  const { begin, strides, size } = attrs;
  if (!isPlain(wasm, x) || sizeOf(size) === 0 || size.length >= MAXIMUM_AXES) return null;
  const source = wasm.pointer(x);
  const output = wasm.allocateOutput(size, x.dtype as DType);
  const xStrides = stridesOf(x.shape);
  copyBlock(
    wasm,
    x.dtype as DType,
    size,
    {
      pointer: source,
      strides: xStrides.map((stride, axis) => stride * strides[axis]),
      offset: offsetOf(begin, xStrides),
    },
    { pointer: wasm.pointer(output), strides: stridesOf(size), offset: 0 },
  );
  return output;
}

/** `ai/Place` in WebAssembly. */
export function placeWasm({ inputs: { x }, attrs, backend }: KernelCall<PlaceAttributes>): TensorInfo | null {
  const wasm = backend as WasmBackend;
  const { begin, strides, shape, value } = attrs;
  if (!isPlain(wasm, x) || sizeOf(x.shape) === 0 || shape.length >= MAXIMUM_AXES) return null;
  const dtype = x.dtype as DType;
  const source = wasm.pointer(x);
  const output = wasm.allocateOutput(shape, dtype);
  const target = wasm.pointer(output);
  fill(wasm, target, sizeOf(shape), dtype, value);
  const outStrides = stridesOf(shape);
  copyBlock(
    wasm,
    dtype,
    x.shape,
    { pointer: source, strides: stridesOf(x.shape), offset: 0 },
    {
      pointer: target,
      strides: outStrides.map((stride, axis) => stride * strides[axis]),
      offset: offsetOf(begin, outStrides),
    },
  );
  return output;
}

/** `ai/Split` in WebAssembly: tfjs's kernel takes the parts element by element in JavaScript. */
export function splitWasm({
  inputs: { x },
  attrs: { sizes, axis },
  backend,
}: KernelCall<{ sizes: number[]; axis: number }>): TensorInfo[] | null {
  const wasm = backend as WasmBackend;
  if (!isPlain(wasm, x) || sizeOf(x.shape) === 0) return null;
  const source = wasm.pointer(x);
  const outer = sizeOf(x.shape.slice(0, axis));
  const row = sizeOf(x.shape.slice(axis));
  const inner = row / x.shape[axis];
  let offset = 0;
  return sizes.map((size) => {
    const shape = x.shape.map((length, index) => (index === axis ? size : length));
    const part = wasm.allocateOutput(shape, x.dtype as DType);
    const run = size * inner;
    if (run > 0)
      copyBlock(
        wasm,
        x.dtype as DType,
        [outer, run],
        { pointer: source, strides: [row, 1], offset },
        { pointer: wasm.pointer(part), strides: [run, 1], offset: 0 },
      );
    offset += run;
    return part;
  });
}

/** `ai/Gather` in WebAssembly: x `[outer, length, inner]` at indices `[count]`, which are in range. */
export function gatherWasm({ inputs: { x, indices }, backend }: KernelCall): TensorInfo | null {
  const wasm = backend as WasmBackend;
  const [outer, length, inner] = x.shape;
  const [count] = indices.shape;
  if (!isPlain(wasm, x) || !isPlain(wasm, indices) || outer * count * inner === 0) return null;
  const [source, picked] = [wasm.pointer(x), wasm.pointer(indices)];
  const output = wasm.allocateOutput([outer, count, inner], x.dtype as DType);
  const bytes = inner * BYTES_PER_ELEMENT[x.dtype as DType];
  wasm.exports.gather(source, picked, wasm.pointer(output), outer, length, count, bytes);
  return output;
}

/** `ai/ScatterRows` in WebAssembly: floats or int32 `[outer, count, inner]` summed into `[outer, length, inner]`. */
export function scatterRowsWasm({
  inputs: { updates, indices },
  attrs: { length },
  backend,
}: KernelCall<LengthAttributes>): TensorInfo | null {
  const wasm = backend as WasmBackend;
  const [outer, count, inner] = updates.shape;
  if (!isSummable(wasm, updates, indices) || outer * count * inner * length === 0) return null;
  const [source, rows] = [wasm.pointer(updates), wasm.pointer(indices)];
  const output = wasm.allocateOutput([outer, length, inner], updates.dtype as DType);
  const integers = Number(updates.dtype === "int32");
  wasm.exports.scatterAdd(source, rows, wasm.pointer(output), outer, count, length, inner, integers);
  return output;
}

/** Whether updates are numbers that the kernels add, and indices are stored as integers. */
function isSummable(wasm: WasmBackend, updates: TensorInfo, indices: TensorInfo): boolean {
  return isPlain(wasm, updates) && updates.dtype !== "bool" && isPlain(wasm, indices);
}

/** `ai/TakeAlongAxis` in WebAssembly: x `[outer, length, inner]` at indices `[outer, count, inner]`, which are in range. */
export function takeAlongAxisWasm({ inputs: { x, indices }, backend }: KernelCall): TensorInfo | null {
  const wasm = backend as WasmBackend;
  const [outer, count, inner] = indices.shape;
  const [, length]: readonly number[] = x.shape;
  if (!isPlain(wasm, x) || !isPlain(wasm, indices) || outer * count * inner === 0) return null;
  const [source, picked] = [wasm.pointer(x), wasm.pointer(indices)];
  const output = wasm.allocateOutput(indices.shape, x.dtype as DType);
  const size = BYTES_PER_ELEMENT[x.dtype as DType];
  wasm.exports.takeAlong(source, picked, wasm.pointer(output), outer, length, count, inner, size);
  return output;
}

/** `ai/ScatterAlongAxis` in WebAssembly: the transpose of {@link takeAlongAxisWasm}. */
export function scatterAlongAxisWasm({
  inputs: { updates, indices },
  attrs: { length },
  backend,
}: KernelCall<LengthAttributes>): TensorInfo | null {
  const wasm = backend as WasmBackend;
  const [outer, count, inner] = updates.shape;
  if (!isSummable(wasm, updates, indices) || outer * count * inner * length === 0) return null;
  const [source, picked] = [wasm.pointer(updates), wasm.pointer(indices)];
  const output = wasm.allocateOutput([outer, length, inner], updates.dtype as DType);
  const integers = Number(updates.dtype === "int32");
  wasm.exports.putAlong(source, picked, wasm.pointer(output), outer, length, count, inner, integers);
  return output;
}

/** `ai/OneHot` in WebAssembly. */
export function oneHotWasm({
  inputs: { indices },
  attrs: { depth, dtype },
  backend,
}: KernelCall<DepthAttributes>): TensorInfo | null {
  return oneHot(backend as WasmBackend, indices, depth, dtype);
}

/** `ai/FlattenIndices` in WebAssembly: coordinates `[count, depth]` become positions `[count]` in `dims`. */
export function flattenIndicesWasm({
  inputs: { indices },
  attrs: { dims },
  backend,
}: KernelCall<FlattenAttributes>): TensorInfo | null {
  const wasm = backend as WasmBackend;
  const [count, depth] = indices.shape;
  if (!isPlain(wasm, indices) || count * depth === 0) return null;
  const source = wasm.pointer(indices);
  const output = wasm.allocateOutput([count], "int32");
  const sizes = wasm.scratch(4 * depth);
  wasm.runtime.int32.set(dims, sizes >>> 2);
  wasm.exports.flattenIndices(source, wasm.pointer(output), count, depth, sizes);
  return output;
}
