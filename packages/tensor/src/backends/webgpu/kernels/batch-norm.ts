import type { KernelBackend, TensorInfo } from "@tensorflow/tfjs-core";
import type { KernelCall } from "../../../kernels/define-kernel.js";
import type { EpsilonAttributes } from "../../../ops/normalization.js";
import { dispatch, f32, u32 } from "../dispatch.js";

/** Threads wanted for the first stage of a sum over rows; a chunk of rows a thread and channel. */
const WANTED_THREADS = 16384;
/** Most chunks: one thread a channel adds them up. */
const MOST_CHUNKS = 256;

/** How many rows one thread of the first stage adds up, and how many such chunks there are. */
function chunksOf(rows: number, channels: number): { chunkRows: number; chunks: number } {
  const wanted = Math.min(MOST_CHUNKS, Math.max(1, Math.floor(WANTED_THREADS / channels)));
  const chunkRows = Math.max(1, Math.ceil(rows / wanted));
  return { chunkRows, chunks: Math.ceil(rows / chunkRows) };
}

/**
 * Two sums over the rows of each channel, in two stages.
 * @param perRow WGSL that adds row `row`'s part to `first` and `second`; `at` is its element, `channel` its channel.
 */
function sumRows(
  backend: KernelBackend,
  name: string,
  inputs: Readonly<Record<string, TensorInfo>>,
  [rows, channels]: readonly number[],
  epsilon: number,
  perRow: string,
): [TensorInfo, TensorInfo] {
  const { chunkRows, chunks } = chunksOf(rows, channels);
  const partial = { shape: [chunks, channels], dtype: "float32" } as const;
  const [firsts, seconds] = dispatch(backend, {
    name: `${name}Sums`,
    inputs,
    outputs: { firsts: partial, seconds: partial },
    uniforms: { rows: u32(rows), channels: u32(channels), chunkRows: u32(chunkRows), epsilon: f32(epsilon) },
    threads: chunks * channels,
    body: () => `
let channel = index % uniforms.channels;
let start = index / uniforms.channels * uniforms.chunkRows;
var first = 0.0;
var second = 0.0;
for (var row = start; row < min(start + uniforms.chunkRows, uniforms.rows); row++) {
  let at = row * uniforms.channels + channel;
  ${perRow}
}
firsts[index] = first;
seconds[index] = second;`,
  });
  const whole = { shape: [channels], dtype: "float32" } as const;
  const [first, second] = dispatch(backend, {
    name: "AddChunks",
    inputs: { firsts, seconds },
    outputs: { first: whole, second: whole },
    uniforms: { channels: u32(channels), chunks: u32(chunks) },
    threads: channels,
    body: () => `
var total = vec2<f32>();
for (var chunk = 0u; chunk < uniforms.chunks; chunk++) {
  let at = chunk * uniforms.channels + index;
  total += vec2<f32>(firsts[at], seconds[at]);
}
first[index] = total.x;
second[index] = total.y;`,
  });
  backend.disposeData(firsts.dataId);
  backend.disposeData(seconds.dataId);
  return [first, second];
}

/** `ai/BatchNormTraining`: x `[rows, channels]` → y, mean and variance. */
export function batchNormTrainingWebgpu({ inputs, attrs, backend }: KernelCall<EpsilonAttributes>): TensorInfo[] {
  const { x, weight, bias } = inputs;
  const [rows, channels] = x.shape;
  // shifted by the first row, so that a large mean does not eat the digits of the variance
  const [first, second] = sumRows(
    backend,
    "BatchNormTraining",
    { x },
    x.shape,
    attrs.epsilon,
    "let shifted = x[at] - x[channel]; first += shifted; second += shifted * shifted;",
  );
  const whole = { shape: [channels], dtype: "float32" } as const;
  const [mean, variance] = dispatch(backend, {
    name: "BatchNormStatistics",
    inputs: { x, first, second },
    outputs: { mean: whole, variance: whole },
    uniforms: { rows: f32(rows) },
    threads: channels,
    body: () => `
let offset = first[index] / uniforms.rows;
mean[index] = x[index] + offset;
variance[index] = max(0.0, second[index] / uniforms.rows - offset * offset);`,
  });
  backend.disposeData(first.dataId);
  backend.disposeData(second.dataId);
  const [y] = dispatch(backend, {
    name: "BatchNormTraining",
    inputs: { x, mean, variance, ...(weight && { weight }), ...(bias && { bias }) },
    outputs: { y: { shape: x.shape, dtype: "float32" } },
    uniforms: { channels: u32(channels), epsilon: f32(attrs.epsilon) },
    threads: rows * channels,
    body: () => `
let channel = index % uniforms.channels;
let scale = ${weight ? "weight[channel]" : "1.0"} / sqrt(variance[channel] + uniforms.epsilon);
y[index] = (x[index] - mean[channel]) * scale${bias ? " + bias[channel]" : ""};`,
  });
  return [y, mean, variance];
}

/** `ai/BatchNormBackprop` → dx, dweight, dbias. */
export function batchNormBackpropWebgpu({ inputs, attrs, backend }: KernelCall<EpsilonAttributes>): TensorInfo[] {
  const { x, dy, mean, variance, weight } = inputs;
  const [rows, channels] = x.shape;
  const [along, total] = sumRows(
    backend,
    "BatchNormBackprop",
    { x, dy, mean, variance },
    x.shape,
    attrs.epsilon,
    `first += dy[at] * (x[at] - mean[channel]) / sqrt(variance[channel] + uniforms.epsilon);
  second += dy[at];`,
  );
  const [dx] = dispatch(backend, {
    name: "BatchNormBackprop",
    inputs: { x, dy, mean, variance, along, total, ...(weight && { weight }) },
    outputs: { dx: { shape: x.shape, dtype: "float32" } },
    uniforms: { channels: u32(channels), rows: f32(rows), epsilon: f32(attrs.epsilon) },
    threads: rows * channels,
    body: () => `
let channel = index % uniforms.channels;
let inverse = 1.0 / sqrt(variance[channel] + uniforms.epsilon);
let normalized = (x[index] - mean[channel]) * inverse;
let rest = dy[index] - (total[channel] + normalized * along[channel]) / uniforms.rows;
dx[index] = rest * inverse${weight ? " * weight[channel]" : ""};`,
  });
  return [dx, along, total];
}
