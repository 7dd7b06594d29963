import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { KernelCall } from "../../../kernels/define-kernel.js";
import type {
  BernoulliAttributes,
  IntegerAttributes,
  NormalAttributes,
  UniformAttributes,
} from "../../../ops/random-kernels.js";
import { keyOf, type StreamPosition } from "../../../philox.js";
import { sizeOf } from "../../../shape.js";
import type { WasmBackend } from "../backend.js";

type StreamWords = [number, number, number, number, number, number];

/** A stream as the kernels take it: halves of the counter, of the stream number and of the key. */
export function streamWords({ seed, stream, counter }: StreamPosition): StreamWords {
  const [keyLow, keyHigh] = keyOf(seed);
  return [counter >>> 0, Math.floor(counter / 2 ** 32), stream[0], stream[1], keyLow, keyHigh];
}

/** n·2⁻²⁴ < probability for the integers n below this one. */
export function keepThreshold(probability: number): number {
  return Math.ceil(probability * 2 ** 24);
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
  const isBool = Number(dtype === "bool");
  const threshold = keepThreshold(probability);
  wasm.exports.bernoulli(wasm.pointer(output), count, ...streamWords(position), threshold, isBool);
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
  wasm.exports.randomUniform(wasm.pointer(output), count, ...streamWords(position), min, max);
  return output;
}

/** `ai/RandomNormal` in WebAssembly: the same words, and doubles in the same order. */
export function randomNormalWasm({
  attrs: { shape, mean, standardDeviation, position },
  backend,
}: KernelCall<NormalAttributes>): TensorInfo | null {
  const count = sizeOf(shape);
  if (count === 0) return null;
  const wasm = backend as WasmBackend;
  const output = wasm.allocateOutput(shape);
  const target = wasm.pointer(output);
  wasm.exports.randomNormal(target, count, ...streamWords(position), mean, standardDeviation);
  return output;
}

/** `ai/RandomInteger` in WebAssembly: the same words, those passed over included. */
export function randomIntegerWasm({
  attrs: { shape, min, max, generator },
  backend,
}: KernelCall<IntegerAttributes>): TensorInfo | null {
  const count = sizeOf(shape);
  if (count === 0) return null;
  const wasm = backend as WasmBackend;
  const output = wasm.allocateOutput(shape, "int32");
  const [span, target, state] = [max - min, wasm.pointer(output), generator.state()];
  const limit = Math.floor(2 ** 32 / span) * span;
  const drawn = wasm.exports.randomIntegers(target, count, ...streamWords(state), min, span, limit);
  generator.setState({ ...state, counter: state.counter + drawn });
  return output;
}
