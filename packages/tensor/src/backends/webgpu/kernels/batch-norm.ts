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

/** Over the rows of each channel, in two stages: the sum of dy times the normalised input, and the sum of dy. */
function gradientSums(
  backend: KernelBackend,
  inputs: Record<string, TensorInfo>,
  epsilon: number,
): TensorInfo[] {
  const [rows, channels] = inputs.x.shape;
  const { chunkRows, chunks } = chunksOf(rows, channels);
  const partial = { shape: [chunks, channels], dtype: "float32" } as const;
  const [firsts, seconds] = dispatch(backend, {
    name: "BatchNormBackpropChunks",
    inputs,
    outputs: { firsts: partial, seconds: partial },
    uniforms: { rows: u32(rows), channels: u32(channels), chunkRows: u32(chunkRows), epsilon: f32(epsilon) },
    threads: chunks * channels,
    body: () => `
let channel = index % uniforms.channels;
let start = index / uniforms.channels * uniforms.chunkRows;
let inverse = 1.0 / sqrt(variance[channel] + uniforms.epsilon);
var first = 0.0;
var second = 0.0;
for (var row = start; row < min(start + uniforms.chunkRows, uniforms.rows); row++) {
  let at = row * uniforms.channels + channel;
  first += dy[at] * (x[at] - mean[channel]) * inverse;
  second += dy[at];
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

/**
 * Mean and variance of each channel: of chunks of rows first, then of all (Chan's rule), so that a large mean does not eat
 * the digits of the variance. @see Chan, Golub and LeVeque 1983, "Algorithms for computing the sample variance"
 */
function statistics(backend: KernelBackend, x: TensorInfo): [TensorInfo, TensorInfo] {
  const [rows, channels] = x.shape;
  const { chunkRows, chunks } = chunksOf(rows, channels);
  const partial = { shape: [chunks, channels], dtype: "float32" } as const;
  const uniforms = {
    rows: u32(rows),
    channels: u32(channels),
    chunkRows: u32(chunkRows),
    chunks: u32(chunks),
  };
  const [means, deviations] = dispatch(backend, {
    name: "BatchNormChunks",
    inputs: { x },
    outputs: { means: partial, deviations: partial },
    uniforms,
    threads: chunks * channels,
    body: () => `
let channel = index % uniforms.channels;
let start = index / uniforms.channels * uniforms.chunkRows;
let end = min(start + uniforms.chunkRows, uniforms.rows);
var total = 0.0;
for (var row = start; row < end; row++) { total += x[row * uniforms.channels + channel]; }
let center = total / f32(end - start);
var squares = 0.0;
for (var row = start; row < end; row++) {
  let distance = x[row * uniforms.channels + channel] - center;
  squares += distance * distance;
}
means[index] = center;
deviations[index] = squares;`,
  });
  const whole = { shape: [channels], dtype: "float32" } as const;
  const [mean, variance] = dispatch(backend, {
    name: "BatchNormStatistics",
    inputs: { means, deviations },
    outputs: { mean: whole, variance: whole },
    uniforms,
    threads: channels,
    body: () => `
var total = 0.0;
for (var chunk = 0u; chunk < uniforms.chunks; chunk++) {
  let count = min(uniforms.chunkRows, uniforms.rows - chunk * uniforms.chunkRows);
  total += f32(count) * means[chunk * uniforms.channels + index];
}
let center = total / f32(uniforms.rows);
var squares = 0.0;
for (var chunk = 0u; chunk < uniforms.chunks; chunk++) {
  let count = min(uniforms.chunkRows, uniforms.rows - chunk * uniforms.chunkRows);
  let distance = means[chunk * uniforms.channels + index] - center;
  squares += deviations[chunk * uniforms.channels + index] + f32(count) * distance * distance;
}
mean[index] = center;
variance[index] = squares / f32(uniforms.rows);`,
  });
  backend.disposeData(means.dataId);
  backend.disposeData(deviations.dataId);
  return [mean, variance];
}

/** `ai/BatchNormTraining`: x `[rows, channels]` → y, mean and variance. */
export function batchNormTrainingWebgpu({
  inputs,
  attrs,
  backend,
}: KernelCall<EpsilonAttributes>): TensorInfo[] {
  const { x, weight, bias } = inputs;
  const [rows, channels] = x.shape;
  const [mean, variance] = statistics(backend, x);
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
export function batchNormBackpropWebgpu({
  inputs,
  attrs,
  backend,
}: KernelCall<EpsilonAttributes>): TensorInfo[] {
  const { x, dy, mean, variance, weight } = inputs;
  const [rows, channels] = x.shape;
  const [along, total] = gradientSums(backend, { x, dy, mean, variance }, attrs.epsilon);
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
