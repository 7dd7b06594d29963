// One row times a matrix is bound by memory: B is read once, in place, never packed.
import { ACTIVATION_SHIFT, activateRow } from "./activation";
import { activate, multiplyAdd } from "./micro-kernel";
import { horizontalSum } from "./math";
import { divideUp } from "./layout";
import { loadPart, storePart } from "./partial";
import { addressArgument, argument, forRange, forTasks, setArgument } from "./threads";

/** Nanoseconds a float of B: a thread reads some 20 GB/s. */
const READ_NANOSECONDS: f32 = 0.15;
/** A part of B's rows that is long enough to be read as one stream, and the most parts. */
const PART_ROWS: i32 = 48;
const MOST_PARTS: i32 = 16;
/** Floats of B below which it is read in one part. */
const WHOLE_LIMIT: i32 = 65536;

/** Sums that {@link multiplyVector} keeps apart; depends on the sizes alone, so that bits do not. */
export function vectorParts(columns: i32, depth: i32): i32 {
  return columns * depth < WHOLE_LIMIT ? 1 : max(1, min(MOST_PARTS, depth / PART_ROWS));
}

/**
 * `y[columns] = act(x[depth] · B[depth, columns] + bias)`, B row-major with rows `stride` floats apart.
 * @param parts Room for {@link vectorParts} copies of `y`, where that is more than one.
 */
export function multiplyVector(
  x: usize,
  b: usize,
  y: usize,
  columns: i32,
  depth: i32,
  stride: i32,
  bias: usize,
  activation: i32,
  parts: usize,
): void {
  const count = vectorParts(columns, depth);
  setArgument(0, x);
  setArgument(1, b);
  setArgument(2, count > 1 ? parts : y);
  setArgument(3, depth);
  setArgument(4, <usize>stride << 2);
  setArgument(5, columns);
  setArgument(6, count);
  // each part is a stream of whole rows
  forTasks(vectorPart, count, <f32>columns * <f32>depth * READ_NANOSECONDS);
  if (count == 1 && !bias && !activation) return;
  setArgument(7, y);
  setArgument(8, bias);
  setArgument(9, activation);
  forRange(finishVector, columns, 64, 0.1 * <f32>count);
}

function vectorPart(part: i32, _: i32): void {
  const depth = argument(3),
    rowBytes = addressArgument(4),
    columns = argument(5),
    share = divideUp(depth, argument(6)),
    bytes = <usize>columns << 2,
    y = addressArgument(2) + <usize>part * bytes,
    last = min(depth, (part + 1) * share);
  let k = min(depth, part * share),
    x = addressArgument(0) + (<usize>k << 2),
    b = addressArgument(1) + <usize>k * rowBytes;
  memory.fill(y, 0, bytes);
  for (; k + 4 <= last; k += 4) {
    addFourRows(x, b, rowBytes, columns, y);
    x += 16;
    b += rowBytes << 2;
  }
  for (; k < last; k++) {
    addRow(x, b, columns, y);
    x += 4;
    b += rowBytes;
  }
}

/** Adds the parts in order, then bias and activation: outputs `[from, to)`. */
function finishVector(from: i32, to: i32): void {
  const parts = addressArgument(2),
    stride = <usize>argument(5) << 2,
    count = argument(6),
    y = addressArgument(7),
    bias = addressArgument(8),
    activation = argument(9);
  for (let column = from; column < to; column += 4) {
    const offset = <usize>column << 2,
      left = to - column;
    let p = parts + offset,
      sum = loadPart(p, left);
    for (let part = 1; part < count; part++) {
      p += stride;
      sum = f32x4.add(sum, loadPart(p, left));
    }
    if (bias) sum = f32x4.add(sum, loadPart(bias + offset, left));
    storePart(y + offset, activate(sum, activation), left);
  }
  activateRow(activation >> ACTIVATION_SHIFT, y + (<usize>from << 2), to - from);
}

function addFourRows(x: usize, b: usize, stride: usize, columns: i32, y: usize): void {
  const x0 = v128.load_splat<f32>(x),
    x1 = v128.load_splat<f32>(x, 4),
    x2 = v128.load_splat<f32>(x, 8),
    x3 = v128.load_splat<f32>(x, 12);
  const b1 = b + stride,
    b2 = b1 + stride,
    b3 = b2 + stride;
  let f: usize = 0;
  const wide = <usize>(columns & ~3) << 2,
    end = <usize>columns << 2;
  for (; f < wide; f += 16) {
    let sum = multiplyAdd(v128.load(y + f), x0, v128.load(b + f));
    sum = multiplyAdd(sum, x1, v128.load(b1 + f));
    sum = multiplyAdd(sum, x2, v128.load(b2 + f));
    sum = multiplyAdd(sum, x3, v128.load(b3 + f));
    v128.store(y + f, sum);
  }
  for (; f < end; f += 4)
    store<f32>(
      y + f,
      load<f32>(y + f) +
        load<f32>(x) * load<f32>(b + f) +
        load<f32>(x, 4) * load<f32>(b1 + f) +
        load<f32>(x, 8) * load<f32>(b2 + f) +
        load<f32>(x, 12) * load<f32>(b3 + f),
    );
}

function addRow(x: usize, b: usize, columns: i32, y: usize): void {
  const factor = load<f32>(x);
  const end = <usize>columns << 2;
  for (let f: usize = 0; f < end; f += 4) store<f32>(y + f, load<f32>(y + f) + factor * load<f32>(b + f));
}

/** `y[columns] = act(B[columns, depth] · x[depth] + bias)`: one dot product an output. */
export function multiplyVectorTransposed(
  x: usize,
  b: usize,
  y: usize,
  columns: i32,
  depth: i32,
  stride: i32,
  bias: usize,
  activation: i32,
): void {
  setArgument(0, x);
  setArgument(1, b);
  setArgument(2, y);
  setArgument(3, depth);
  setArgument(4, <usize>stride << 2);
  setArgument(5, bias);
  setArgument(6, activation);
  forRange(dotPart, columns, 4, <f32>depth * READ_NANOSECONDS);
}

function dotPart(from: i32, to: i32): void {
  const x = addressArgument(0),
    y = addressArgument(2),
    depth = argument(3),
    stride = addressArgument(4),
    bias = addressArgument(5),
    activation = argument(6);
  let b = addressArgument(1) + <usize>from * stride;
  for (let column = from; column < to; column++) {
    let value = dot(x, b, depth);
    if (bias) value += load<f32>(bias + (<usize>column << 2));
    if (activation) value = f32x4.extract_lane(activate(f32x4.splat(value), activation), 0);
    store<f32>(y + (<usize>column << 2), value);
    b += stride;
  }
  activateRow(activation >> ACTIVATION_SHIFT, y + (<usize>from << 2), to - from);
}

function dot(a: usize, b: usize, count: i32): f32 {
  let s0 = f32x4.splat(0),
    s1 = s0,
    s2 = s0,
    s3 = s0;
  while (count >= 16) {
    s0 = multiplyAdd(s0, v128.load(a), v128.load(b));
    s1 = multiplyAdd(s1, v128.load(a, 16), v128.load(b, 16));
    s2 = multiplyAdd(s2, v128.load(a, 32), v128.load(b, 32));
    s3 = multiplyAdd(s3, v128.load(a, 48), v128.load(b, 48));
    a += 64;
    b += 64;
    count -= 16;
  }
  let sum = horizontalSum(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)));
  while (count > 0) {
    sum += load<f32>(a) * load<f32>(b);
    a += 4;
    b += 4;
    count--;
  }
  return sum;
}
