import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { KernelCall } from "../define-kernel.js";
import { compiledEngine, optionalPointer } from "../wasm-call.js";
import type { GruSequenceAttributes } from "./gru-sequence.js";

/** The chain in one call: each step's product and cell are one job of all threads. */
export function gruSequenceWasm(call: KernelCall<GruSequenceAttributes>): TensorInfo[] | null {
  const wasm = compiledEngine(call);
  if (wasm === undefined) return null;
  const { inputGates, hiddenWeight, hiddenBias, hidden } = call.inputs;
  const [length, batch, width]: readonly number[] = inputGates.shape;
  const size = width / 3;
  const outputs = [
    wasm.allocateOutput([length, batch, size]),
    wasm.allocateOutput([length, batch, 4 * size]),
  ];
  wasm.exports.gruSequence(
    wasm.pointer(inputGates),
    wasm.pointer(hiddenWeight),
    optionalPointer(wasm, hiddenBias),
    wasm.pointer(hidden),
    wasm.pointer(outputs[0]),
    wasm.pointer(outputs[1]),
    wasm.scratch(wasm.exports.gruSequenceBytes(batch, size)),
    length,
    batch,
    size,
    Number(call.attrs.reverse),
  );
  return outputs;
}

/** The backward chain, likewise. */
export function gruSequenceGradientWasm(call: KernelCall<GruSequenceAttributes>): TensorInfo[] | null {
  const wasm = compiledEngine(call);
  if (wasm === undefined) return null;
  const { dHiddens, dGates, gates, hiddens, hidden, hiddenWeight } = call.inputs;
  const [length, batch, size]: readonly number[] = hiddens.shape;
  const outputs = [
    wasm.allocateOutput([length, batch, 3 * size]),
    wasm.allocateOutput([length, batch, 3 * size]),
    wasm.allocateOutput([batch, size]),
  ];
  wasm.exports.gruSequenceGradient(
    wasm.pointer(dHiddens),
    optionalPointer(wasm, dGates),
    wasm.pointer(gates),
    wasm.pointer(hiddens),
    wasm.pointer(hidden),
    wasm.pointer(hiddenWeight),
    wasm.pointer(outputs[0]),
    wasm.pointer(outputs[1]),
    wasm.pointer(outputs[2]),
    wasm.scratch(wasm.exports.gruSequenceBytes(batch, size)),
    length,
    batch,
    size,
    Number(call.attrs.reverse),
  );
  return outputs;
}
