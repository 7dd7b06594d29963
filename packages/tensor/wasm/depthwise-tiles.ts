// Depthwise convolution of output pixels side by side whose windows lie in the image from left to right, for all whole
// blocks of channels. `p` is the first column of the first of `rows` rows of the window, `weights` the tap there. The sums
// and loads of a row of the window fit into V8's 15 vector registers.
import { DILATION_WIDTH, FILTER_HEIGHT, FILTER_WIDTH, STRIDE_WIDTH, word } from "./layout";
import { activate, multiplyAdd } from "./micro-kernel";
import { addressArgument, argument } from "./threads";

/** Arguments of the job: bias and activation flags. */
export const BIAS: i32 = 3;
export const ACTIVATION: i32 = 4;

/** Four pixels, filter three wide, stride 1. */
function tileThree(p: usize, rows: i32, rowBytes: usize, pixelBytes: usize, weights: usize, output: usize): void {
  const blockBytes = <usize>(word(FILTER_HEIGHT) * 3) << 4,
    mode = argument(ACTIVATION),
    end = output + (pixelBytes & ~15);
  let bias = addressArgument(BIAS);
  while (output < end) {
    let s0 = f32x4.splat(0);
    if (bias) {
      s0 = v128.load(bias);
      bias += 16;
    }
    let s1 = s0,
      s2 = s0,
      s3 = s0,
      row = p,
      w = weights;
    for (let r = rows; r > 0; r--) {
      let q = row;
      const w0 = v128.load(w),
        w1 = v128.load(w, 16),
        w2 = v128.load(w, 32);
      let x = v128.load(q);
      s0 = multiplyAdd(s0, x, w0);
      q += pixelBytes;
      x = v128.load(q);
      s0 = multiplyAdd(s0, x, w1);
      s1 = multiplyAdd(s1, x, w0);
      q += pixelBytes;
      x = v128.load(q);
      s0 = multiplyAdd(s0, x, w2);
      s1 = multiplyAdd(s1, x, w1);
      s2 = multiplyAdd(s2, x, w0);
      q += pixelBytes;
      x = v128.load(q);
      s1 = multiplyAdd(s1, x, w2);
      s2 = multiplyAdd(s2, x, w1);
      s3 = multiplyAdd(s3, x, w0);
      q += pixelBytes;
      x = v128.load(q);
      s2 = multiplyAdd(s2, x, w2);
      s3 = multiplyAdd(s3, x, w1);
      x = v128.load(q + pixelBytes);
      s3 = multiplyAdd(s3, x, w2);
      row += rowBytes;
      w += 48;
    }
    v128.store(output, activate(s0, mode));
    v128.store(output + pixelBytes, activate(s1, mode));
    v128.store(output + 2 * pixelBytes, activate(s2, mode));
    v128.store(output + 3 * pixelBytes, activate(s3, mode));
    p += 16;
    weights += blockBytes;
    output += 16;
  }
}

/** Three pixels, filter three wide, stride 2. */
function tileThreeApart(p: usize, rows: i32, rowBytes: usize, pixelBytes: usize, weights: usize, output: usize): void {
  const blockBytes = <usize>(word(FILTER_HEIGHT) * 3) << 4,
    mode = argument(ACTIVATION),
    end = output + (pixelBytes & ~15);
  let bias = addressArgument(BIAS);
  while (output < end) {
    let s0 = f32x4.splat(0);
    if (bias) {
      s0 = v128.load(bias);
      bias += 16;
    }
    let s1 = s0,
      s2 = s0,
      row = p,
      w = weights;
    for (let r = rows; r > 0; r--) {
      let q = row;
      const w0 = v128.load(w),
        w1 = v128.load(w, 16),
        w2 = v128.load(w, 32);
      s0 = multiplyAdd(s0, v128.load(q), w0);
      q += pixelBytes;
      s0 = multiplyAdd(s0, v128.load(q), w1);
      q += pixelBytes;
      let x = v128.load(q);
      s0 = multiplyAdd(s0, x, w2);
      s1 = multiplyAdd(s1, x, w0);
      q += pixelBytes;
      s1 = multiplyAdd(s1, v128.load(q), w1);
      q += pixelBytes;
      x = v128.load(q);
      s1 = multiplyAdd(s1, x, w2);
      s2 = multiplyAdd(s2, x, w0);
      q += pixelBytes;
      s2 = multiplyAdd(s2, v128.load(q), w1);
      s2 = multiplyAdd(s2, v128.load(q + pixelBytes), w2);
      row += rowBytes;
      w += 48;
    }
    v128.store(output, activate(s0, mode));
    v128.store(output + pixelBytes, activate(s1, mode));
    v128.store(output + 2 * pixelBytes, activate(s2, mode));
    p += 16;
    weights += blockBytes;
    output += 16;
  }
}

