import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { KernelCall } from "../define-kernel.js";
import { compiledEngine, optionalPointer } from "../wasm-call.js";
import type { GroupNormAttributes } from "./group-norm.js";

export function groupNormWasm(call: KernelCall<GroupNormAttributes>): TensorInfo | null {
  const wasm = compiledEngine(call);
  if (wasm === undefined) return null;
  const { x, weight, bias } = call.inputs;
  const [batch, cells, channels]: readonly number[] = x.shape;
  const output = wasm.allocateOutput(x.shape);
  wasm.exports.groupNorm(
    wasm.pointer(x),
    optionalPointer(wasm, weight),
    optionalPointer(wasm, bias),
    wasm.pointer(output),
    wasm.scratch(wasm.exports.groupNormBytes(batch, cells, channels)),
    batch,
    cells,
    channels,
    call.attrs.numGroups,
    call.attrs.epsilon,
  );
  return output;
}

/** @returns gradients of x, weight and bias */
export function groupNormGradientWasm(call: KernelCall<GroupNormAttributes>): TensorInfo[] | null {
  const wasm = compiledEngine(call);
  if (wasm === undefined) return null;
  const { dy, x, weight } = call.inputs;
  const [batch, cells, channels]: readonly number[] = x.shape;
  const outputs = [x.shape, [channels], [channels]].map((shape) => wasm.allocateOutput(shape));
  wasm.exports.groupNormGradient(
    wasm.pointer(dy),
    wasm.pointer(x),
    optionalPointer(wasm, weight),
    wasm.pointer(outputs[0]),
    wasm.pointer(outputs[1]),
    wasm.pointer(outputs[2]),
    wasm.scratch(wasm.exports.groupNormBytes(batch, cells, channels)),
    batch,
    cells,
    channels,
    call.attrs.numGroups,
    call.attrs.epsilon,
  );
  return outputs;
}
