import type { Tensor, TensorInfo } from "@tensorflow/tfjs-core";
import { dispatch, u32 } from "../../backends/webgpu/dispatch.js";
import { wgslFunctions } from "../../backends/webgpu/kernels/wgsl.js";
import { engine } from "../../engine.js";
import { tidy } from "../../memory.js";
import { add, mul } from "../../ops/arithmetic.js";
import { concat } from "../../ops/concat.js";
import { sum } from "../../ops/reduce.js";
import { type Shape, sizeOf } from "../../shape.js";
import type { KernelCall } from "../define-kernel.js";
import { CHUNK_LENGTH } from "./selective-scan.reference.js";
import { chunkOf, eachStep, KEPT, STEP_CHANNEL, STEP_STATE, scanUniforms } from "./selective-scan.webgpu.js";

const declarations = (): string => wgslFunctions(["exp"]);

/** Channels that a thread of {@link stateGradients} adds up. */
const BLOCK = 32;

/** Steps backward, as {@link eachStep} goes forward. */
const eachStepBack = (statements: string): string =>
  `for (var left = count; left > 0u; left--) { let t = left - 1u; ${statements} }`;

/**
 * What comes to the states of each chunk's last step from the steps after it, `[batch, chunks, state, channels]`: each
 * chunk from nothing, then passed on from chunk to chunk, backward.
 */
function arrivingGradients({ inputs, backend }: KernelCall): TensorInfo {
  const { dOutput, dStates, x, step, a, c } = inputs;
  const [batch, length, channels]: readonly number[] = x.shape;
  const [, state]: readonly number[] = a.shape;
  const chunks = Math.ceil(length / CHUNK_LENGTH);
  const common = { uniforms: scanUniforms(inputs), declarations };
  const [arriving, widths] = dispatch(backend, {
    ...common,
    name: "SelectiveScanGradientChunks",
    inputs: { dOutput, step, a, c },
    outputs: {
      arriving: { shape: [batch, chunks, state, channels], dtype: "float32" },
      widths: { shape: [batch, chunks, channels], dtype: "float32" },
    },
    threads: batch * chunks * channels,
    body: () => `
let channel = index % uniforms.channels;
${chunkOf("(index / uniforms.channels)")}
var steps: array<f32, ${CHUNK_LENGTH}>;
var slopes: array<f32, ${CHUNK_LENGTH}>;
var width = 0.0;
${eachStep(`
  steps[t] = step[${STEP_CHANNEL}];
  slopes[t] = dOutput[${STEP_CHANNEL}];
  width += steps[t];`)}
widths[index] = width;
for (var n = 0u; n < uniforms.state; n++) {
  let rate = a[channel * uniforms.state + n];
  var g = 0.0;
  ${eachStepBack(`g = expOf(steps[t] * rate) * (slopes[t] * c[${STEP_STATE}] + g);`)}
  arriving[${KEPT}] = g;
}`,
  });
  dispatch(backend, {
    ...common,
    name: "SelectiveScanGradientCarries",
    inputs: { a, widths, ...(dStates === undefined ? {} : { dStates }) },
    inPlace: { arriving },
    threads: batch * state * channels,
    body: () => `
let channel = index % uniforms.channels;
let n = index / uniforms.channels % uniforms.state;
let item = index / uniforms.channels / uniforms.state;
let rate = a[channel * uniforms.state + n];
var carried = 0.0;
for (var left = uniforms.chunks; left > 0u; left--) {
  let place = item * uniforms.chunks + left - 1u;
  let here = (place * uniforms.state + n) * uniforms.channels + channel;
  ${dStates === undefined ? "" : "carried += dStates[here];"}
  let own = arriving[here];
  arriving[here] = carried;
  // nothing stays nothing however much the chunk would make it grow
  if ((bitcast<u32>(carried) & 0x7fffffffu) != 0u) {
    carried *= expOf(rate * widths[place * uniforms.channels + channel]);
  }
  carried += own;
}`,
  });
  backend.disposeData(widths.dataId);
  return arriving;
}

