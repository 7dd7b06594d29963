// Layer and RMS normalization of rows [rows, dim]. A weight or bias at address 0 is absent.
import { divideUp } from "./layout";
import { dotRow, sumRow } from "./reduce";
import { addressArgument, argument, floatArgument, forRange, forTasks, setArgument, setFloatArgument } from "./threads";

/** Time of an element on one thread, forward and backward. */
const FORWARD_NANOSECONDS: f32 = 0.8;
const BACKWARD_NANOSECONDS: f32 = 1.5;
/** Rows of the least part whose sums are kept apart, and the most parts. */
const PART_ROWS: i32 = 32;
const MOST_PARTS: i32 = 16;

/** Σ (x − mean)² as a double: the centred sum loses nothing when the mean is large. */
function centredSquares(x: usize, count: i32, mean: f32): f64 {
  const means = f32x4.splat(mean);
  let sum: f64 = 0;
  while (count > 0) {
    let block = min(count, 256);
    count -= block;
    let partial = f32x4.splat(0);
    for (; block >= 4; block -= 4) {
      const difference = f32x4.sub(v128.load(x), means);
      partial = f32x4.add(partial, f32x4.mul(difference, difference));
      x += 16;
    }
    sum +=
      <f64>f32x4.extract_lane(partial, 0) +
      <f64>f32x4.extract_lane(partial, 1) +
      (<f64>f32x4.extract_lane(partial, 2) + <f64>f32x4.extract_lane(partial, 3));
    for (; block > 0; block--) {
      const difference = <f64>(load<f32>(x) - mean);
      sum += difference * difference;
      x += 4;
    }
  }
  return sum;
}

// @ts-ignore: decorator
@inline
function inverseDeviation(squares: f64, dim: i32, epsilon: f64): f32 {
  return <f32>(1.0 / sqrt(squares / <f64>dim + epsilon));
}

/** `output = (x − mean) · inverse · weight + bias` of one row. */
function normalizeRow(x: usize, weight: usize, bias: usize, output: usize, dim: i32, mean: f32, inverse: f32): void {
  const means = f32x4.splat(mean),
    inverses = f32x4.splat(inverse);
  const wide = <usize>(dim & ~3) << 2,
    end = <usize>dim << 2;
  let f: usize = 0;
  for (; f < wide; f += 16) {
    let value = f32x4.mul(f32x4.sub(v128.load(x + f), means), inverses);
    if (weight) value = f32x4.mul(value, v128.load(weight + f));
    if (bias) value = f32x4.add(value, v128.load(bias + f));
    v128.store(output + f, value);
  }
  for (; f < end; f += 4) {
    let value = (load<f32>(x + f) - mean) * inverse;
    if (weight) value *= load<f32>(weight + f);
    if (bias) value += load<f32>(bias + f);
    store<f32>(output + f, value);
  }
}

function layerNormRows(from: i32, to: i32): void {
  const weight = addressArgument(1),
    bias = addressArgument(2),
    dim = argument(4),
    epsilon = <f64>floatArgument(5),
    bytes = <usize>dim << 2;
  let x = addressArgument(0) + <usize>from * bytes,
    output = addressArgument(3) + <usize>from * bytes;
  for (let row = from; row < to; row++) {
    const mean = <f32>(sumRow(x, dim) / <f64>dim);
    normalizeRow(x, weight, bias, output, dim, mean, inverseDeviation(centredSquares(x, dim, mean), dim, epsilon));
    x += bytes;
    output += bytes;
  }
}

/** `(x − mean) / √(variance + epsilon) · weight + bias` of each row. */
export function layerNorm(x: usize, weight: usize, bias: usize, output: usize, rows: i32, dim: i32, epsilon: f64): void {
  setArgument(0, x);
  setArgument(1, weight);
  setArgument(2, bias);
  setArgument(3, output);
  setArgument(4, dim);
  setFloatArgument(5, <f32>epsilon);
  forRange(layerNormRows, rows, 1, 30 + <f32>dim * FORWARD_NANOSECONDS);
}

