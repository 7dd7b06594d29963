import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { KernelCall } from "../define-kernel.js";
import { compiledEngine } from "../wasm-call.js";
import type { CtcLossAttributes } from "./ctc-loss-items.js";

export function ctcLossWasm(call: KernelCall<CtcLossAttributes>): TensorInfo[] | null {
  const wasm = compiledEngine(call);
  if (wasm === undefined) return null;
  const { logProbabilities, targets, inputLengths, targetLengths } = call.inputs;
  const [batch, time, classes]: readonly number[] = logProbabilities.shape;
  const [, labels]: readonly number[] = targets.shape;
  const outputs = [wasm.allocateOutput([batch]), wasm.allocateOutput([batch, time, 2 * labels + 1])];
  wasm.exports.ctcLoss(
    wasm.pointer(logProbabilities),
    wasm.pointer(targets),
    wasm.pointer(inputLengths),
    wasm.pointer(targetLengths),
    wasm.pointer(outputs[0]),
    wasm.pointer(outputs[1]),
    batch,
    time,
    classes,
    labels,
    call.attrs.blank,
    wasm.scratch(wasm.exports.ctcBytes(labels) * wasm.runtime.pool.threads),
  );
  return outputs;
}

export function ctcLossGradientWasm(call: KernelCall<CtcLossAttributes>): TensorInfo | null {
  const wasm = compiledEngine(call);
  if (wasm === undefined) return null;
  const { dy, logProbabilities, targets, inputLengths, targetLengths, losses, alphas } = call.inputs;
  const [batch, time, classes]: readonly number[] = logProbabilities.shape;
  const [, labels]: readonly number[] = targets.shape;
  const output = wasm.allocateOutput(logProbabilities.shape);
  wasm.exports.ctcLossGradient(
    wasm.pointer(dy),
    wasm.pointer(logProbabilities),
    wasm.pointer(targets),
    wasm.pointer(inputLengths),
    wasm.pointer(targetLengths),
    wasm.pointer(losses),
    wasm.pointer(alphas),
    wasm.pointer(output),
    batch,
    time,
    classes,
    labels,
    call.attrs.blank,
    Number(call.attrs.zeroInfinity),
    wasm.scratch(wasm.exports.ctcBytes(labels) * wasm.runtime.pool.threads),
  );
  return output;
}
