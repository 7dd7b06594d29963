import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { KernelCall } from "../define-kernel.js";
import { compiledEngine, optionalPointer } from "../wasm-call.js";
import type { RmsNormAttributes } from "./rms-norm.js";

export function rmsNormWasm(call: KernelCall<RmsNormAttributes>): TensorInfo | null {
  const wasm = compiledEngine(call);
  if (wasm === undefined) return null;
  const { x, weight } = call.inputs;
  const [rows, dim]: readonly number[] = x.shape;
  const output = wasm.allocateOutput(x.shape);
  const scale = optionalPointer(wasm, weight);
  wasm.exports.rmsNorm(wasm.pointer(x), scale, wasm.pointer(output), rows, dim, call.attrs.epsilon);
  return output;
}

export function rmsNormInputGradientWasm(call: KernelCall<RmsNormAttributes>): TensorInfo | null {
  const wasm = compiledEngine(call);
  if (wasm === undefined) return null;
  const { dy, x, weight } = call.inputs;
  const [rows, dim]: readonly number[] = x.shape;
  const output = wasm.allocateOutput(x.shape);
  wasm.exports.rmsNormInputGradient(
    wasm.pointer(dy),
    wasm.pointer(x),
    optionalPointer(wasm, weight),
    wasm.pointer(output),
    rows,
    dim,
    call.attrs.epsilon,
  );
  return output;
}

export function rmsNormWeightGradientWasm(call: KernelCall<RmsNormAttributes>): TensorInfo | null {
  const wasm = compiledEngine(call);
  if (wasm === undefined) return null;
  const { dy, x } = call.inputs;
  const [rows, dim]: readonly number[] = x.shape;
  const output = wasm.allocateOutput([dim]);
  const addresses = [wasm.pointer(dy), wasm.pointer(x), wasm.pointer(output)] as const;
  const sums = wasm.scratch(wasm.exports.normParts(rows) * dim * 4);
  wasm.exports.rmsNormWeightGradient(...addresses, sums, rows, dim, call.attrs.epsilon);
  return output;
}
