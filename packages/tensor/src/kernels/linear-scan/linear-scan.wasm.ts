import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { WasmBackend } from "../../backends/wasm/backend.js";
import { sizeOf } from "../../shape.js";
import type { KernelCall } from "../define-kernel.js";
import type { LinearScanAttributes } from "./linear-scan.js";

/** One pass over the sequence; strips of channels are shared between the threads. */
export function linearScanWasm({
  inputs: { factors, increments },
  attrs: { reverse },
  backend,
}: KernelCall<LinearScanAttributes>): TensorInfo | null {
  const wasm = backend as WasmBackend;
  const { shape } = factors;
  if (!wasm.isFloat32(factors) || !wasm.isFloat32(increments) || sizeOf(shape) === 0) return null;
  const [a, b] = [wasm.pointer(factors), wasm.pointer(increments)];
  const output = wasm.allocateOutput(shape);
  const [batch, length]: readonly number[] = shape;
  wasm.exports.linearScan(a, b, wasm.pointer(output), batch, length, sizeOf(shape.slice(2)), Number(reverse));
  return output;
}
