// Depthwise convolution with one filter a channel: y[n, y, x, c] = act(bias[c] + Σ x[…, c] · filter[tapY, tapX, c]).
// The geometry is a convolution's: `setConvolution`. Every output is summed tap by tap in the filter's order, whether it is
// computed alone or with its neighbours, so that a row may be cut anywhere.
import { ACTIVATION_SHIFT, activateRow } from "./activation";
import {
  CHANNELS,
  DILATION_HEIGHT,
  DILATION_WIDTH,
  FILTER_HEIGHT,
  FILTER_WIDTH,
  HEIGHT,
  OUT_HEIGHT,
  OUT_WIDTH,
  PAD_LEFT,
  PAD_TOP,
  STRIDE_HEIGHT,
  STRIDE_WIDTH,
  WIDTH,
  scratch,
  word,
} from "./layout";
import { activate, multiplyAdd } from "./micro-kernel";
import { loadPart, storePart } from "./partial";
import { addressArgument, argument, forRange, setArgument } from "./threads";

// Arguments of a job.
export const IMAGE: i32 = 0;
export const OUTPUT: i32 = 1;
export const WEIGHTS: i32 = 2;
const BIAS: i32 = 3;
const ACTIVATION: i32 = 4;

/** Nanoseconds of one tap of one channel. */
export const TAP_NANOSECONDS: f32 = 0.12;

/** Packs a filter `[taps, channels]` as `[block of four channels][tap][4]`; turned by half a turn with `turned`. */
export function packDepthwise(filter: usize, packed: usize, turned: i32): void {
  const channels = word(CHANNELS),
    taps = word(FILTER_HEIGHT) * word(FILTER_WIDTH);
  for (let channel = 0; channel < channels; channel += 4)
    for (let tap = 0; tap < taps; tap++) {
      const from = turned ? taps - 1 - tap : tap;
      v128.store(packed, loadPart(filter + (<usize>(from * channels + channel) << 2), channels - channel));
      packed += 16;
    }
}

/** First tap of a window that lies in the image. */
// @ts-ignore: decorator
@inline
export function firstTap(start: i32, dilation: i32): i32 {
  return start >= 0 ? 0 : (dilation - 1 - start) / dilation;
}

/** Tap before which the window lies in the image. */
// @ts-ignore: decorator
@inline
export function endTap(start: i32, dilation: i32, taps: i32, length: i32): i32 {
  return start >= length ? 0 : min(taps, (length - start + dilation - 1) / dilation);
}

/**
 * One output pixel, from channel `channel` on: Σ of the values that a list of (address, place of the weights) names.
 * @param list Eight bytes an entry.
 */
export function gatherPixel(list: usize, count: i32, channel: i32, output: usize, bias: usize, mode: i32): void {
  const channels = word(CHANNELS),
    end = list + (<usize>count << 3),
    blockBytes = <usize>(word(FILTER_HEIGHT) * word(FILTER_WIDTH)) << 4;
  let weights = addressArgument(WEIGHTS) + <usize>(channel >> 2) * blockBytes;
  for (; channel < channels; channel += 4) {
    const rest = channels - channel,
      f = <usize>channel << 2;
    let sum = bias ? loadPart(bias + f, rest) : f32x4.splat(0);
    for (let entry = list; entry < end; entry += 8)
      sum = multiplyAdd(sum, loadPart(load<usize>(entry) + f, rest), v128.load(weights + load<usize>(entry, 4)));
    storePart(output + f, activate(sum, mode), rest);
    weights += blockBytes;
  }
}

/** One output pixel whose window starts at (top, left), from channel `channel` on. */
function forwardPixel(image: usize, top: i32, left: i32, channel: i32, output: usize): void {
  const pixelBytes = <usize>word(CHANNELS) << 2,
    stepY = word(DILATION_HEIGHT),
    stepX = word(DILATION_WIDTH),
    filterWidth = word(FILTER_WIDTH),
    y1 = endTap(top, stepY, word(FILTER_HEIGHT), word(HEIGHT)),
    x0 = firstTap(left, stepX),
    x1 = endTap(left, stepX, filterWidth, word(WIDTH)),
    list = scratch();
  let entry = list;
  for (let tapY = firstTap(top, stepY); tapY < y1; tapY++)
    for (let tapX = x0; tapX < x1; tapX++) {
      const pixel = (top + tapY * stepY) * word(WIDTH) + left + tapX * stepX;
      store<usize>(entry, image + <usize>pixel * pixelBytes);
      store<i32>(entry, (tapY * filterWidth + tapX) << 4, 4);
      entry += 8;
    }
  gatherPixel(list, <i32>((entry - list) >> 3), channel, output, addressArgument(BIAS), argument(ACTIVATION));
}

