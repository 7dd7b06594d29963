import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { KernelCall } from "../../../kernels/define-kernel.js";
import type { WasmBackend } from "../backend.js";
import { logSoftmax } from "../kernels/reduce.js";

/** `ai/LogSoftmax` in WebAssembly, along the last axis. */
export function logSoftmaxWasm({ inputs: { x }, backend }: KernelCall): TensorInfo | null {
  return logSoftmax(backend as WasmBackend, x);
}
