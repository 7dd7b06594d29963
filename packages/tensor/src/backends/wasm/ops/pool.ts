import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { KernelCall } from "../../../kernels/define-kernel.js";
import type { AveragePoolAttributes, PoolAttributes } from "../../../ops/pool-kernels.js";
import { sizeOf } from "../../../shape.js";
import type { WasmBackend } from "../backend.js";
import { setPool } from "../kernels/pool.js";

/** `ai/MaxPool2D` in WebAssembly: a NaN in a window is its maximum. */
export function maxPoolWasm({
  inputs: { x },
  attrs,
  backend,
}: KernelCall<PoolAttributes>): TensorInfo | null {
  const wasm = backend as WasmBackend;
  const [batch, , , channels] = x.shape;
  const shape = [batch, ...attrs.outputSize, channels];
  if (!wasm.isFloat32(x) || sizeOf(shape) === 0) return null;
  const source = wasm.pointer(x);
  const output = wasm.allocateOutput(shape);
  setPool(wasm, attrs, channels);
  wasm.exports.maxPool(source, wasm.pointer(output), batch, 1);
  return output;
}

/** `ai/MaxPool2DIndices` in WebAssembly. */
export function maxPoolIndicesWasm({
  inputs: { x },
  attrs,
  backend,
}: KernelCall<PoolAttributes>): TensorInfo | null {
  const wasm = backend as WasmBackend;
  const [batch, , , channels] = x.shape;
  const shape = [batch, ...attrs.outputSize, channels];
  if (!wasm.isFloat32(x) || sizeOf(shape) === 0) return null;
  const source = wasm.pointer(x);
  const output = wasm.allocateOutput(shape, "int32");
  setPool(wasm, attrs, channels);
  wasm.exports.maxPoolCells(source, wasm.pointer(output), batch);
  return output;
}

/** `ai/MaxPool2DBackprop` in WebAssembly. */
export function maxPoolBackpropWasm({
  inputs: { x, dy },
  attrs,
  backend,
}: KernelCall<PoolAttributes>): TensorInfo | null {
  const wasm = backend as WasmBackend;
  const [batch, , , channels] = x.shape;
  if (!wasm.isFloat32(x) || !wasm.isFloat32(dy) || sizeOf(dy.shape) === 0) return null;
  const [source, gradient] = [wasm.pointer(x), wasm.pointer(dy)];
  const output = wasm.allocateOutput(x.shape);
  setPool(wasm, attrs, channels);
  wasm.exports.maxPoolGradient(gradient, source, wasm.pointer(output), batch, 1);
  return output;
}

/** `ai/AvgPool2D` in WebAssembly. */
export function avgPoolWasm({
  inputs: { x },
  attrs,
  backend,
}: KernelCall<AveragePoolAttributes>): TensorInfo | null {
  const wasm = backend as WasmBackend;
  const [batch, , , channels] = x.shape;
  const shape = [batch, ...attrs.outputSize, channels];
  if (!wasm.isFloat32(x) || sizeOf(shape) === 0) return null;
  const source = wasm.pointer(x);
  const output = wasm.allocateOutput(shape);
  setPool(wasm, attrs, channels);
  wasm.exports.averagePool(source, wasm.pointer(output), batch, Number(attrs.countIncludePad));
  return output;
}

/** `ai/AvgPool2DBackprop` in WebAssembly. */
export function avgPoolBackpropWasm({
  inputs: { dy },
  attrs,
  backend,
}: KernelCall<AveragePoolAttributes>): TensorInfo | null {
  const wasm = backend as WasmBackend;
  const [batch, , , channels] = dy.shape;
  if (!wasm.isFloat32(dy) || sizeOf(dy.shape) === 0) return null;
  const gradient = wasm.pointer(dy);
  const output = wasm.allocateOutput([batch, ...attrs.inputSize, channels]);
  setPool(wasm, attrs, channels);
  wasm.exports.averagePoolGradient(gradient, wasm.pointer(output), batch, Number(attrs.countIncludePad));
  return output;
}
