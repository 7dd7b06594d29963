import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { KernelCall } from "../../../kernels/define-kernel.js";
import type { WasmBackend } from "../backend.js";

/** Numbers of wasm/activation-forward.ts and wasm/activation-gradient.ts: not every activation is in both. */
const ACTIVATIONS = {
  Silu: 0,
  Mish: 1,
  HardSwish: 2,
  HardSigmoid: 3,
  LogSigmoid: 4,
  Elu: 5,
  LeakyRelu: 6,
  Softplus: 7,
  Relu6: 8,
} as const;

/** An activation of `x`, or `dy` through it, in one pass; `first` and `second` are its parameters. */
export function activationWasm(
  { inputs: { dy, x }, backend }: KernelCall,
  name: keyof typeof ACTIVATIONS,
  first = 0,
  second = 0,
): TensorInfo | null {
  const wasm = backend as WasmBackend;
  const sources = dy === undefined ? [x] : [dy, x];
  if (x.size === 0 || !sources.every((source) => wasm.isFloat32(source))) return null;
  const pointers = sources.map((source) => wasm.pointer(source));
  const output = wasm.allocateOutput(x.shape);
  const rest = [wasm.pointer(output), x.size, first, second] as const;
  const operation = ACTIVATIONS[name];
  if (dy === undefined) wasm.exports.activate(operation, pointers[0], ...rest);
  else wasm.exports.activationGradient(operation, pointers[0], pointers[1], ...rest);
  return output;
}