/** Sums of `rows` rows of a shape, which begin at `start`. */
function sumRows({ backend }: KernelCall, packed: TensorInfo, { start, rows, shape }: Rows): TensorInfo {
  const [total] = dispatch(backend, {
    name: "SelectiveScanGradientSums",
    inputs: { packed },
    outputs: { total: { shape, dtype: "float32" } },
    uniforms: { start: u32(start), rows: u32(rows) },
    threads: sizeOf(shape),
    body: () => `
var sum = 0.0;
for (var row = 0u; row < uniforms.rows; row++) { sum += packed[uniforms.start + row * uniforms.count + index]; }
total[index] = sum;`,
  });
  return total;
}

interface Rows {
  readonly start: number;
  readonly rows: number;
  readonly shape: Shape;
}

/** WGSL: a channel's chunk again from the states before it: what each step keeps, and the states `after` each step. */
const forwardAgain = (eachAfter: string): string => `
let rate = a[channel * uniforms.state + n];
var before = 0.0;
if (chunk > 0u) { before = states[${KEPT} - uniforms.state * uniforms.channels]; }
var h = before;
${eachStep(`
  let update = updates[t] * readAndWrite[${STEP_STATE}];
  decays[t] = expOf(steps[t] * rate);
  if (chunk == 0u && t == 0u) { h = update; }
  else { h = decays[t] * h + update; }
  ${eachAfter}`)}
var g = arriving[${KEPT}];`;

/** WGSL: adds to `g`, the gradient of a step's state, what the step's output gives. */
const fromOutput = (slope: string): string =>
  `g += ${slope} * readAndWrite[uniforms.rows * uniforms.state + ${STEP_STATE}];`;

const arrays = (...names: string[]): string =>
  names.map((name) => `var ${name}: array<f32, ${CHUNK_LENGTH}>;`).join("\n");

/** A thread a channel and chunk. All results lie in one tensor: a kernel binds at most eight. @returns gradients of x, step, a */
function channelGradients(call: KernelCall, arriving: TensorInfo, readAndWrite: Tensor): TensorInfo[] {
  const { dOutput, x, step, a, states } = call.inputs;
  const [batch, length, channels]: readonly number[] = x.shape;
  const chunks = Math.ceil(length / CHUNK_LENGTH);
  const inputs: Rows = { start: 0, rows: 1, shape: x.shape };
  const widths: Rows = { start: x.size, rows: 1, shape: x.shape };
  const rates: Rows = { start: 2 * x.size, rows: batch * chunks, shape: a.shape };
  const [packed] = dispatch(call.backend, {
    name: "SelectiveScanChannelGradients",
    inputs: { dOutput, x, step, a, readAndWrite, states, arriving },
    outputs: { packed: { shape: [rates.start + rates.rows * a.size], dtype: "float32" } },
    uniforms: { ...scanUniforms(call.inputs), rows: u32(batch * length), size: u32(x.size) },
    threads: batch * chunks * channels,
    declarations,
    body: () => `
let channel = index % uniforms.channels;
${chunkOf("(index / uniforms.channels)")}
${arrays("steps", "updates", "slopes", "dInputs", "dWidths", "decays", "after")}
${eachStep(`
  steps[t] = step[${STEP_CHANNEL}];
  updates[t] = steps[t] * x[${STEP_CHANNEL}];
  slopes[t] = dOutput[${STEP_CHANNEL}];`)}
for (var n = 0u; n < uniforms.state; n++) {
  ${forwardAgain("after[t] = h;")}
  var dRate = 0.0;
  ${eachStepBack(`
    ${fromOutput("slopes[t]")}
    var previous = before;
    if (t > 0u) { previous = after[t - 1u]; }
    let dExponent = g * previous * decays[t];
    dInputs[t] += g * readAndWrite[${STEP_STATE}];
    dWidths[t] += dExponent * rate;
    dRate += dExponent * steps[t];
    g *= decays[t];`)}
  packed[2u * uniforms.size + index * uniforms.state + n] = dRate;
}
${eachStep(`
  packed[${STEP_CHANNEL}] = dInputs[t] * steps[t];
  packed[uniforms.size + ${STEP_CHANNEL}] = dInputs[t] * x[${STEP_CHANNEL}] + dWidths[t];`)}`,
  });
  const gradients = [inputs, widths, rates].map((rows) => sumRows(call, packed, rows));
  call.backend.disposeData(packed.dataId);
  return gradients;
}

