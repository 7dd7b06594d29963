import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { KernelCall } from "../define-kernel.js";
import { compiledEngine, optionalPointer } from "../wasm-call.js";
import type { LayerNormAttributes } from "./layer-norm.js";

export function layerNormWasm(call: KernelCall<LayerNormAttributes>): TensorInfo | null {
  const wasm = compiledEngine(call);
  if (wasm === undefined) return null;
  const { x, weight, bias } = call.inputs;
  const [rows, dim]: readonly number[] = x.shape;
  const output = wasm.allocateOutput(x.shape);
  const parameters = [optionalPointer(wasm, weight), optionalPointer(wasm, bias)] as const;
  wasm.exports.layerNorm(wasm.pointer(x), ...parameters, wasm.pointer(output), rows, dim, call.attrs.epsilon);
  return output;
}

export function layerNormInputGradientWasm(call: KernelCall<LayerNormAttributes>): TensorInfo | null {
  const wasm = compiledEngine(call);
  if (wasm === undefined) return null;
  const { dy, x, weight } = call.inputs;
  const [rows, dim]: readonly number[] = x.shape;
  const output = wasm.allocateOutput(x.shape);
  wasm.exports.layerNormInputGradient(
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

export function layerNormParameterGradientWasm(call: KernelCall<LayerNormAttributes>): TensorInfo[] | null {
  const wasm = compiledEngine(call);
  if (wasm === undefined) return null;
  const { dy, x } = call.inputs;
  const [rows, dim]: readonly number[] = x.shape;
  const outputs = [wasm.allocateOutput([dim]), wasm.allocateOutput([dim])];
  wasm.exports.layerNormParameterGradient(
    wasm.pointer(dy),
    wasm.pointer(x),
    wasm.pointer(outputs[0]),
    wasm.pointer(outputs[1]),
    wasm.scratch(wasm.exports.normParts(rows) * 2 * dim * 4),
    rows,
    dim,
    call.attrs.epsilon,
  );
  return outputs;
}
