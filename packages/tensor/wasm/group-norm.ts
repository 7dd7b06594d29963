// Group normalization of [batch, cells, channels]: statistics of each sample's columns, joined to groups, then one pass
// over the rows. Sums are taken over fixed parts of a sample's cells, whatever threads there are.
import { divideUp } from "./layout";
import { loadPart, storePart } from "./partial";
import { addressArgument, argument, floatArgument, forRange, forTasks, setArgument, setFloatArgument } from "./threads";

const ROW_BLOCK: i32 = 32;
const PART_CELLS: i32 = 256;
const MOST_PARTS: i32 = 16;
const NANOSECONDS: f32 = 0.6;

const BATCH: i32 = 0;
const CELLS: i32 = 1;
const CHANNELS: i32 = 2;
const GROUPS: i32 = 3;
const EPSILON: i32 = 4;
const X: i32 = 5;
const DY: i32 = 6;
const WEIGHT: i32 = 7;
const BIAS: i32 = 8;
const OUTPUT: i32 = 9;
/** Doubles `[batch, part, channels]`, channels rounded up to a multiple of 4. */
const SUMS: i32 = 10;
/** Floats `[batch, channels]`: what is subtracted, and per kernel what is multiplied and added. */
const MEANS: i32 = 11;
const SCALES: i32 = 12;
const TOTALS: i32 = 13;
const ALONGS: i32 = 14;
/** What a sum is of: x, (x − mean)², dy, or dy · (x − mean). */
const KIND: i32 = 15;
const OF_X: i32 = 0;
const OF_SQUARES: i32 = 1;
const OF_DY: i32 = 2;
const OF_PRODUCTS: i32 = 3;

// @ts-ignore: decorator
@inline
function partsOf(cells: i32): i32 {
  return min(MOST_PARTS, divideUp(cells, PART_CELLS));
}

// @ts-ignore: decorator
@inline
function sumBytes(channels: i32): usize {
  return (<usize>(channels + 3) & ~3) << 3;
}

/** Bytes of working memory of {@link groupNorm} and {@link groupNormGradient}. */
export function groupNormBytes(batch: i32, cells: i32, channels: i32): usize {
  return <usize>batch * (<usize>partsOf(cells) * sumBytes(channels) + 2 * sumBytes(channels) + ((<usize>channels + 3) << 4));
}

function addBlock(g: usize, x: usize, means: v128, rows: i32, stride: usize, left: i32, kind: i32, sums: usize): void {
  let partial = f32x4.splat(0);
  for (let row = 0; row < rows; row++) {
    let value: v128;
    if (kind == OF_X) value = loadPart(x, left);
    else if (kind == OF_DY) value = loadPart(g, left);
    else {
      const centred = f32x4.sub(loadPart(x, left), means);
      value = f32x4.mul(centred, kind == OF_SQUARES ? centred : loadPart(g, left));
    }
    partial = f32x4.add(partial, value);
    x += stride;
    g += stride;
  }
  v128.store(sums, f64x2.add(v128.load(sums), f64x2.promote_low_f32x4(partial)));
  const high = v128.shuffle<i64>(partial, partial, 1, 1);
  v128.store(sums, f64x2.add(v128.load(sums, 16), f64x2.promote_low_f32x4(high)), 16);
}

function sumPart(task: i32, _: i32): void {
  const cells = argument(CELLS),
    channels = argument(CHANNELS),
    kind = argument(KIND),
    parts = partsOf(cells),
    sample = task / parts,
    each = divideUp(cells, parts),
    from = min(cells, (task % parts) * each),
    to = min(cells, from + each),
    stride = <usize>channels << 2,
    start = (<usize>sample * <usize>cells + <usize>from) * stride,
    sums = addressArgument(SUMS) + <usize>task * sumBytes(channels),
    means = addressArgument(MEANS) + <usize>sample * stride;
  let x = addressArgument(X) + start,
    g = addressArgument(DY) + start;
  memory.fill(sums, 0, sumBytes(channels));
  for (let row = from; row < to; row += ROW_BLOCK) {
    const count = min(ROW_BLOCK, to - row);
    for (let channel = 0; channel < channels; channel += 4) {
      const left = channels - channel,
        f = <usize>channel << 2;
      addBlock(g + f, x + f, loadPart(means + f, left), count, stride, left, kind, sums + (f << 1));
    }
    x += <usize>count * stride;
    g += <usize>count * stride;
  }
}

