import type { Tensor } from "@tensorflow/tfjs-core";
import type { WasmBackend } from "../backends/wasm/backend.js";
import type { KernelCall } from "./define-kernel.js";

/**
 * The engine, when its compiled kernels can take a call: something to compute, and floats that are stored as floats.
 * @returns undefined otherwise: the reference runs.
 */
export function compiledEngine({
  backend,
  inputs,
}: Pick<KernelCall, "backend" | "inputs">): WasmBackend | undefined {
  const wasm = backend as WasmBackend;
  for (const name in inputs) {
    const tensor = inputs[name];
    if (tensor.size === 0 || (tensor.dtype === "float32" && !wasm.isFloat32(tensor))) return undefined;
  }
  return wasm;
}

/** Address of an input that may be absent: 0. */
export function optionalPointer(wasm: WasmBackend, tensor: Tensor | undefined): number {
  return tensor === undefined ? 0 : wasm.pointer(tensor);
}
