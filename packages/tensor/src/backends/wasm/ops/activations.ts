import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { KernelCall } from "../../../kernels/define-kernel.js";
import { sizeOf } from "../../../shape.js";
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

type Forward = Exclude<keyof typeof ACTIVATIONS, "LeakyRelu" | "Relu6">;
type Backward = Exclude<keyof typeof ACTIVATIONS, "LogSigmoid">;

/** An activation in one pass; `first` and `second` are its parameters. */
export function activationWasm(
  { inputs: { x }, backend }: KernelCall,
  name: Forward,
  first = 0,
  second = 0,
): TensorInfo | null {
  const wasm = backend as WasmBackend;
  const count = sizeOf(x.shape);
  if (count === 0 || !wasm.isFloat32(x)) return null;
  const source = wasm.pointer(x);
  const output = wasm.allocateOutput(x.shape);
  wasm.exports.activate(ACTIVATIONS[name], source, wasm.pointer(output), count, first, second);
  return output;
}

/** `dy` through an activation of `x` in one pass. */
export function activationGradientWasm(
  { inputs: { dy, x }, backend }: KernelCall,
  name: Backward,
  first = 0,
  second = 0,
): TensorInfo | null {
  const wasm = backend as WasmBackend;
  const count = sizeOf(x.shape);
  if (count === 0 || !wasm.isFloat32(x) || !wasm.isFloat32(dy)) return null;
  const sources = [wasm.pointer(dy), wasm.pointer(x)] as const;
  const output = wasm.allocateOutput(x.shape);
  const target = wasm.pointer(output);
  wasm.exports.activationGradient(ACTIVATIONS[name], ...sources, target, count, first, second);
  return output;
}