// Output pixels side by side whose windows lie in the image from left to right, for all whole blocks of channels. `p` is the
// first column of the first of `rows` rows of the window, `weights` the tap there. The sums and loads of a row of the window
// fit into V8's 15 vector registers.

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
function tilePixels(filterWidth: i32, stride: i32, dilation: i32): i32 {
  if (dilation != 1 || stride > 2) return 4;
  if (filterWidth == 5) return 2;
  return filterWidth == 3 && stride == 2 ? 3 : 4;
}

function tile(p: usize, rows: i32, rowBytes: usize, pixelBytes: usize, weights: usize, output: usize): void {
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

/** Output pixels `[x, end)` of row `y` of an image. */
function forwardRow(image: usize, y: i32, x: i32, end: i32, output: usize): void {
  const channels = word(CHANNELS),
    width = word(WIDTH),
    filterWidth = word(FILTER_WIDTH),
    stride = word(STRIDE_WIDTH),
    padLeft = word(PAD_LEFT),
    stepY = word(DILATION_HEIGHT),
    pixelBytes = <usize>channels << 2,
    rowBytes = <usize>(stepY * width) * pixelBytes,
    top = y * word(STRIDE_HEIGHT) - word(PAD_TOP),
    firstRow = firstTap(top, stepY),
    rows = max(0, endTap(top, stepY, word(FILTER_HEIGHT), word(HEIGHT)) - firstRow),
    room = width - 1 - (filterWidth - 1) * word(DILATION_WIDTH) + padLeft,
    // columns whose windows lie in the image
    inside = padLeft > 0 ? (padLeft + stride - 1) / stride : 0,
    outside = room >= 0 ? min(end, room / stride + 1) : 0,
    pixels = tilePixels(filterWidth, stride, word(DILATION_WIDTH)),
    weights = addressArgument(WEIGHTS) + (<usize>(firstRow * filterWidth) << 4);
  while (x < end) {
    const left = x * stride - padLeft;
    let done = 1;
    if (x >= inside && x + pixels <= outside && channels >= 4) {
      const p = image + <usize>((top + firstRow * stepY) * width + left) * pixelBytes;
      tile(p, rows, rowBytes, pixelBytes, weights, output);
      done = pixels;
      if (channels & 3)
        for (let i = 0; i < pixels; i++)
          forwardPixel(image, top, left + i * stride, channels & ~3, output + <usize>i * pixelBytes);
    } else forwardPixel(image, top, left, 0, output);
    x += done;
    output += <usize>done * pixelBytes;
  }
}

function forwardPart(from: i32, to: i32): void {
  const outWidth = word(OUT_WIDTH),
    outHeight = word(OUT_HEIGHT),
    channels = word(CHANNELS),
    imageBytes = <usize>(word(HEIGHT) * word(WIDTH) * channels) << 2,
    activation = argument(ACTIVATION) >> ACTIVATION_SHIFT;
  let row = from / outWidth,
    x = from - row * outWidth;
  while (from < to) {
    const end = min(outWidth, x + to - from),
      n = row / outHeight,
      output = addressArgument(OUTPUT) + ((<usize>from * <usize>channels) << 2);
    forwardRow(addressArgument(IMAGE) + <usize>n * imageBytes, row - n * outHeight, x, end, output);
    if (activation) activateRow(activation, output, (end - x) * channels);
    from += end - x;
    row++;
    x = 0;
  }
}

/**
 * `[batch, height, width, channels]` by `[filterHeight, filterWidth, channels]` → `[batch, outHeight, outWidth, channels]`.
 * The gradient of x at stride 1 is this too: of dy, with the filter turned and the padding that is left of a window.
 * @param packed Room for the packed filter: `divideUp(channels, 4) · taps · 16` bytes.
 * @param bias `channels` floats, or 0.
 * @param activation As in a product.
 */
export function depthwise(
  x: usize,
  filter: usize,
  y: usize,
  batch: i32,
  packed: usize,
  turned: i32,
  bias: usize,
  activation: i32,
): void {
  packDepthwise(filter, packed, turned);
  setArgument(IMAGE, x);
  setArgument(OUTPUT, y);
  setArgument(WEIGHTS, packed);
  setArgument(BIAS, bias);
  setArgument(ACTIVATION, activation);
  const taps = word(FILTER_HEIGHT) * word(FILTER_WIDTH);
  forRange(
    forwardPart,
    batch * word(OUT_HEIGHT) * word(OUT_WIDTH),
    4,
    <f32>(taps * word(CHANNELS)) * TAP_NANOSECONDS,
  );
}