function sumColumns(kind: i32): void {
  const batch = argument(BATCH),
    cells = argument(CELLS);
  setArgument(KIND, kind);
  forTasks(sumPart, batch * partsOf(cells), <f32>batch * <f32>cells * <f32>argument(CHANNELS) * NANOSECONDS);
}

/** The sum of one column of one sample: its parts in order. */
function columnSum(sample: i32, channel: i32): f64 {
  const parts = partsOf(argument(CELLS)),
    stride = sumBytes(argument(CHANNELS));
  let p = addressArgument(SUMS) + <usize>sample * <usize>parts * stride + (<usize>channel << 3),
    sum: f64 = 0;
  for (let part = 0; part < parts; part++) {
    sum += load<f64>(p);
    p += stride;
  }
  return sum;
}

/** The sum of a group's columns, each times its weight where `weighted`. */
function groupSum(sample: i32, first: i32, last: i32, weighted: bool): f64 {
  const weight = weighted ? addressArgument(WEIGHT) : 0;
  let sum: f64 = 0;
  for (let channel = first; channel < last; channel++) {
    const value = columnSum(sample, channel);
    sum += weight ? value * <f64>load<f32>(weight + (<usize>channel << 2)) : value;
  }
  return sum;
}

/** Gives every channel of a group the same value. */
function spread(values: i32, sample: i32, first: i32, last: i32, value: f32): void {
  const place = addressArgument(values) + ((<usize>sample * <usize>argument(CHANNELS)) << 2);
  for (let channel = first; channel < last; channel++) store<f32>(place + (<usize>channel << 2), value);
}

/** Means and inverse deviations of all groups, at MEANS and SCALES. */
function statistics(): void {
  const batch = argument(BATCH),
    groups = argument(GROUPS),
    width = argument(CHANNELS) / groups,
    count = <f64>argument(CELLS) * <f64>width;
  sumColumns(OF_X);
  for (let sample = 0; sample < batch; sample++)
    for (let first = 0; first < groups * width; first += width)
      spread(MEANS, sample, first, first + width, <f32>(groupSum(sample, first, first + width, false) / count));
  sumColumns(OF_SQUARES);
  for (let sample = 0; sample < batch; sample++)
    for (let first = 0; first < groups * width; first += width) {
      const variance = groupSum(sample, first, first + width, false) / count;
      spread(SCALES, sample, first, first + width, <f32>(1.0 / sqrt(variance + <f64>floatArgument(EPSILON))));
    }
}

function setShape(batch: i32, cells: i32, channels: i32, groups: i32, epsilon: f64, work: usize): void {
  const floats = (<usize>channels + 3) << 2;
  setArgument(BATCH, batch);
  setArgument(CELLS, cells);
  setArgument(CHANNELS, channels);
  setArgument(GROUPS, groups);
  setFloatArgument(EPSILON, <f32>epsilon);
  setArgument(SUMS, work);
  let at = work + <usize>batch * <usize>partsOf(cells) * sumBytes(channels);
  setArgument(MEANS, at);
  at += <usize>batch * floats;
  setArgument(SCALES, at);
  at += <usize>batch * floats;
  setArgument(TOTALS, at);
  at += <usize>batch * floats;
  setArgument(ALONGS, at);
}

function normalizeRows(from: i32, to: i32): void {
  const cells = argument(CELLS),
    channels = argument(CHANNELS),
    weight = addressArgument(WEIGHT),
    bias = addressArgument(BIAS),
    bytes = <usize>channels << 2;
  for (let row = from; row < to; row++) {
    const place = <usize>row * bytes,
      sample = <usize>(row / cells) * bytes;
    normalizeRow(
      addressArgument(X) + place,
      addressArgument(MEANS) + sample,
      addressArgument(SCALES) + sample,
      weight,
      bias,
      addressArgument(OUTPUT) + place,
      channels,
    );
  }
}

function normalizeRow(x: usize, mean: usize, scale: usize, weight: usize, bias: usize, output: usize, channels: i32): void {
  for (let channel = 0; channel < channels; channel += 4) {
    const left = channels - channel,
      f = <usize>channel << 2;
    let value = f32x4.mul(f32x4.sub(loadPart(x + f, left), loadPart(mean + f, left)), loadPart(scale + f, left));
    if (weight) value = f32x4.mul(value, loadPart(weight + f, left));
    if (bias) value = f32x4.add(value, loadPart(bias + f, left));
    storePart(output + f, value, left);
  }
}