function layerNormGradientRows(from: i32, to: i32): void {
  const weight = addressArgument(2),
    dim = argument(4),
    epsilon = <f64>floatArgument(5),
    bytes = <usize>dim << 2,
    offset = <usize>from * bytes;
  let dy = addressArgument(0) + offset,
    x = addressArgument(1) + offset,
    dx = addressArgument(3) + offset;
  for (let row = from; row < to; row++) {
    const mean = <f32>(sumRow(x, dim) / <f64>dim),
      inverse = inverseDeviation(centredSquares(x, dim, mean), dim, epsilon);
    scaleByWeight(dy, weight, dx, dim);
    const average = <f32>(sumRow(dx, dim) / <f64>dim),
      projection = <f32>(centredDot(dx, x, dim, mean) * <f64>inverse / <f64>dim);
    finishInputGradient(x, dx, dim, mean, inverse, average, projection);
    dy += bytes;
    x += bytes;
    dx += bytes;
  }
}

/** Gradient of the input: `(g − mean(g) − x̂ · mean(g · x̂)) · inverse` with `g = dy · weight`. Uses `dim` floats of dx as room. */
export function layerNormInputGradient(
  dy: usize,
  x: usize,
  weight: usize,
  dx: usize,
  rows: i32,
  dim: i32,
  epsilon: f64,
): void {
  setArgument(0, dy);
  setArgument(1, x);
  setArgument(2, weight);
  setArgument(3, dx);
  setArgument(4, dim);
  setFloatArgument(5, <f32>epsilon);
  forRange(layerNormGradientRows, rows, 1, 30 + <f32>dim * BACKWARD_NANOSECONDS);
}

function scaleByWeight(dy: usize, weight: usize, output: usize, dim: i32): void {
  if (!weight) {
    memory.copy(output, dy, <usize>dim << 2);
    return;
  }
  const wide = <usize>(dim & ~3) << 2,
    end = <usize>dim << 2;
  let f: usize = 0;
  for (; f < wide; f += 16) v128.store(output + f, f32x4.mul(v128.load(dy + f), v128.load(weight + f)));
  for (; f < end; f += 4) store<f32>(output + f, load<f32>(dy + f) * load<f32>(weight + f));
}

/** Σ g · (x − mean), as a double. */
function centredDot(g: usize, x: usize, count: i32, mean: f32): f64 {
  const means = f32x4.splat(mean);
  let sum: f64 = 0;
  while (count > 0) {
    let block = min(count, 256);
    count -= block;
    let partial = f32x4.splat(0);
    for (; block >= 4; block -= 4) {
      partial = f32x4.add(partial, f32x4.mul(v128.load(g), f32x4.sub(v128.load(x), means)));
      g += 16;
      x += 16;
    }
    sum +=
      <f64>f32x4.extract_lane(partial, 0) +
      <f64>f32x4.extract_lane(partial, 1) +
      (<f64>f32x4.extract_lane(partial, 2) + <f64>f32x4.extract_lane(partial, 3));
    for (; block > 0; block--) {
      sum += <f64>(load<f32>(g) * (load<f32>(x) - mean));
      g += 4;
      x += 4;
    }
  }
  return sum;
}

function finishInputGradient(x: usize, dx: usize, dim: i32, mean: f32, inverse: f32, average: f32, projection: f32): void {
  const means = f32x4.splat(mean),
    inverses = f32x4.splat(inverse),
    averages = f32x4.splat(average),
    projections = f32x4.splat(projection);
  const wide = <usize>(dim & ~3) << 2,
    end = <usize>dim << 2;
  let f: usize = 0;
  for (; f < wide; f += 16) {
    const normalized = f32x4.mul(f32x4.sub(v128.load(x + f), means), inverses);
    const rest = f32x4.sub(f32x4.sub(v128.load(dx + f), averages), f32x4.mul(normalized, projections));
    v128.store(dx + f, f32x4.mul(rest, inverses));
  }
  for (; f < end; f += 4) {
    const normalized = (load<f32>(x + f) - mean) * inverse;
    store<f32>(dx + f, (load<f32>(dx + f) - average - normalized * projection) * inverse);
  }
}

