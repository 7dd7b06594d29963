import type { TensorInfo } from "@tensorflow/tfjs-core";
import { dispatch, type Uniform, u32 } from "../../backends/webgpu/dispatch.js";
import { wgslFunctions } from "../../backends/webgpu/kernels/wgsl.js";
import { sizeOf } from "../../shape.js";
import type { KernelCall } from "../define-kernel.js";
import { CHUNK_LENGTH } from "./selective-scan.reference.js";

const declarations = (): string => wgslFunctions(["exp"]);

/** What all kernels of a scan know. */
export function scanUniforms({ x, a }: KernelCall["inputs"]): Record<string, Uniform> {
  const [, length, channels]: readonly number[] = x.shape;
  return {
    length: u32(length),
    channels: u32(channels),
    state: u32(a.shape[1] ?? 0),
    chunks: u32(Math.ceil(length / CHUNK_LENGTH)),
  };
}

/** WGSL: the chunk of `place`, a number over `[batch, chunks]`: its steps, and where the states behind it lie. */
export const chunkOf = (place: string): string => `
let item = ${place} / uniforms.chunks;
let chunk = ${place} % uniforms.chunks;
let first = item * uniforms.length + chunk * ${CHUNK_LENGTH}u;
let count = min(${CHUNK_LENGTH}u, uniforms.length - chunk * ${CHUNK_LENGTH}u);
let kept = ${place} * uniforms.state * uniforms.channels;`;

/** A loop of WGSL over a chunk's steps. */
export const eachStep = (statements: string): string => `for (var t = 0u; t < count; t++) { ${statements} }`;

/** WGSL: index of the state number `n` of a chunk's last step; of `b` and `c` at step `t`; of a channel at step `t`. */
export const KEPT = "kept + n * uniforms.channels + channel";
export const STEP_STATE = "(first + t) * uniforms.state + n";
export const STEP_CHANNEL = "(first + t) * uniforms.channels + channel";

/**
 * A thread a channel and chunk of steps, each from states of 0; then the chunks' last states are passed on, a thread a
 * number of state (`h → e^(a·Σ step) · h + end`); then each thread reads its chunk with the states before it.
 */
export function selectiveScanWebgpu({ inputs, backend }: KernelCall): TensorInfo[] | null {
  const { x, step, a, b, c, d } = inputs;
  const [batch, length, channels]: readonly number[] = x.shape;
  const [, state]: readonly number[] = a.shape;
  if (sizeOf(x.shape) === 0 || state === 0) return null;
  const chunks = Math.ceil(length / CHUNK_LENGTH);
  const common = { uniforms: scanUniforms(inputs), declarations };
  const [states, widths] = dispatch(backend, {
    ...common,
    name: "SelectiveScanChunks",
    inputs: { x, step, a, b },
    outputs: {
      states: { shape: [batch, chunks, state, channels], dtype: "float32" },
      widths: { shape: [batch, chunks, channels], dtype: "float32" },
    },
    threads: batch * chunks * channels,
    body: () => `
let channel = index % uniforms.channels;
${chunkOf("(index / uniforms.channels)")}
var steps: array<f32, ${CHUNK_LENGTH}>;
var updates: array<f32, ${CHUNK_LENGTH}>;
var width = 0.0;
${eachStep(`
  steps[t] = step[${STEP_CHANNEL}];
  updates[t] = steps[t] * x[${STEP_CHANNEL}];
  width += steps[t];`)}
widths[index] = width;
for (var n = 0u; n < uniforms.state; n++) {
  let rate = a[channel * uniforms.state + n];
  var h = updates[0] * b[first * uniforms.state + n];
  ${eachStep(`if (t > 0u) { h = expOf(steps[t] * rate) * h + updates[t] * b[${STEP_STATE}]; }`)}
  states[${KEPT}] = h;
}`,
  });
  if (chunks > 1)
    dispatch(backend, {
      ...common,
      name: "SelectiveScanCarries",
      inputs: { a, widths },
      inPlace: { states },
      threads: batch * state * channels,
      body: () => `
let channel = index % uniforms.channels;
let n = index / uniforms.channels % uniforms.state;
let item = index / uniforms.channels / uniforms.state;
let rate = a[channel * uniforms.state + n];
var carried = 0.0;
for (var chunk = 0u; chunk < uniforms.chunks; chunk++) {
  let place = item * uniforms.chunks + chunk;
  let here = (place * uniforms.state + n) * uniforms.channels + channel;
  // a state of 0 stays 0 however much the chunk would make it grow
  if ((bitcast<u32>(carried) & 0x7fffffffu) != 0u) {
    states[here] += expOf(rate * widths[place * uniforms.channels + channel]) * carried;
  }
  carried = states[here];
}`,
    });
  backend.disposeData(widths.dataId);
  const [output] = dispatch(backend, {
    ...common,
    name: "SelectiveScan",
    inputs: { x, step, a, b, c, states, ...(d === undefined ? {} : { d }) },
    outputs: { output: { shape: x.shape, dtype: "float32" } },
    threads: batch * chunks * channels,
    body: () => `
let channel = index % uniforms.channels;
${chunkOf("(index / uniforms.channels)")}
var steps: array<f32, ${CHUNK_LENGTH}>;
var updates: array<f32, ${CHUNK_LENGTH}>;
var sums: array<f32, ${CHUNK_LENGTH}>;
${eachStep(`
  steps[t] = step[${STEP_CHANNEL}];
  let input = x[${STEP_CHANNEL}];
  updates[t] = steps[t] * input;
  sums[t] = ${d === undefined ? "0.0" : "d[channel] * input"};`)}
for (var n = 0u; n < uniforms.state; n++) {
  let rate = a[channel * uniforms.state + n];
  var h = 0.0;
  if (chunk > 0u) { h = states[${KEPT} - uniforms.state * uniforms.channels]; }
  ${eachStep(`
    let update = updates[t] * b[${STEP_STATE}];
    if (chunk == 0u && t == 0u) { h = update; }
    else { h = expOf(steps[t] * rate) * h + update; }
    sums[t] += h * c[${STEP_STATE}];`)}
}
${eachStep(`output[${STEP_CHANNEL}] = sums[t];`)}`,
  });
  return [output, states];
}
