import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { WasmBackend } from "../backend.js";

/** What a kernel gets: tfjs passes the same to its own. */
export interface WasmCall {
  readonly inputs: Record<string, TensorInfo>;
  readonly attrs: Record<string, unknown>;
  readonly backend: WasmBackend;
}

/** One kernel of the engine; `null` means "not for these inputs": tfjs's JavaScript kernel runs. It must decide before it allocates. */
export type WasmKernel = (call: WasmCall) => TensorInfo | TensorInfo[] | null;

/** Kernels by tfjs's name. */
export type WasmKernels = Readonly<Record<string, WasmKernel>>;