/** Parts of the rows whose sums are kept apart: depends on the sizes alone, so that bits do not depend on threads. */
export function normParts(rows: i32): i32 {
  return min(MOST_PARTS, divideUp(rows, PART_ROWS));
}

/** Sums over one part of the rows: the weight's, then the bias's. */
function layerNormPart(part: i32, _: i32): void {
  const parts = argument(3),
    dim = argument(4),
    rows = argument(6),
    epsilon = <f64>floatArgument(5),
    bytes = <usize>dim << 2,
    each = divideUp(rows, parts),
    from = min(rows, part * each),
    to = min(rows, from + each),
    dWeight = addressArgument(2) + 2 * <usize>part * bytes,
    dBias = dWeight + bytes;
  let dy = addressArgument(0) + <usize>from * bytes,
    x = addressArgument(1) + <usize>from * bytes;
  memory.fill(dWeight, 0, 2 * bytes);
  for (let row = from; row < to; row++) {
    const mean = <f32>(sumRow(x, dim) / <f64>dim);
    addNormalized(dy, x, dWeight, dim, mean, inverseDeviation(centredSquares(x, dim, mean), dim, epsilon));
    addRow(dy, dBias, dim);
    dy += bytes;
    x += bytes;
  }
}

/** Adds the parts' sums in order: floats `[from, to)` of each. */
function addParts(from: i32, to: i32): void {
  const parts = argument(3),
    stride = addressArgument(1),
    first = addressArgument(2) + (<usize>from << 2),
    output = addressArgument(0) + (<usize>from << 2),
    count = to - from;
  memory.copy(output, first, <usize>count << 2);
  for (let part = 1; part < parts; part++) addRow(first + <usize>part * stride, output, count);
}

function sumParts(first: usize, output: usize, parts: i32, dim: i32, stride: usize): void {
  setArgument(0, output);
  setArgument(1, stride);
  setArgument(2, first);
  setArgument(3, parts);
  forRange(addParts, dim, 64, 0.3 * <f32>parts);
}

/**
 * Gradients of weight and bias, `[dim]` each: Σ dy · x̂ and Σ dy over the rows.
 * @param sums Room for {@link normParts} times `2 · dim` floats.
 */
export function layerNormParameterGradient(
  dy: usize,
  x: usize,
  dWeight: usize,
  dBias: usize,
  sums: usize,
  rows: i32,
  dim: i32,
  epsilon: f64,
): void {
  const parts = normParts(rows),
    bytes = <usize>dim << 2;
  setArgument(0, dy);
  setArgument(1, x);
  setArgument(2, sums);
  setArgument(3, parts);
  setArgument(4, dim);
  setFloatArgument(5, <f32>epsilon);
  setArgument(6, rows);
  forTasks(layerNormPart, parts, <f32>rows * (30 + <f32>dim * BACKWARD_NANOSECONDS));
  sumParts(sums, dWeight, parts, dim, 2 * bytes);
  sumParts(sums + bytes, dBias, parts, dim, 2 * bytes);
}

function addNormalized(dy: usize, x: usize, sums: usize, dim: i32, mean: f32, inverse: f32): void {
  const means = f32x4.splat(mean),
    inverses = f32x4.splat(inverse);
  const wide = <usize>(dim & ~3) << 2,
    end = <usize>dim << 2;
  let f: usize = 0;
  for (; f < wide; f += 16) {
    const normalized = f32x4.mul(f32x4.sub(v128.load(x + f), means), inverses);
    v128.store(sums + f, f32x4.add(v128.load(sums + f), f32x4.mul(v128.load(dy + f), normalized)));
  }
  for (; f < end; f += 4)
    store<f32>(sums + f, load<f32>(sums + f) + load<f32>(dy + f) * ((load<f32>(x + f) - mean) * inverse));
}

function addRow(x: usize, sums: usize, dim: i32): void {
  const wide = <usize>(dim & ~3) << 2,
    end = <usize>dim << 2;
  let f: usize = 0;
  for (; f < wide; f += 16) v128.store(sums + f, f32x4.add(v128.load(sums + f), v128.load(x + f)));
  for (; f < end; f += 4) store<f32>(sums + f, load<f32>(sums + f) + load<f32>(x + f));
}

