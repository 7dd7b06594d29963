import { exponential } from "./math";
import { dotRow, exponentialRow, logarithmOf, maxRow, sumRow } from "./reduce";
import { addressArgument, argument, forRange, setArgument } from "./threads";

/** Time of an element on one thread, roughly. */
const NANOSECONDS: f32 = 1.5;

/** Hands a job its rows. */
function setRows(a: usize, b: usize, output: usize, length: i32): void {
  setArgument(0, a);
  setArgument(1, b);
  setArgument(2, output);
  setArgument(3, length);
}

function softmaxPart(from: i32, to: i32): void {
  const length = argument(3),
    bytes = <usize>length << 2;
  let x = addressArgument(0) + <usize>from * bytes,
    output = addressArgument(2) + <usize>from * bytes;
  for (; from < to; from++) {
    const sum = exponentialRow(x, output, length, maxRow(x, length), true);
    scaleRow(output, length, <f32>(1.0 / sum));
    x += bytes;
    output += bytes;
  }
}

/** Softmax of each row of `[rows, length]`. A row of −∞ gives NaN. */
export function softmax(x: usize, output: usize, rows: i32, length: i32): void {
  setRows(x, 0, output, length);
  forRange(softmaxPart, rows, 1, 20 + NANOSECONDS * <f32>length);
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

function logSoftmaxPart(from: i32, to: i32): void {
  const length = argument(3),
    bytes = <usize>length << 2;
  let x = addressArgument(0) + <usize>from * bytes,
    output = addressArgument(2) + <usize>from * bytes;
  for (; from < to; from++) {
    const largest = maxRow(x, length);
    subtractRow(x, output, length, largest, logarithmOf(exponentialRow(x, output, length, largest, false)));
    x += bytes;
    output += bytes;
  }
}

/** `x − max − ln Σ e^(x − max)` of each row of `[rows, length]`. */
export function logSoftmax(x: usize, output: usize, rows: i32, length: i32): void {
  setRows(x, 0, output, length);
  forRange(logSoftmaxPart, rows, 1, 20 + NANOSECONDS * <f32>length);
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

function softmaxGradientPart(from: i32, to: i32): void {
  const length = argument(3),
    bytes = <usize>length << 2,
    offset = <usize>from * bytes;
  let dy = addressArgument(0) + offset,
    y = addressArgument(1) + offset,
    dx = addressArgument(2) + offset;
  for (; from < to; from++) {
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

/** Gradient of softmax by its output: `output · (dy − Σ dy · output)` of each row. */
export function softmaxGradient(dy: usize, y: usize, dx: usize, rows: i32, length: i32): void {
  setRows(dy, y, dx, length);
  forRange(softmaxGradientPart, rows, 1, 20 + 0.7 * <f32>length);
}

function logSoftmaxGradientPart(from: i32, to: i32): void {
  const length = argument(3),
    bytes = <usize>length << 2,
    offset = <usize>from * bytes;
  let dy = addressArgument(0) + offset,
    y = addressArgument(1) + offset,
    dx = addressArgument(2) + offset;
  for (; from < to; from++) {
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

/** Gradient of log-softmax by its output: `dy − e^output · Σ dy` of each row. */
export function logSoftmaxGradient(dy: usize, y: usize, dx: usize, rows: i32, length: i32): void {
  setRows(dy, y, dx, length);
  forRange(logSoftmaxGradientPart, rows, 1, 20 + NANOSECONDS * <f32>length);
}
