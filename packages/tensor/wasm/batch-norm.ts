// Batch normalization of [rows, channels]: statistics of columns, then one pass over the rows.
import { divideUp } from "./layout";
import { loadPart, storePart } from "./partial";
import { addressArgument, argument, forRange, forTasks, setArgument } from "./threads";

/** Rows summed in float32 before the sum goes into doubles. */
const ROW_BLOCK: i32 = 32;

/** Rows of the least part whose sums are kept apart, and the most parts. */
const PART_ROWS: i32 = 256;
const MOST_PARTS: i32 = 16;
/** Time of an element on one thread. */
const NANOSECONDS: f32 = 0.6;

/** Parts of the rows whose sums are kept apart: depends on the sizes alone, so that bits do not depend on threads. */
export function columnParts(rows: i32): i32 {
  return min(MOST_PARTS, divideUp(rows, PART_ROWS));
}

/** Sums of one part of the rows, as doubles: a block of rows that lies in the first-level cache after the other. */
function centredPart(part: i32, _: i32): void {
  const mean = addressArgument(2),
    rows = argument(4),
    channels = argument(5),
    stride = <usize>channels << 2,
    each = divideUp(rows, argument(6)),
    from = min(rows, part * each),
    to = min(rows, from + each),
    sumBytes = (<usize>(channels + 3) & ~3) << 3,
    sums = addressArgument(3) + <usize>part * sumBytes;
  let gradient = addressArgument(0),
    x = addressArgument(1) + <usize>from * stride;
  if (gradient) gradient += <usize>from * stride;
  memory.fill(sums, 0, sumBytes);
  for (let row = from; row < to; row += ROW_BLOCK) {
    const count = min(ROW_BLOCK, to - row);
    for (let channel = 0; channel < channels; channel += 4) {
      const left = channels - channel,
        f = <usize>channel << 2;
      addBlock(gradient ? gradient + f : 0, x + f, loadPart(mean + f, left), count, stride, left, sums + (f << 1));
    }
    x += <usize>count * stride;
    if (gradient) gradient += <usize>count * stride;
  }
}

/**
 * `output[c] = Σ g · (x − mean[c]) / divisor` over the rows, where g is `x − mean[c]` itself when `gradient` is 0.
 * @param sums Room for {@link columnParts} times `channels` doubles, channels rounded up to a multiple of 4.
 */
export function centredColumns(
  gradient: usize,
  x: usize,
  mean: usize,
  output: usize,
  sums: usize,
  rows: i32,
  channels: i32,
  divisor: f64,
): void {
  const parts = columnParts(rows),
    sumBytes = (<usize>(channels + 3) & ~3) << 3;
  setArgument(0, gradient);
  setArgument(1, x);
  setArgument(2, mean);
  setArgument(3, sums);
  setArgument(4, rows);
  setArgument(5, channels);
  setArgument(6, parts);
  forTasks(centredPart, parts, <f32>rows * <f32>channels * NANOSECONDS);
  for (let channel = 0; channel < channels; channel++) {
    let sum: f64 = 0,
      p = sums + (<usize>channel << 3);
    for (let part = 0; part < parts; part++) {
      sum += load<f64>(p);
      p += sumBytes;
    }
    store<f32>(output + (<usize>channel << 2), <f32>(sum / divisor));
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

function normalizeRows(from: i32, to: i32): void {
  const mean = addressArgument(1),
    scale = addressArgument(2),
    bias = addressArgument(3),
    channels = argument(5),
    bytes = <usize>channels << 2;
  let x = addressArgument(0) + <usize>from * bytes,
    output = addressArgument(4) + <usize>from * bytes;
  for (let row = from; row < to; row++) {
    normalizeRow(x, mean, scale, bias, output, channels);
    x += bytes;
    output += bytes;
  }
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
  setArgument(0, x);
  setArgument(1, mean);
  setArgument(2, scale);
  setArgument(3, bias);
  setArgument(4, output);
  setArgument(5, channels);
  forRange(normalizeRows, rows, 16, 2 + <f32>channels * NANOSECONDS);
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

function inputGradientRows(from: i32, to: i32): void {
  const mean = addressArgument(2),
    factor = addressArgument(3),
    total = addressArgument(4),
    along = addressArgument(5),
    channels = argument(7),
    bytes = <usize>channels << 2,
    offset = <usize>from * bytes;
  let dy = addressArgument(0) + offset,
    x = addressArgument(1) + offset,
    dx = addressArgument(6) + offset;
  for (let row = from; row < to; row++) {
    inputGradientRow(dy, x, mean, factor, total, along, dx, channels);
    dy += bytes;
    x += bytes;
    dx += bytes;
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
  setArgument(0, dy);
  setArgument(1, x);
  setArgument(2, mean);
  setArgument(3, factor);
  setArgument(4, total);
  setArgument(5, along);
  setArgument(6, dx);
  setArgument(7, channels);
  forRange(inputGradientRows, rows, 16, 2 + <f32>channels * NANOSECONDS);
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
