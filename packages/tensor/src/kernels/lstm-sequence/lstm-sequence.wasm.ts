import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { KernelCall } from "../define-kernel.js";
import { compiledEngine, optionalPointer } from "../wasm-call.js";
import type { LstmSequenceAttributes } from "./lstm-sequence.js";

/** The chain in one call: each step's product and cell are one job of all threads. */
export function lstmSequenceWasm(call: KernelCall<LstmSequenceAttributes>): TensorInfo[] | null {
  const wasm = compiledEngine(call);
  if (wasm === undefined) return null;
  const { inputGates, hiddenWeight, hidden, cell } = call.inputs;
  const [length, batch, width]: readonly number[] = inputGates.shape;
  const size = width / 4;
  const outputs = [
    wasm.allocateOutput([length, batch, size]),
    wasm.allocateOutput([length, batch, size]),
    wasm.allocateOutput([length, batch, width]),
  ];
  wasm.exports.lstmSequence(
    wasm.pointer(inputGates),
    wasm.pointer(hiddenWeight),
    wasm.pointer(hidden),
    wasm.pointer(cell),
    wasm.pointer(outputs[0]),
    wasm.pointer(outputs[1]),
    wasm.pointer(outputs[2]),
    wasm.scratch(wasm.exports.lstmSequenceBytes(batch, size)),
    length,
    batch,
    size,
    Number(call.attrs.reverse),
  );
  return outputs;
}

/** The backward chain, likewise. */
export function lstmSequenceGradientWasm(call: KernelCall<LstmSequenceAttributes>): TensorInfo[] | null {
  const wasm = compiledEngine(call);
  if (wasm === undefined) return null;
  const { dHiddens, dCells, dGates, gates, cells, cell, hiddenWeight } = call.inputs;
  const [length, batch, width]: readonly number[] = gates.shape;
  const size = width / 4;
  const outputs = [
    wasm.allocateOutput([length, batch, width]),
    wasm.allocateOutput([batch, size]),
    wasm.allocateOutput([batch, size]),
  ];
  wasm.exports.lstmSequenceGradient(
    wasm.pointer(dHiddens),
    optionalPointer(wasm, dCells),
    optionalPointer(wasm, dGates),
    wasm.pointer(gates),
    wasm.pointer(cells),
    wasm.pointer(cell),
    wasm.pointer(hiddenWeight),
    wasm.pointer(outputs[0]),
    wasm.pointer(outputs[1]),
    wasm.pointer(outputs[2]),
    wasm.scratch(wasm.exports.lstmSequenceBytes(batch, size)),
    length,
    batch,
    size,
    Number(call.attrs.reverse),
  );
  return outputs;
}
