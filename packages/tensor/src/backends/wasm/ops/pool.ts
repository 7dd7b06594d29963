import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { KernelCall } from "../../../kernels/define-kernel.js";
import type { AveragePoolAttributes, PoolAttributes } from "../../../ops/pool-kernels.js";
import { sizeOf } from "../../../shape.js";
import type { WasmBackend } from "../backend.js";
import { setPool } from "../kernels/pool.js";

/** A pooling of `x` `[batch, height, width, channels]` into `dtype`, computed by `run` from its pointers. */
function pooled<Attributes extends PoolAttributes>(
  { inputs: { x }, attrs, backend }: KernelCall<Attributes>,
  dtype: "float32" | "int32",
  run: (exports: WasmBackend["exports"], source: number, output: number, batch: number) => void,
): TensorInfo | null {
  const wasm = backend as WasmBackend;
  const [batch, , , channels] = x.shape;
  const shape = [batch, ...attrs.outputSize, channels];
  if (!wasm.isFloat32(x) || sizeOf(shape) === 0) return null;
  const source = wasm.pointer(x);
  const output = wasm.allocateOutput(shape, dtype);
  setPool(wasm, attrs, channels);
  run(wasm.exports, source, wasm.pointer(output), batch);
  return output;
}

/** `ai/MaxPool2D` in WebAssembly: a NaN in a window is its maximum. */
export function maxPoolWasm(call: KernelCall<PoolAttributes>): TensorInfo | null {
  return pooled(call, "float32", (exports, source, output, batch) =>
    exports.maxPool(source, output, batch, 1),
  );
}

/** `ai/MaxPool2DIndices` in WebAssembly. */
export function maxPoolIndicesWasm(call: KernelCall<PoolAttributes>): TensorInfo | null {
  return pooled(call, "int32", (exports, source, output, batch) =>
    exports.maxPoolCells(source, output, batch),
  );
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
export function avgPoolWasm(call: KernelCall<AveragePoolAttributes>): TensorInfo | null {
  const { countIncludePad } = call.attrs;
  return pooled(call, "float32", (exports, source, output, batch) =>
    exports.averagePool(source, output, batch, Number(countIncludePad)),
  );
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
