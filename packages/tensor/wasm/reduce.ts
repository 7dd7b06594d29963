import { exponential, horizontalSum, horizontalSumDouble, logarithm } from "./math";
import { scratch } from "./layout";

/** Elements summed in float32 before the sum goes into a double: the error stays at a few units in the last place. */
const SUM_BLOCK: i32 = 256;

// Numbers of the reductions; src/backends/wasm/kernels/reduce.ts has the same.
const SUM: i32 = 0;
const MEAN: i32 = 1;
const MAX: i32 = 2;

/** Sum of up to {@link SUM_BLOCK} contiguous floats in eight lanes. */
function blockSum(x: usize, count: i32): f32 {
  let s0 = f32x4.splat(0),
    s1 = s0;
  while (count >= 8) {
    s0 = f32x4.add(s0, v128.load(x));
    s1 = f32x4.add(s1, v128.load(x, 16));
    x += 32;
    count -= 8;
  }
  let sum = horizontalSum(f32x4.add(s0, s1));
  while (count > 0) {
    sum += load<f32>(x);
    x += 4;
    count--;
  }
  return sum;
}

/** The sum of `count` contiguous floats, as a double. */
export function sumRow(x: usize, count: i32): f64 {
  let sum: f64 = 0;
  while (count > 0) {
    const block = min(count, SUM_BLOCK);
    sum += <f64>blockSum(x, block);
    x += <usize>block << 2;
    count -= block;
  }
  return sum;
}

/** The largest of `count` floats; NaN when one is NaN, −∞ of none. */
export function maxRow(x: usize, count: i32): f32 {
  let m0 = f32x4.splat(-Infinity),
    m1 = m0;
  while (count >= 8) {
    m0 = f32x4.max(m0, v128.load(x));
    m1 = f32x4.max(m1, v128.load(x, 16));
    x += 32;
    count -= 8;
  }
  m0 = f32x4.max(m0, m1);
  let m = max(
    max(f32x4.extract_lane(m0, 0), f32x4.extract_lane(m0, 1)),
    max(f32x4.extract_lane(m0, 2), f32x4.extract_lane(m0, 3)),
  );
  while (count > 0) {
    m = max(m, load<f32>(x));
    x += 4;
    count--;
  }
  return m;
}

function minRow(x: usize, count: i32): f32 {
  let m0 = f32x4.splat(Infinity);
  while (count >= 4) {
    m0 = f32x4.min(m0, v128.load(x));
    x += 16;
    count -= 4;
  }
  let m = min(
    min(f32x4.extract_lane(m0, 0), f32x4.extract_lane(m0, 1)),
    min(f32x4.extract_lane(m0, 2), f32x4.extract_lane(m0, 3)),
  );
  while (count > 0) {
    m = min(m, load<f32>(x));
    x += 4;
    count--;
  }
  return m;
}

/** Reduces each row of `[rows, length]` to one float. */
export function reduceRows(operation: i32, x: usize, output: usize, rows: i32, length: i32): void {
  const bytes = <usize>length << 2;
  for (let row = 0; row < rows; row++) {
    let value: f32;
    if (operation == SUM) value = <f32>sumRow(x, length);
    else if (operation == MEAN) value = <f32>(sumRow(x, length) / <f64>length);
    else if (operation == MAX) value = maxRow(x, length);
    else value = minRow(x, length);
    store<f32>(output, value);
    x += bytes;
    output += 4;
  }
}

/** Rows summed in float32 before the sum goes into doubles. */
const ROW_BLOCK: i32 = 32;

/** Reduces the middle axis of `[outer, length, inner]` to `[outer, inner]`. */
export function reduceColumns(operation: i32, x: usize, output: usize, outer: i32, length: i32, inner: i32): void {
  const stride = <usize>inner << 2;
  for (let o = 0; o < outer; o++) {
    if (operation <= MEAN) sumColumns(x, output, length, inner, operation == MEAN ? <f64>length : 1);
    else extremeColumns(operation, x, output, length, inner);
    x += <usize>length * stride;
    output += stride;
  }
}

