import { divideUp, scratch } from "./layout";
import { exponential, horizontalSum, horizontalSumDouble, logarithm } from "./math";
import { addressArgument, argument, forRange, setArgument } from "./threads";

/** Elements summed in float32 before the sum goes into a double: the error stays at a few units in the last place. */
const SUM_BLOCK: i32 = 256;

// Numbers of the reductions; src/backends/wasm/kernels/reduce.ts has the same.
export const SUM: i32 = 0;
export const MEAN: i32 = 1;
export const MAX: i32 = 2;
export const MIN: i32 = 3;
/** Root of the sum of squares, and the largest size: of rows only. */
const NORM: i32 = 5;
const PEAK: i32 = 6;

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

/** The smallest of `count` floats; NaN when one is NaN, ∞ of none. */
export function minRow(x: usize, count: i32): f32 {
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

/** The product of `count` floats, as a double. */
function productRow(x: usize, count: i32): f64 {
  let low = f64x2.splat(1),
    high = low;
  for (; count >= 4; count -= 4) {
    const values = v128.load(x);
    low = f64x2.mul(low, f64x2.promote_low_f32x4(values));
    high = f64x2.mul(high, f64x2.promote_low_f32x4(v128.shuffle<i64>(values, values, 1, 1)));
    x += 16;
  }
  const both = f64x2.mul(low, high);
  let product = f64x2.extract_lane(both, 0) * f64x2.extract_lane(both, 1);
  for (; count > 0; count--) {
    product *= <f64>load<f32>(x);
    x += 4;
  }
  return product;
}

/** The largest size of `count` floats; NaN when one is NaN. */
function peakRow(x: usize, count: i32): f32 {
  let m0 = f32x4.splat(0);
  for (; count >= 4; count -= 4) {
    m0 = f32x4.max(m0, f32x4.abs(v128.load(x)));
    x += 16;
  }
  let m = max(
    max(f32x4.extract_lane(m0, 0), f32x4.extract_lane(m0, 1)),
    max(f32x4.extract_lane(m0, 2), f32x4.extract_lane(m0, 3)),
  );
  for (; count > 0; count--) {
    m = max(m, abs(load<f32>(x)));
    x += 4;
  }
  return m;
}

/** Elements of a row that one task reduces: a longer row is cut, in the same way for any number of threads. */
const PART: i32 = 32768;

// @ts-ignore: decorator
@inline
function reducePart(operation: i32, x: usize, count: i32): f64 {
  if (operation <= MEAN) return sumRow(x, count);
  if (operation == MAX) return <f64>maxRow(x, count);
  if (operation == NORM) return dotRow(x, x, count);
  if (operation == PEAK) return <f64>peakRow(x, count);
  return operation == MIN ? <f64>minRow(x, count) : productRow(x, count);
}

/** Two partial results in one. NaN stays. */
// @ts-ignore: decorator
@inline
export function combine(operation: i32, a: f64, b: f64): f64 {
  if (operation <= MEAN || operation == NORM) return a + b;
  if (operation == MAX || operation == PEAK) return max(a, b);
  return operation == MIN ? min(a, b) : a * b;
}

/** What a row's combined value stands for. */
// @ts-ignore: decorator
@inline
function finish(operation: i32, value: f64, length: i32): f32 {
  if (operation == MEAN) return <f32>(value / <f64>length);
  return operation == NORM ? sqrt(<f32>value) : <f32>value;
}

function wholeRows(from: i32, to: i32): void {
  const operation = argument(0),
    length = argument(3);
  for (; from < to; from++) {
    const value = reducePart(operation, addressArgument(1) + (<usize>(from * length) << 2), length);
    store<f32>(addressArgument(2) + (<usize>from << 2), finish(operation, value, length));
  }
}

/** Parts of rows, counted over all rows, into doubles. */
function partsOfRows(from: i32, to: i32): void {
  const length = argument(3),
    parts = argument(4);
  for (; from < to; from++) {
    const row = from / parts,
      start = (from - row * parts) * PART;
    store<f64>(
      addressArgument(5) + (<usize>from << 3),
      reducePart(argument(0), addressArgument(1) + (<usize>(row * length + start) << 2), min(PART, length - start)),
    );
  }
}

/** Reduces each row of `[rows, length]` to one float. */
export function reduceRows(operation: i32, x: usize, output: usize, rows: i32, length: i32): void {
  const parts = divideUp(length, PART);
  setArgument(0, operation);
  setArgument(1, x);
  setArgument(2, output);
  setArgument(3, length);
  if (parts == 1) {
    forRange(wholeRows, rows, 1, 5 + <f32>length * 0.2);
    return;
  }
  const partials = scratch();
  setArgument(4, parts);
  setArgument(5, partials);
  // as many rows at once as their partial results have room
  const together = max(1, 16384 / parts);
  while (rows > 0) {
    const count = min(rows, together);
    setArgument(1, x);
    forRange(partsOfRows, count * parts, 1, <f32>PART * 0.2);
    for (let row = 0; row < count; row++) {
      const first = partials + (<usize>(row * parts) << 3);
      let value = load<f64>(first);
      for (let part = 1; part < parts; part++) value = combine(operation, value, load<f64>(first + (<usize>part << 3)));
      store<f32>(output, finish(operation, value, length));
      output += 4;
    }
    x += <usize>(count * length) << 2;
    rows -= count;
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

/** The natural logarithm of one double that is a sum of exponentials: at least 1 unless NaN. */
// @ts-ignore: decorator
@inline
export function logarithmOf(value: f64): f32 {
  return f32x4.extract_lane(logarithm(f32x4.splat(<f32>value)), 0);
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