function rmsNormRows(from: i32, to: i32): void {
  const weight = addressArgument(1),
    dim = argument(3),
    epsilon = <f64>floatArgument(4),
    bytes = <usize>dim << 2;
  let x = addressArgument(0) + <usize>from * bytes,
    output = addressArgument(2) + <usize>from * bytes;
  for (let row = from; row < to; row++) {
    normalizeRow(x, weight, 0, output, dim, 0, inverseDeviation(dotRow(x, x, dim), dim, epsilon));
    x += bytes;
    output += bytes;
  }
}

/** `x / √(mean(x²) + epsilon) · weight` of each row. */
export function rmsNorm(x: usize, weight: usize, output: usize, rows: i32, dim: i32, epsilon: f64): void {
  setArgument(0, x);
  setArgument(1, weight);
  setArgument(2, output);
  setArgument(3, dim);
  setFloatArgument(4, <f32>epsilon);
  forRange(rmsNormRows, rows, 1, 30 + <f32>dim * FORWARD_NANOSECONDS);
}

function rmsNormGradientRows(from: i32, to: i32): void {
  const weight = addressArgument(2),
    dim = argument(4),
    epsilon = <f64>floatArgument(5),
    bytes = <usize>dim << 2,
    offset = <usize>from * bytes;
  let dy = addressArgument(0) + offset,
    x = addressArgument(1) + offset,
    dx = addressArgument(3) + offset;
  for (let row = from; row < to; row++) {
    const inverse = inverseDeviation(dotRow(x, x, dim), dim, epsilon);
    scaleByWeight(dy, weight, dx, dim);
    const projection = <f32>(dotRow(dx, x, dim) * <f64>inverse / <f64>dim);
    finishInputGradient(x, dx, dim, 0, inverse, 0, projection);
    dy += bytes;
    x += bytes;
    dx += bytes;
  }
}

/** Gradient of the input: `(g − x̂ · mean(g · x̂)) · inverse` with `g = dy · weight`. */
export function rmsNormInputGradient(
  dy: usize,
  x: usize,
  weight: usize,
  dx: usize,
  rows: i32,
  dim: i32,
  epsilon: f64,
): void {
  setArgument(0, dy);
  setArgument(1, x);
  setArgument(2, weight);
  setArgument(3, dx);
  setArgument(4, dim);
  setFloatArgument(5, <f32>epsilon);
  forRange(rmsNormGradientRows, rows, 1, 30 + <f32>dim * BACKWARD_NANOSECONDS);
}

/** Sums over one part of the rows. */
function rmsNormPart(part: i32, _: i32): void {
  const parts = argument(3),
    dim = argument(4),
    rows = argument(6),
    epsilon = <f64>floatArgument(5),
    bytes = <usize>dim << 2,
    each = divideUp(rows, parts),
    from = min(rows, part * each),
    to = min(rows, from + each),
    dWeight = addressArgument(2) + <usize>part * bytes;
  let dy = addressArgument(0) + <usize>from * bytes,
    x = addressArgument(1) + <usize>from * bytes;
  memory.fill(dWeight, 0, bytes);
  for (let row = from; row < to; row++) {
    addNormalized(dy, x, dWeight, dim, 0, inverseDeviation(dotRow(x, x, dim), dim, epsilon));
    dy += bytes;
    x += bytes;
  }
}

/**
 * Gradient of the weight, `[dim]`: Σ dy · x̂ over the rows.
 * @param sums Room for {@link normParts} times `dim` floats.
 */
export function rmsNormWeightGradient(
  dy: usize,
  x: usize,
  dWeight: usize,
  sums: usize,
  rows: i32,
  dim: i32,
  epsilon: f64,
): void {
  const parts = normParts(rows);
  setArgument(0, dy);
  setArgument(1, x);
  setArgument(2, sums);
  setArgument(3, parts);
  setArgument(4, dim);
  setFloatArgument(5, <f32>epsilon);
  setArgument(6, rows);
  forTasks(rmsNormPart, parts, <f32>rows * (30 + <f32>dim * BACKWARD_NANOSECONDS));
  sumParts(sums, dWeight, parts, dim, <usize>dim << 2);
}
