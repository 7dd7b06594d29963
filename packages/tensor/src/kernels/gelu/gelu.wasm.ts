import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { KernelCall } from "../define-kernel.js";
import { compiledEngine } from "../wasm-call.js";
import type { GeluAttributes } from "./gelu.js";

export function geluWasm(call: KernelCall<GeluAttributes>): TensorInfo | null {
  const wasm = compiledEngine(call);
  if (wasm === undefined) return null;
  const { x } = call.inputs;
  const output = wasm.allocateOutput(x.shape);
  wasm.exports.gelu(wasm.pointer(x), wasm.pointer(output), x.size, Number(call.attrs.approximate === "tanh"));
  return output;
}

export function geluGradientWasm(call: KernelCall<GeluAttributes>): TensorInfo | null {
  const wasm = compiledEngine(call);
  if (wasm === undefined) return null;
  const { dy, x } = call.inputs;
  const output = wasm.allocateOutput(x.shape);
  const approximate = Number(call.attrs.approximate === "tanh");
  wasm.exports.geluGradient(wasm.pointer(dy), wasm.pointer(x), wasm.pointer(output), x.size, approximate);
  return output;
}
