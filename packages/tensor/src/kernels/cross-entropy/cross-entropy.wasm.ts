import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { KernelCall } from "../define-kernel.js";
import { compiledEngine } from "../wasm-call.js";
import type { CrossEntropyRowsAttributes } from "./cross-entropy-rows.js";

export function crossEntropyRowsWasm(call: KernelCall<CrossEntropyRowsAttributes>): TensorInfo[] | null {
  const wasm = compiledEngine(call);
  if (wasm === undefined) return null;
  const { logits, targets } = call.inputs;
  const [rows, classes]: readonly number[] = logits.shape;
  const outputs = [wasm.allocateOutput([rows]), wasm.allocateOutput([rows])];
  wasm.exports.crossEntropy(
    wasm.pointer(logits),
    wasm.pointer(targets),
    wasm.pointer(outputs[0]),
    wasm.pointer(outputs[1]),
    rows,
    classes,
    call.attrs.ignoreIndex,
  );
  return outputs;
}

export function crossEntropyRowsGradientWasm(
  call: KernelCall<CrossEntropyRowsAttributes>,
): TensorInfo | null {
  const wasm = compiledEngine(call);
  if (wasm === undefined) return null;
  const { dy, logits, targets, logSums } = call.inputs;
  const [rows, classes]: readonly number[] = logits.shape;
  const output = wasm.allocateOutput(logits.shape);
  wasm.exports.crossEntropyGradient(
    wasm.pointer(dy),
    wasm.pointer(logits),
    wasm.pointer(targets),
    wasm.pointer(logSums),
    wasm.pointer(output),
    rows,
    classes,
    call.attrs.ignoreIndex,
  );
  return output;
}
