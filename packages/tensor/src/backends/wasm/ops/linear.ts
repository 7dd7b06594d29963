import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { WasmBackend } from "../backend.js";
import { matMul } from "../kernels/matmul.js";

/** `ai/LinearActivation` in WebAssembly: the activation is applied to a block of the product while it is in the cache. */
export function linearWasm(
  backend: WasmBackend,
  { x, weight, bias }: Readonly<Record<string, TensorInfo>>,
  activation: string,
): TensorInfo | null {
  return matMul(backend, x, weight, false, true, { bias, activation });
}
