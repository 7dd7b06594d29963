import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { KernelCall } from "../define-kernel.js";
import { compiledEngine } from "../wasm-call.js";

export function lstmCellWasm(call: KernelCall): TensorInfo[] | null {
  const wasm = compiledEngine(call);
  if (wasm === undefined) return null;
  const { gates, cell } = call.inputs;
  const [batch, size]: readonly number[] = cell.shape;
  const outputs = [wasm.allocateOutput(cell.shape), wasm.allocateOutput(cell.shape)];
  const [newHidden, newCell] = outputs.map((output) => wasm.pointer(output));
  wasm.exports.lstmCell(wasm.pointer(gates), wasm.pointer(cell), newHidden, newCell, batch, size);
  return outputs;
}

export function lstmCellGradientWasm(call: KernelCall): TensorInfo[] | null {
  const wasm = compiledEngine(call);
  if (wasm === undefined) return null;
  const { dHidden, dCell, gates, cell } = call.inputs;
  const [batch, size]: readonly number[] = cell.shape;
  const outputs = [wasm.allocateOutput(gates.shape), wasm.allocateOutput(cell.shape)];
  wasm.exports.lstmCellGradient(
    wasm.pointer(dHidden),
    wasm.pointer(dCell),
    wasm.pointer(gates),
    wasm.pointer(cell),
    wasm.pointer(outputs[0]),
    wasm.pointer(outputs[1]),
    batch,
    size,
  );
  return outputs;
}