/** `(x − mean) / √(variance + epsilon) · weight + bias`, statistics of each group of channels of each sample. */
export function groupNorm(
  x: usize,
  weight: usize,
  bias: usize,
  output: usize,
  work: usize,
  batch: i32,
  cells: i32,
  channels: i32,
  groups: i32,
  epsilon: f64,
): void {
  setShape(batch, cells, channels, groups, epsilon, work);
  setArgument(X, x);
  setArgument(DY, x);
  setArgument(WEIGHT, weight);
  setArgument(BIAS, bias);
  setArgument(OUTPUT, output);
  statistics();
  forRange(normalizeRows, batch * cells, 16, 2 + <f32>channels * NANOSECONDS);
}

function gradientRows(from: i32, to: i32): void {
  const cells = argument(CELLS),
    channels = argument(CHANNELS),
    weight = addressArgument(WEIGHT),
    bytes = <usize>channels << 2;
  for (let row = from; row < to; row++) {
    const place = <usize>row * bytes,
      sample = <usize>(row / cells) * bytes;
    gradientRow(
      addressArgument(DY) + place,
      addressArgument(X) + place,
      weight,
      sample,
      addressArgument(OUTPUT) + place,
      channels,
    );
  }
}

function gradientRow(dy: usize, x: usize, weight: usize, sample: usize, dx: usize, channels: i32): void {
  const means = addressArgument(MEANS) + sample,
    scales = addressArgument(SCALES) + sample,
    totals = addressArgument(TOTALS) + sample,
    alongs = addressArgument(ALONGS) + sample;
  for (let channel = 0; channel < channels; channel += 4) {
    const left = channels - channel,
      f = <usize>channel << 2,
      centred = f32x4.sub(loadPart(x + f, left), loadPart(means + f, left));
    let g = loadPart(dy + f, left);
    if (weight) g = f32x4.mul(g, loadPart(weight + f, left));
    g = f32x4.sub(f32x4.sub(g, loadPart(totals + f, left)), f32x4.mul(centred, loadPart(alongs + f, left)));
    storePart(dx + f, f32x4.mul(g, loadPart(scales + f, left)), left);
  }
}

/** Adds one sample's columns, times its channel's factor at `factors` or 1, to `[channels]` of doubles rounded at the end. */
function sumSamples(output: usize, scaled: bool): void {
  const batch = argument(BATCH),
    channels = argument(CHANNELS);
  for (let channel = 0; channel < channels; channel++) {
    let sum: f64 = 0;
    for (let sample = 0; sample < batch; sample++) {
      const scale = load<f32>(addressArgument(SCALES) + ((<usize>sample * <usize>channels + <usize>channel) << 2));
      sum += scaled ? columnSum(sample, channel) * <f64>scale : columnSum(sample, channel);
    }
    store<f32>(output + (<usize>channel << 2), <f32>sum);
  }
}

/** Gradients of x, and of weight and bias `[channels]`. */
export function groupNormGradient(
  dy: usize,
  x: usize,
  weight: usize,
  dx: usize,
  dWeight: usize,
  dBias: usize,
  work: usize,
  batch: i32,
  cells: i32,
  channels: i32,
  groups: i32,
  epsilon: f64,
): void {
  const width = channels / groups,
    count = <f64>cells * <f64>width;
  setShape(batch, cells, channels, groups, epsilon, work);
  setArgument(X, x);
  setArgument(DY, dy);
  setArgument(WEIGHT, weight);
  setArgument(OUTPUT, dx);
  statistics();
  sumColumns(OF_DY);
  for (let sample = 0; sample < batch; sample++)
    for (let first = 0; first < channels; first += width)
      spread(TOTALS, sample, first, first + width, <f32>(groupSum(sample, first, first + width, true) / count));
  sumSamples(dBias, false);
  sumColumns(OF_PRODUCTS);
  for (let sample = 0; sample < batch; sample++)
    for (let first = 0; first < channels; first += width) {
      const place = addressArgument(SCALES) + ((<usize>sample * <usize>channels + <usize>first) << 2),
        inverse = <f64>load<f32>(place),
        along = (groupSum(sample, first, first + width, true) * inverse * inverse) / count;
      spread(ALONGS, sample, first, first + width, <f32>along);
    }
  sumSamples(dWeight, true);
  forRange(gradientRows, batch * cells, 16, 2 + 2 * <f32>channels * NANOSECONDS);
}
