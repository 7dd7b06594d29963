// Batch normalization of [rows, channels]: statistics of columns, then one pass over the rows.
import { scratch } from "./layout";
import { loadPart, storePart } from "./partial";

/** Rows summed in float32 before the sum goes into doubles. */
const ROW_BLOCK: i32 = 32;

/** `output[c] = Σ g · (x − mean[c]) / divisor` over the rows, where g is `x − mean[c]` itself when `gradient` is 0. */
export function centredColumns(
  gradient: usize,
  x: usize,
  mean: usize,
  output: usize,
  rows: i32,
  channels: i32,
  divisor: f64,
): void {
  const stride = <usize>channels << 2,
    sums = scratch();
  for (let channel = 0; channel < channels; channel += 4) {
    const left = channels - channel,
      f = <usize>channel << 2;
    memory.fill(sums, 0, 32);
    let p = x + f,
      g = gradient ? gradient + f : 0;
    const means = loadPart(mean + f, left);
    for (let row = 0; row < rows; row += ROW_BLOCK) {
      const count = min(ROW_BLOCK, rows - row);
      addBlock(g, p, means, count, stride, left, sums);
      p += <usize>count * stride;
      if (g) g += <usize>count * stride;
    }
    for (let lane = 0; lane < min(4, left); lane++)
      store<f32>(output + f + (<usize>lane << 2), <f32>(load<f64>(sums + (<usize>lane << 3)) / divisor));
  }
}

function addBlock(gradient: usize, x: usize, means: v128, rows: i32, stride: usize, left: i32, sums: usize): void {
  let partial = f32x4.splat(0);
  for (let row = 0; row < rows; row++) {
    const centred = f32x4.sub(loadPart(x, left), means);
    const factor = gradient ? loadPart(gradient, left) : centred;
    partial = f32x4.add(partial, f32x4.mul(factor, centred));
    x += stride;
    if (gradient) gradient += stride;
  }
  v128.store(sums, f64x2.add(v128.load(sums), f64x2.promote_low_f32x4(partial)));
  const high = v128.shuffle<i64>(partial, partial, 1, 1);
  v128.store(sums, f64x2.add(v128.load(sums, 16), f64x2.promote_low_f32x4(high)), 16);
}

/** `output = (x − mean) · scale + bias`, each per channel. */
export function batchNorm(
  x: usize,
  mean: usize,
  scale: usize,
  bias: usize,
  output: usize,
  rows: i32,
  channels: i32,
): void {
  const bytes = <usize>channels << 2;
  for (let row = 0; row < rows; row++) {
    normalizeRow(x, mean, scale, bias, output, channels);
    x += bytes;
    output += bytes;
  }
}

function normalizeRow(x: usize, mean: usize, scale: usize, bias: usize, output: usize, channels: i32): void {
  for (let channel = 0; channel < channels; channel += 4) {
    const left = channels - channel,
      f = <usize>channel << 2;
    const centred = f32x4.sub(loadPart(x + f, left), loadPart(mean + f, left));
    const value = f32x4.add(f32x4.mul(centred, loadPart(scale + f, left)), loadPart(bias + f, left));
    storePart(output + f, value, left);
  }
}

/** `dx = factor · (dy − total − (x − mean) · along)`, each but dy and x per channel. */
export function batchNormInputGradient(
  dy: usize,
  x: usize,
  mean: usize,
  factor: usize,
  total: usize,
  along: usize,
  dx: usize,
  rows: i32,
  channels: i32,
): void {
  const bytes = <usize>channels << 2;
  for (let row = 0; row < rows; row++) {
    inputGradientRow(dy, x, mean, factor, total, along, dx, channels);
    dy += bytes;
    x += bytes;
    dx += bytes;
  }
}

function inputGradientRow(
  dy: usize,
  x: usize,
  mean: usize,
  factor: usize,
  total: usize,
  along: usize,
  dx: usize,
  channels: i32,
): void {
  for (let channel = 0; channel < channels; channel += 4) {
    const left = channels - channel,
      f = <usize>channel << 2;
    const centred = f32x4.sub(loadPart(x + f, left), loadPart(mean + f, left));
    const rest = f32x4.sub(
      f32x4.sub(loadPart(dy + f, left), loadPart(total + f, left)),
      f32x4.mul(centred, loadPart(along + f, left)),
    );
    storePart(dx + f, f32x4.mul(rest, loadPart(factor + f, left)), left);
  }
}