/** A thread a number of state, chunk and block of channels. @returns gradients of b and c */
function stateGradients(call: KernelCall, arriving: TensorInfo, readAndWrite: Tensor): TensorInfo[] {
  const { dOutput, x, step, a, b, states } = call.inputs;
  const [batch, length, channels]: readonly number[] = x.shape;
  const chunks = Math.ceil(length / CHUNK_LENGTH);
  const blocks = Math.ceil(channels / BLOCK);
  const writes: Rows = { start: 0, rows: blocks, shape: b.shape };
  const reads: Rows = { start: blocks * b.size, rows: blocks, shape: b.shape };
  const [packed] = dispatch(call.backend, {
    name: "SelectiveScanStateGradients",
    inputs: { dOutput, x, step, a, readAndWrite, states, arriving },
    outputs: { packed: { shape: [2 * reads.start], dtype: "float32" } },
    uniforms: { ...scanUniforms(call.inputs), rows: u32(batch * length), blocks: u32(blocks) },
    threads: blocks * batch * chunks * a.shape[1]!,
    declarations,
    body: () => `
let n = index % uniforms.state;
let block = index / uniforms.state % uniforms.blocks;
${chunkOf("(index / uniforms.state / uniforms.blocks)")}
${arrays("steps", "updates", "writes", "reads", "decays")}
let end = min(block * ${BLOCK}u + ${BLOCK}u, uniforms.channels);
for (var channel = block * ${BLOCK}u; channel < end; channel++) {
  ${eachStep(`
    steps[t] = step[${STEP_CHANNEL}];
    updates[t] = steps[t] * x[${STEP_CHANNEL}];`)}
  ${forwardAgain(`reads[t] += h * dOutput[${STEP_CHANNEL}];`)}
  ${eachStepBack(`
    ${fromOutput(`dOutput[${STEP_CHANNEL}]`)}
    writes[t] += g * updates[t];
    g *= decays[t];`)}
}
${eachStep(`
  let place = block * uniforms.rows * uniforms.state + ${STEP_STATE};
  packed[place] = writes[t];
  packed[uniforms.blocks * uniforms.rows * uniforms.state + place] = reads[t];`)}`,
  });
  const gradients = [writes, reads].map((rows) => sumRows(call, packed, rows));
  call.backend.disposeData(packed.dataId);
  return gradients;
}

/** The backward pass. @returns gradients of x, step, a, b, c and, if given, d */
export function selectiveScanGradientWebgpu(call: KernelCall): TensorInfo[] | null {
  const { inputs, backend } = call;
  const { dOutput, x, a, b, c, d } = inputs;
  if (sizeOf(x.shape) === 0 || sizeOf(a.shape) === 0) return null;
  const arriving = arrivingGradients(call);
  const readAndWrite = concat([b, c], { axis: 0 }); // [2 · batch, length, state]
  const [dX, ...others] = [
    ...channelGradients(call, arriving, readAndWrite),
    ...stateGradients(call, arriving, readAndWrite),
  ];
  readAndWrite.dispose();
  backend.disposeData(arriving.dataId);
  if (d === undefined) return [dX, ...others];
  const skipped = engine().makeTensorFromTensorInfo(dX);
  const [whole, shares] = tidy(() => [
    add(skipped, mul(dOutput, d)),
    sum(mul(dOutput, x), { axes: [0, 1] }), // [channels]
  ]);
  skipped.dispose();
  return [whole, ...others, shares];
}