/** Column sums over `divisor`, eight columns at a time so that a cache line is read once. */
function sumColumns(x: usize, output: usize, rows: i32, columns: i32, divisor: f64): void {
  const stride = <usize>columns << 2,
    sums = scratch();
  let column = 0;
  for (; column + 8 <= columns; column += 8) {
    memory.fill(sums, 0, 64);
    let p = x + (<usize>column << 2);
    for (let row = 0; row < rows; row += ROW_BLOCK) {
      const count = min(ROW_BLOCK, rows - row);
      addEightColumns(p, count, stride, sums);
      p += <usize>count * stride;
    }
    for (let j: usize = 0; j < 8; j++)
      store<f32>(output + ((<usize>column + j) << 2), <f32>(load<f64>(sums + (j << 3)) / divisor));
  }
  for (; column < columns; column++)
    store<f32>(output + (<usize>column << 2), <f32>(sumOneColumn(x + (<usize>column << 2), rows, stride) / divisor));
}

function addEightColumns(x: usize, rows: i32, stride: usize, sums: usize): void {
  let s0 = f32x4.splat(0),
    s1 = s0;
  for (let row = 0; row < rows; row++) {
    s0 = f32x4.add(s0, v128.load(x));
    s1 = f32x4.add(s1, v128.load(x, 16));
    x += stride;
  }
  addDoubles(sums, s0);
  addDoubles(sums + 32, s1);
}

// @ts-ignore: decorator
@inline
function addDoubles(sums: usize, values: v128): void {
  const high = v128.shuffle<i64>(values, values, 1, 1);
  v128.store(sums, f64x2.add(v128.load(sums), f64x2.promote_low_f32x4(values)));
  v128.store(sums, f64x2.add(v128.load(sums, 16), f64x2.promote_low_f32x4(high)), 16);
}

function sumOneColumn(x: usize, rows: i32, stride: usize): f64 {
  let sum: f64 = 0;
  for (let row = 0; row < rows; row++) {
    sum += <f64>load<f32>(x);
    x += stride;
  }
  return sum;
}

function extremeColumns(operation: i32, x: usize, output: usize, rows: i32, columns: i32): void {
  const stride = <usize>columns << 2;
  memory.copy(output, x, stride);
  for (let row = 1; row < rows; row++) {
    x += stride;
    extremeRun(operation, x, output, columns);
  }
}

function extremeRun(operation: i32, x: usize, output: usize, count: i32): void {
  const wide = <usize>(count & ~3) << 2,
    end = <usize>count << 2;
  let f: usize = 0;
  if (operation == MAX) {
    for (; f < wide; f += 16) v128.store(output + f, f32x4.max(v128.load(output + f), v128.load(x + f)));
    for (; f < end; f += 4) store<f32>(output + f, max(load<f32>(output + f), load<f32>(x + f)));
    return;
  }
  for (; f < wide; f += 16) v128.store(output + f, f32x4.min(v128.load(output + f), v128.load(x + f)));
  for (; f < end; f += 4) store<f32>(output + f, min(load<f32>(output + f), load<f32>(x + f)));
}

/** Softmax of each row of `[rows, length]`. A row of −∞ gives NaN. */
export function softmax(x: usize, output: usize, rows: i32, length: i32): void {
  const bytes = <usize>length << 2;
  for (let row = 0; row < rows; row++) {
    const sum = exponentialRow(x, output, length, maxRow(x, length), true);
    scaleRow(output, length, <f32>(1.0 / sum));
    x += bytes;
    output += bytes;
  }
}

/** Stores `e^(x − shift)` where asked and returns the sum of it. */
export function exponentialRow(x: usize, output: usize, count: i32, shift: f32, keep: bool): f64 {
  const shifts = f32x4.splat(shift);
  let sum = f64x2.splat(0);
  while (count > 0) {
    let block = min(count, SUM_BLOCK);
    count -= block;
    let partial = f32x4.splat(0);
    for (; block >= 4; block -= 4) {
      const value = exponential(f32x4.sub(v128.load(x), shifts));
      if (keep) v128.store(output, value);
      partial = f32x4.add(partial, value);
      x += 16;
      output += 16;
    }
    for (; block > 0; block--) {
      const value = f32x4.extract_lane(exponential(f32x4.sub(v128.load_splat<f32>(x), shifts)), 0);
      if (keep) store<f32>(output, value);
      partial = f32x4.replace_lane(partial, 0, f32x4.extract_lane(partial, 0) + value);
      x += 4;
      output += 4;
    }
    sum = f64x2.add(sum, f64x2.promote_low_f32x4(partial));
    sum = f64x2.add(sum, f64x2.promote_low_f32x4(v128.shuffle<i64>(partial, partial, 1, 1)));
  }
  return horizontalSumDouble(sum);
}

