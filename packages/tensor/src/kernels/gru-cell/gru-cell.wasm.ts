import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { KernelCall } from "../define-kernel.js";
import { compiledEngine } from "../wasm-call.js";

export function gruCellWasm(call: KernelCall): TensorInfo | null {
  const wasm = compiledEngine(call);
  if (wasm === undefined) return null;
  const { inputGates, hiddenGates, hidden } = call.inputs;
  const [batch, size]: readonly number[] = hidden.shape;
  const output = wasm.allocateOutput(hidden.shape);
  wasm.exports.gruCell(
    wasm.pointer(inputGates),
    wasm.pointer(hiddenGates),
    wasm.pointer(hidden),
    wasm.pointer(output),
    batch,
    size,
  );
  return output;
}

export function gruCellGradientWasm(call: KernelCall): TensorInfo[] | null {
  const wasm = compiledEngine(call);
  if (wasm === undefined) return null;
  const { dy, inputGates, hiddenGates, hidden } = call.inputs;
  const [batch, size]: readonly number[] = hidden.shape;
  const outputs = [inputGates, hiddenGates, hidden].map(({ shape }) => wasm.allocateOutput(shape));
  wasm.exports.gruCellGradient(
    wasm.pointer(dy),
    wasm.pointer(inputGates),
    wasm.pointer(hiddenGates),
    wasm.pointer(hidden),
    wasm.pointer(outputs[0]),
    wasm.pointer(outputs[1]),
    wasm.pointer(outputs[2]),
    batch,
    size,
  );
  return outputs;
}
