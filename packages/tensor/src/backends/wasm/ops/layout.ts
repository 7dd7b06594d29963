import type { TensorInfo } from "@tensorflow/tfjs-core";
import { BYTES_PER_ELEMENT, type DType } from "../../../dtype.js";
import type { KernelCall } from "../../../kernels/define-kernel.js";
import type { LengthAttributes } from "../../../ops/indexing.js";
import type { PlaceAttributes, StridedSliceAttributes } from "../../../ops/slice.js";
import { sizeOf, stridesOf } from "../../../shape.js";
import type { WasmBackend } from "../backend.js";
import { MAXIMUM_AXES } from "../kernels/broadcast.js";
import { bitsOf, copyBlock, isPlain, offsetOf } from "../kernels/layout.js";

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
  if (!isPlain(wasm, x) || x.dtype === "bool" || sizeOf(x.shape) === 0 || shape.length >= MAXIMUM_AXES)
    return null;
  const dtype = x.dtype as DType;
  const source = wasm.pointer(x);
  const output = wasm.allocateOutput(shape, dtype);
  const target = wasm.pointer(output);
  wasm.exports.fill(target, sizeOf(shape), bitsOf(dtype, value));
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

/** `ai/ScatterRows` in WebAssembly: floats `[outer, count, inner]` added into zeros `[outer, length, inner]`. */
export function scatterRowsWasm({
  inputs: { updates, indices },
  attrs: { length },
  backend,
}: KernelCall<LengthAttributes>): TensorInfo | null {
  const wasm = backend as WasmBackend;
  const [outer, count, inner] = updates.shape;
  if (!wasm.isFloat32(updates) || !isPlain(wasm, indices) || outer * count * inner * length === 0)
    return null;
  const [source, rows] = [wasm.pointer(updates), wasm.pointer(indices)];
  const output = wasm.allocateOutput([outer, length, inner]);
  const target = wasm.pointer(output);
  wasm.exports.fill(target, outer * length * inner, 0);
  for (let block = 0; block < outer; block++)
    wasm.exports.scatterAdd(
      source + block * count * inner * 4,
      rows,
      target + block * length * inner * 4,
      count,
      length,
      inner,
    );
  return output;
}
