import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { KernelCall } from "../define-kernel.js";
import { compiledEngine, optionalPointer } from "../wasm-call.js";
import { CHUNK_LENGTH } from "./selective-scan.reference.js";

/** Numbers of state whose chunk fits a thread's working memory. */
const MOST_STATES = 128;

/** All sequences and blocks of channels at once, on all threads. */
export function selectiveScanWasm(call: KernelCall): TensorInfo[] | null {
  const { x, step, a, b, c, d } = call.inputs;
  const [channels, state]: readonly number[] = a.shape;
  const wasm = compiledEngine(call);
  if (wasm === undefined || state > MOST_STATES) return null;
  const [batch, length]: readonly number[] = x.shape;
  const outputs = [
    wasm.allocateOutput([batch, length, channels]),
    wasm.allocateOutput([batch, Math.ceil(length / CHUNK_LENGTH), state, channels]),
  ];
  wasm.exports.selectiveScan(
    wasm.pointer(x),
    wasm.pointer(step),
    wasm.pointer(a),
    wasm.pointer(b),
    wasm.pointer(c),
    optionalPointer(wasm, d),
    wasm.pointer(outputs[0]),
    wasm.pointer(outputs[1]),
    batch,
    length,
    channels,
    state,
  );
  return outputs;
}

/** The backward pass, likewise. */
export function selectiveScanGradientWasm(call: KernelCall): TensorInfo[] | null {
  const { dOutput, dStates, x, step, a, b, c, d, states } = call.inputs;
  const [channels, state]: readonly number[] = a.shape;
  const wasm = compiledEngine(call);
  if (wasm === undefined || state > MOST_STATES) return null;
  const [batch, length]: readonly number[] = x.shape;
  const outputs = [x, step, a, b, c, ...(d === undefined ? [] : [d])].map(({ shape }) =>
    wasm.allocateOutput(shape),
  );
  wasm.exports.selectiveScanGradient(
    wasm.pointer(dOutput),
    optionalPointer(wasm, dStates),
    wasm.pointer(x),
    wasm.pointer(step),
    wasm.pointer(a),
    wasm.pointer(b),
    wasm.pointer(c),
    optionalPointer(wasm, d),
    wasm.pointer(states),
    wasm.pointer(outputs[0]),
    wasm.pointer(outputs[1]),
    wasm.pointer(outputs[2]),
    wasm.pointer(outputs[3]),
    wasm.pointer(outputs[4]),
    d === undefined ? 0 : wasm.pointer(outputs[5]),
    wasm.scratch(wasm.exports.selectiveScanBytes(batch, length, channels, state)),
    batch,
    length,
    channels,
    state,
  );
  return outputs;
}
