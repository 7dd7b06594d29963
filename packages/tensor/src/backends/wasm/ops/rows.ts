import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { KernelCall } from "../../../kernels/define-kernel.js";
import type { NormAttributes } from "../../../ops/statistics.js";
import { sizeOf } from "../../../shape.js";
import type { WasmBackend } from "../backend.js";
import { reduceIntegers } from "../kernels/integers.js";
import { argExtreme, logSoftmax, REDUCTION, ROW_NORM, reduce } from "../kernels/reduce.js";

/** `ai/LogSoftmax` in WebAssembly, along the last axis. */
export function logSoftmaxWasm({ inputs: { x }, backend }: KernelCall): TensorInfo | null {
  return logSoftmax(backend as WasmBackend, x);
}

/** `ai/SoftmaxGradient` and `ai/LogSoftmaxGradient` in WebAssembly, from the output of the forward pass. */
export function softmaxGradientWasm(
  { inputs: { dy, output }, backend }: KernelCall,
  kind: "softmaxGradient" | "logSoftmaxGradient",
): TensorInfo | null {
  const wasm = backend as WasmBackend;
  const size = sizeOf(output.shape);
  if (!wasm.isFloat32(dy) || !wasm.isFloat32(output) || size === 0) return null;
  const length: number = output.shape[output.shape.length - 1];
  const [gradient, values] = [wasm.pointer(dy), wasm.pointer(output)];
  const result = wasm.allocateOutput(output.shape);
  wasm.exports[kind](gradient, values, wasm.pointer(result), size / length, length);
  return result;
}

/** `ai/ArgMax` and `ai/ArgMin` in WebAssembly. */
export function argExtremeWasm(
  { inputs: { x }, attrs: { axis }, backend }: KernelCall<{ axis: number }>,
  kind: "largest" | "smallest",
): TensorInfo | null {
  return argExtreme(backend as WasmBackend, x, axis, kind);
}

/** `ai/Norm` of the last axes in WebAssembly, of order 2 and ∞. */
export function normWasm({
  inputs: { x },
  attrs: { axis, order },
  backend,
}: KernelCall<NormAttributes>): TensorInfo | null {
  const wasm = backend as WasmBackend;
  const size = sizeOf(x.shape);
  const kept = x.shape.length - axis.length;
  if (!wasm.isFloat32(x) || size === 0 || axis.some((each) => each < kept)) return null;
  if (order !== 2 && order !== Number.POSITIVE_INFINITY) return null;
  const source = wasm.pointer(x);
  const output = wasm.allocateOutput(x.shape.slice(0, kept));
  const rows = sizeOf(x.shape.slice(0, kept));
  const operation = order === 2 ? ROW_NORM.Norm : ROW_NORM.Peak;
  wasm.exports.reduceRows(operation, source, wasm.pointer(output), rows, size / rows);
  return output;
}

/** `ai/Prod` in WebAssembly. */
export function prodWasm({
  inputs: { x },
  attrs: { axis },
  backend,
}: KernelCall<{ axis: number[] }>): TensorInfo | null {
  const wasm = backend as WasmBackend;
  return x.dtype === "int32"
    ? reduceIntegers(wasm, "Prod", x, axis, false)
    : reduce(wasm, REDUCTION.Prod, x, axis, false);
}
