// Layer and RMS normalization of rows [rows, dim]. A weight or bias at address 0 is absent.
import { dotRow, sumRow } from "./reduce";

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

/** `(x − mean) / √(variance + epsilon) · weight + bias` of each row. */
export function layerNorm(x: usize, weight: usize, bias: usize, output: usize, rows: i32, dim: i32, epsilon: f64): void {
  const bytes = <usize>dim << 2;
  for (let row = 0; row < rows; row++) {
    const mean = <f32>(sumRow(x, dim) / <f64>dim);
    normalizeRow(x, weight, bias, output, dim, mean, inverseDeviation(centredSquares(x, dim, mean), dim, epsilon));
    x += bytes;
    output += bytes;
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
  const bytes = <usize>dim << 2;
  for (let row = 0; row < rows; row++) {
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

/** Gradients of weight and bias, `[dim]` each: Σ dy · x̂ and Σ dy over the rows. An address of 0 leaves one out. */
export function layerNormParameterGradient(
  dy: usize,
  x: usize,
  dWeight: usize,
  dBias: usize,
  rows: i32,
  dim: i32,
  epsilon: f64,
): void {
  const bytes = <usize>dim << 2;
  if (dWeight) memory.fill(dWeight, 0, bytes);
  if (dBias) memory.fill(dBias, 0, bytes);
  for (let row = 0; row < rows; row++) {
    if (dWeight) {
      const mean = <f32>(sumRow(x, dim) / <f64>dim);
      addNormalized(dy, x, dWeight, dim, mean, inverseDeviation(centredSquares(x, dim, mean), dim, epsilon));
    }
    if (dBias) addRow(dy, dBias, dim);
    dy += bytes;
    x += bytes;
  }
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

/** `x / √(mean(x²) + epsilon) · weight` of each row. */
export function rmsNorm(x: usize, weight: usize, output: usize, rows: i32, dim: i32, epsilon: f64): void {
  const bytes = <usize>dim << 2;
  for (let row = 0; row < rows; row++) {
    normalizeRow(x, weight, 0, output, dim, 0, inverseDeviation(dotRow(x, x, dim), dim, epsilon));
    x += bytes;
    output += bytes;
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
  const bytes = <usize>dim << 2;
  for (let row = 0; row < rows; row++) {
    const inverse = inverseDeviation(dotRow(x, x, dim), dim, epsilon);
    scaleByWeight(dy, weight, dx, dim);
    const projection = <f32>(dotRow(dx, x, dim) * <f64>inverse / <f64>dim);
    finishInputGradient(x, dx, dim, 0, inverse, 0, projection);
    dy += bytes;
    x += bytes;
    dx += bytes;
  }
}

/** Gradient of the weight, `[dim]`: Σ dy · x̂ over the rows. */
export function rmsNormWeightGradient(dy: usize, x: usize, dWeight: usize, rows: i32, dim: i32, epsilon: f64): void {
  const bytes = <usize>dim << 2;
  memory.fill(dWeight, 0, bytes);
  for (let row = 0; row < rows; row++) {
    addNormalized(dy, x, dWeight, dim, 0, inverseDeviation(dotRow(x, x, dim), dim, epsilon));
    dy += bytes;
    x += bytes;
  }
}
