// One row times a matrix is bound by memory: B is read once, in place, never packed.
import { activate, multiplyAdd } from "./micro-kernel";
import { horizontalSum } from "./math";

/** `y[columns] = act(x[depth] · B[depth, columns] + bias)`, B row-major with rows `stride` floats apart. */
export function multiplyVector(
  x: usize,
  b: usize,
  y: usize,
  columns: i32,
  depth: i32,
  stride: i32,
  bias: usize,
  activation: i32,
): void {
  const bytes = <usize>columns << 2,
    rowBytes = <usize>stride << 2;
  if (bias) memory.copy(y, bias, bytes);
  else memory.fill(y, 0, bytes);
  let k = 0;
  for (; k + 4 <= depth; k += 4) {
    addFourRows(x + (<usize>k << 2), b, rowBytes, columns, y);
    b += rowBytes << 2;
  }
  for (; k < depth; k++) {
    addRow(x + (<usize>k << 2), b, columns, y);
    b += rowBytes;
  }
  if (activation)
    for (let f: usize = 0; f < bytes; f += 4)
      store<f32>(y + f, f32x4.extract_lane(activate(v128.load_splat<f32>(y + f), activation), 0));
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
  for (let column = 0; column < columns; column++) {
    let value = dot(x, b, depth);
    if (bias) value += load<f32>(bias + (<usize>column << 2));
    if (activation) value = f32x4.extract_lane(activate(f32x4.splat(value), activation), 0);
    store<f32>(y + (<usize>column << 2), value);
    b += <usize>stride << 2;
  }
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
