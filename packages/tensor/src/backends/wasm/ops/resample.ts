import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { KernelCall } from "../../../kernels/define-kernel.js";
import type { ResampleAttributes } from "../../../ops/resample.js";
import type { WasmBackend } from "../backend.js";
import { placeTable, resampleAxis, tableBytes } from "../kernels/resample.js";

/** `ai/Resample` in WebAssembly. */
export function resampleWasm({
  inputs: { x },
  attrs: { table },
  backend,
}: KernelCall<ResampleAttributes>): TensorInfo | null {
  const wasm = backend as WasmBackend;
  const [outer, , inner] = x.shape;
  const count = table.starts.length;
  if (!wasm.isFloat32(x) || outer * count * inner === 0) return null;
  const source = wasm.pointer(x);
  const output = wasm.allocateOutput([outer, count, inner]);
  const placed = placeTable(wasm, table, wasm.scratch(tableBytes(table)));
  resampleAxis(wasm, source, wasm.pointer(output), placed, x.shape);
  return output;
}