function scaleRow(x: usize, count: i32, factor: f32): void {
  const factors = f32x4.splat(factor);
  while (count >= 4) {
    v128.store(x, f32x4.mul(v128.load(x), factors));
    x += 16;
    count -= 4;
  }
  while (count > 0) {
    store<f32>(x, load<f32>(x) * factor);
    x += 4;
    count--;
  }
}

/** The natural logarithm of one double that is a sum of exponentials: at least 1 unless NaN. */
// @ts-ignore: decorator
@inline
export function logarithmOf(value: f64): f32 {
  return f32x4.extract_lane(logarithm(f32x4.splat(<f32>value)), 0);
}

/** `x − max − ln Σ e^(x − max)` of each row of `[rows, length]`. */
export function logSoftmax(x: usize, output: usize, rows: i32, length: i32): void {
  const bytes = <usize>length << 2;
  for (let row = 0; row < rows; row++) {
    const largest = maxRow(x, length);
    subtractRow(x, output, length, largest, logarithmOf(exponentialRow(x, output, length, largest, false)));
    x += bytes;
    output += bytes;
  }
}

/** `output = (x − first) − second`. */
function subtractRow(x: usize, output: usize, count: i32, first: f32, second: f32): void {
  const a = f32x4.splat(first),
    b = f32x4.splat(second);
  while (count >= 4) {
    v128.store(output, f32x4.sub(f32x4.sub(v128.load(x), a), b));
    x += 16;
    output += 16;
    count -= 4;
  }
  while (count > 0) {
    store<f32>(output, load<f32>(x) - first - second);
    x += 4;
    output += 4;
    count--;
  }
}

/** Gradient of softmax by its output: `output · (dy − Σ dy · output)` of each row. */
export function softmaxGradient(dy: usize, y: usize, dx: usize, rows: i32, length: i32): void {
  const bytes = <usize>length << 2;
  for (let row = 0; row < rows; row++) {
    const shift = <f32>dotRow(dy, y, length);
    const shifts = f32x4.splat(shift);
    let f: usize = 0;
    for (; f + 16 <= bytes; f += 16)
      v128.store(dx + f, f32x4.mul(v128.load(y + f), f32x4.sub(v128.load(dy + f), shifts)));
    for (; f < bytes; f += 4) store<f32>(dx + f, load<f32>(y + f) * (load<f32>(dy + f) - shift));
    dy += bytes;
    y += bytes;
    dx += bytes;
  }
}

/** Gradient of log-softmax by its output: `dy − e^output · Σ dy` of each row. */
export function logSoftmaxGradient(dy: usize, y: usize, dx: usize, rows: i32, length: i32): void {
  const bytes = <usize>length << 2;
  for (let row = 0; row < rows; row++) {
    const total = f32x4.splat(<f32>sumRow(dy, length));
    let f: usize = 0;
    for (; f + 16 <= bytes; f += 16)
      v128.store(dx + f, f32x4.sub(v128.load(dy + f), f32x4.mul(exponential(v128.load(y + f)), total)));
    for (; f < bytes; f += 4) {
      const value = f32x4.mul(exponential(v128.load_splat<f32>(y + f)), total);
      store<f32>(dx + f, load<f32>(dy + f) - f32x4.extract_lane(value, 0));
    }
    dy += bytes;
    y += bytes;
    dx += bytes;
  }
}

/** Σ a · b over `count` floats, as a double. */
export function dotRow(a: usize, b: usize, count: i32): f64 {
  let sum: f64 = 0;
  while (count > 0) {
    let block = min(count, SUM_BLOCK);
    count -= block;
    let partial = f32x4.splat(0);
    for (; block >= 4; block -= 4) {
      partial = f32x4.add(partial, f32x4.mul(v128.load(a), v128.load(b)));
      a += 16;
      b += 16;
    }
    let rest = horizontalSum(partial);
    for (; block > 0; block--) {
      rest += load<f32>(a) * load<f32>(b);
      a += 4;
      b += 4;
    }
    sum += <f64>rest;
  }
  return sum;
}

/** Index of the largest float of each row, the first of equals; the first NaN wins. int32. */
export function argMaxRows(x: usize, output: usize, rows: i32, length: i32): void {
  for (let row = 0; row < rows; row++) {
    let best = load<f32>(x),
      index = 0;
    for (let i = 1; i < length && best == best; i++) {
      const value = load<f32>(x + (<usize>i << 2));
      if (value > best || value != value) {
        best = value;
        index = i;
      }
    }
    store<i32>(output, index);
    x += <usize>length << 2;
    output += 4;
  }
}
