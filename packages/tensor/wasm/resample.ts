import { addressArgument, argument, forRange, setArgument } from "./threads";

/** Σ weights · rows over 16 columns. */
function sixteenColumns(x: usize, output: usize, weights: usize, taps: i32, stride: usize): void {
  let s0 = f32x4.splat(0),
    s1 = s0,
    s2 = s0,
    s3 = s0;
  for (; taps > 0; taps--) {
    const weight = v128.load32_splat(weights);
    s0 = f32x4.add(s0, f32x4.mul(weight, v128.load(x)));
    s1 = f32x4.add(s1, f32x4.mul(weight, v128.load(x, 16)));
    s2 = f32x4.add(s2, f32x4.mul(weight, v128.load(x, 32)));
    s3 = f32x4.add(s3, f32x4.mul(weight, v128.load(x, 48)));
    x += stride;
    weights += 4;
  }
  v128.store(output, s0);
  v128.store(output, s1, 16);
  v128.store(output, s2, 32);
  v128.store(output, s3, 48);
}

function oneColumn(x: usize, output: usize, weights: usize, taps: i32, stride: usize): void {
  let sum: f32 = 0;
  for (; taps > 0; taps--) {
    sum += load<f32>(weights) * load<f32>(x);
    x += stride;
    weights += 4;
  }
  store<f32>(output, sum);
}

function resamplePart(from: i32, to: i32): void {
  const starts = addressArgument(1),
    offsets = addressArgument(2),
    length = argument(5),
    inner = argument(6),
    count = argument(7),
    row = <usize>inner << 2;
  for (; from < to; from++) {
    const block = from / count,
      cell = <usize>(from - block * count) << 2,
      first = load<i32>(offsets + cell),
      taps = load<i32>(offsets + cell, 4) - first,
      weights = addressArgument(3) + (<usize>first << 2);
    let x = addressArgument(0) + <usize>(block * length + load<i32>(starts + cell)) * row,
      output = addressArgument(4) + <usize>from * row,
      column = 0;
    for (; column + 16 <= inner; column += 16) {
      sixteenColumns(x, output, weights, taps, row);
      x += 64;
      output += 64;
    }
    for (; column < inner; column++) {
      oneColumn(x, output, weights, taps, row);
      x += 4;
      output += 4;
    }
  }
}

/**
 * A banded matrix along the middle axis: `output[o][c][i] = Σ_j weights[offsets[c] + j] · x[o][starts[c] + j][i]` for
 * `j < offsets[c + 1] − offsets[c]`, x `[outer, length, inner]`, output `[outer, count, inner]`; `taps` is their mean number.
 */
export function resample(
  x: usize,
  starts: usize,
  offsets: usize,
  weights: usize,
  output: usize,
  outer: i32,
  length: i32,
  inner: i32,
  count: i32,
  taps: f32,
): void {
  setArgument(0, x);
  setArgument(1, starts);
  setArgument(2, offsets);
  setArgument(3, weights);
  setArgument(4, output);
  setArgument(5, length);
  setArgument(6, inner);
  setArgument(7, count);
  forRange(resamplePart, outer * count, 1, 5 + <f32>inner * (1 + taps * (inner < 16 ? <f32>1.5 : <f32>0.4)));
}
