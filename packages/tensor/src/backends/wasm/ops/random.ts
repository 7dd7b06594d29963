import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { KernelCall } from "../../../kernels/define-kernel.js";
import type { BernoulliAttributes, UniformAttributes } from "../../../ops/random-kernels.js";
import { keyOf, type StreamPosition } from "../../../philox.js";
import { sizeOf } from "../../../shape.js";
import type { WasmBackend } from "../backend.js";

/** A stream as the kernels take it: halves of the counter, of the stream number and of the key. */
function halves({ seed, stream, counter }: StreamPosition): [number, number, number, number, number, number] {
  const [keyLow, keyHigh] = keyOf(seed);
  return [counter >>> 0, Math.floor(counter / 2 ** 32), stream[0], stream[1], keyLow, keyHigh];
}

/** `ai/Bernoulli` in WebAssembly: the same words, drawn where they are used. */
export function bernoulliWasm({
  attrs: { shape, dtype, probability, position },
  backend,
}: KernelCall<BernoulliAttributes>): TensorInfo | null {
  const count = sizeOf(shape);
  if (count === 0) return null;
  const wasm = backend as WasmBackend;
  const output = wasm.allocateOutput(shape, dtype);
  // n·2⁻²⁴ < probability for the integers n below this one
  const threshold = Math.ceil(probability * 2 ** 24);
  const isBool = Number(dtype === "bool");
  wasm.exports.bernoulli(wasm.pointer(output), count, ...halves(position), threshold, isBool);
  return output;
}

/** `ai/RandomUniform` in WebAssembly: the same words and the same roundings. */
export function randomUniformWasm({
  attrs: { shape, min, max, position },
  backend,
}: KernelCall<UniformAttributes>): TensorInfo | null {
  const count = sizeOf(shape);
  if (count === 0) return null;
  const wasm = backend as WasmBackend;
  const output = wasm.allocateOutput(shape);
  wasm.exports.randomUniform(wasm.pointer(output), count, ...halves(position), min, max);
  return output;
}