/** Two pixels, filter five wide, stride 1 or 2. */
// @ts-ignore: decorator
@inline
function tileFive(
  stride: i32,
  p: usize,
  rows: i32,
  rowBytes: usize,
  pixelBytes: usize,
  weights: usize,
  output: usize,
): void {
  const blockBytes = <usize>(word(FILTER_HEIGHT) * 5) << 4,
    mode = argument(ACTIVATION),
    end = output + (pixelBytes & ~15);
  let bias = addressArgument(BIAS);
  while (output < end) {
    let s0 = f32x4.splat(0);
    if (bias) {
      s0 = v128.load(bias);
      bias += 16;
    }
    let s1 = s0,
      row = p,
      w = weights;
    for (let r = rows; r > 0; r--) {
      let q = row;
      const w0 = v128.load(w),
        w1 = v128.load(w, 16),
        w2 = v128.load(w, 32),
        w3 = v128.load(w, 48),
        w4 = v128.load(w, 64);
      let x = v128.load(q);
      s0 = multiplyAdd(s0, x, w0);
      q += pixelBytes;
      x = v128.load(q);
      s0 = multiplyAdd(s0, x, w1);
      if (stride == 1) s1 = multiplyAdd(s1, x, w0);
      q += pixelBytes;
      x = v128.load(q);
      s0 = multiplyAdd(s0, x, w2);
      s1 = multiplyAdd(s1, x, stride == 1 ? w1 : w0);
      q += pixelBytes;
      x = v128.load(q);
      s0 = multiplyAdd(s0, x, w3);
      s1 = multiplyAdd(s1, x, stride == 1 ? w2 : w1);
      q += pixelBytes;
      x = v128.load(q);
      s0 = multiplyAdd(s0, x, w4);
      s1 = multiplyAdd(s1, x, stride == 1 ? w3 : w2);
      q += pixelBytes;
      x = v128.load(q);
      s1 = multiplyAdd(s1, x, stride == 1 ? w4 : w3);
      if (stride == 2) s1 = multiplyAdd(s1, v128.load(q + pixelBytes), w4);
      row += rowBytes;
      w += 80;
    }
    v128.store(output, activate(s0, mode));
    v128.store(output + pixelBytes, activate(s1, mode));
    p += 16;
    weights += blockBytes;
    output += 16;
  }
}

function tileFiveClose(p: usize, rows: i32, rowBytes: usize, pixelBytes: usize, weights: usize, output: usize): void {
  tileFive(1, p, rows, rowBytes, pixelBytes, weights, output);
}

function tileFiveApart(p: usize, rows: i32, rowBytes: usize, pixelBytes: usize, weights: usize, output: usize): void {
  tileFive(2, p, rows, rowBytes, pixelBytes, weights, output);
}

/** Four pixels, any filter, stride and dilation. */
function tileAny(p: usize, rows: i32, rowBytes: usize, pixelBytes: usize, weights: usize, output: usize): void {
  const taps = word(FILTER_WIDTH),
    blockBytes = <usize>(word(FILTER_HEIGHT) * taps) << 4,
    mode = argument(ACTIVATION),
    end = output + (pixelBytes & ~15),
    tapBytes = <usize>word(DILATION_WIDTH) * pixelBytes,
    strideBytes = <usize>word(STRIDE_WIDTH) * pixelBytes;
  let bias = addressArgument(BIAS);
  while (output < end) {
    let s0 = f32x4.splat(0);
    if (bias) {
      s0 = v128.load(bias);
      bias += 16;
    }
    let s1 = s0,
      s2 = s0,
      s3 = s0,
      row = p,
      w = weights;
    for (let r = rows; r > 0; r--) {
      let p0 = row,
        p1 = p0 + strideBytes,
        p2 = p1 + strideBytes,
        p3 = p2 + strideBytes;
      for (let tap = taps; tap > 0; tap--) {
        const weight = v128.load(w);
        s0 = multiplyAdd(s0, v128.load(p0), weight);
        s1 = multiplyAdd(s1, v128.load(p1), weight);
        s2 = multiplyAdd(s2, v128.load(p2), weight);
        s3 = multiplyAdd(s3, v128.load(p3), weight);
        p0 += tapBytes;
        p1 += tapBytes;
        p2 += tapBytes;
        p3 += tapBytes;
        w += 16;
      }
      row += rowBytes;
    }
    v128.store(output, activate(s0, mode));
    v128.store(output + pixelBytes, activate(s1, mode));
    v128.store(output + 2 * pixelBytes, activate(s2, mode));
    v128.store(output + 3 * pixelBytes, activate(s3, mode));
    p += 16;
    weights += blockBytes;
    output += 16;
  }
}

/** Pixels that a tile of this geometry has. */
// @ts-ignore: decorator
@inline
export function tilePixels(filterWidth: i32, stride: i32, dilation: i32): i32 {
  if (dilation != 1 || stride > 2) return 4;
  if (filterWidth == 5) return 2;
  return filterWidth == 3 && stride == 2 ? 3 : 4;
}

export function tile(p: usize, rows: i32, rowBytes: usize, pixelBytes: usize, weights: usize, output: usize): void {
  const filterWidth = word(FILTER_WIDTH),
    stride = word(STRIDE_WIDTH);
  if (word(DILATION_WIDTH) == 1 && stride <= 2) {
    if (filterWidth == 3) {
      if (stride == 1) tileThree(p, rows, rowBytes, pixelBytes, weights, output);
      else tileThreeApart(p, rows, rowBytes, pixelBytes, weights, output);
      return;
    }
    if (filterWidth == 5) {
      if (stride == 1) tileFiveClose(p, rows, rowBytes, pixelBytes, weights, output);
      else tileFiveApart(p, rows, rowBytes, pixelBytes, weights, output);
      return;
    }
  }
  tileAny(p, rows, rowBytes, pixelBytes, weights, output);
}
