import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { KernelCall } from "../define-kernel.js";
import { compiledEngine } from "../wasm-call.js";

/** The sums, an item a task. */
export function linearChainWasm(call: KernelCall): TensorInfo | null {
  const wasm = compiledEngine(call);
  if (wasm === undefined) return null;
  const { emissions, transitions, start, end, lengths } = call.inputs;
  const [batch, steps, tags]: readonly number[] = emissions.shape;
  const output = wasm.allocateOutput([batch]);
  wasm.exports.linearChain(
    wasm.pointer(emissions),
    wasm.pointer(transitions),
    wasm.pointer(start),
    wasm.pointer(end),
    wasm.pointer(lengths),
    wasm.pointer(output),
    wasm.scratch(wasm.exports.linearChainBytes(0, tags, wasm.runtime.pool.threads)),
    batch,
    steps,
    tags,
  );
  return output;
}

/** The gradients, likewise. */
export function linearChainGradientWasm(call: KernelCall): TensorInfo[] | null {
  const wasm = compiledEngine(call);
  if (wasm === undefined) return null;
  const { dy, emissions, transitions, start, end, lengths } = call.inputs;
  const [batch, steps, tags]: readonly number[] = emissions.shape;
  const outputs = [
    wasm.allocateOutput([batch, steps, tags]),
    wasm.allocateOutput([batch, tags, tags]),
    wasm.allocateOutput([batch, tags]),
  ];
  wasm.exports.linearChainGradient(
    wasm.pointer(dy),
    wasm.pointer(emissions),
    wasm.pointer(transitions),
    wasm.pointer(start),
    wasm.pointer(end),
    wasm.pointer(lengths),
    wasm.pointer(outputs[0]),
    wasm.pointer(outputs[1]),
    wasm.pointer(outputs[2]),
    wasm.scratch(wasm.exports.linearChainBytes(steps, tags, wasm.runtime.pool.threads)),
    batch,
    steps,
    tags,
  );
  return outputs;
}
