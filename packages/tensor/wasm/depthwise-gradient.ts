// Gradients of depthwise convolution, see depthwise.ts.
import { IMAGE, OUTPUT, TAP_NANOSECONDS, WEIGHTS, gatherPixel, packDepthwise } from "./depthwise";
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
  divideUp,
  scratch,
  word,
} from "./layout";
import { multiplyAdd } from "./micro-kernel";
import { loadPart, storePart } from "./partial";
import { addressArgument, argument, forRange, forTasks, setArgument } from "./threads";

const BATCH: i32 = 3;
const PARTS: i32 = 4;
/** Sums of a filter gradient that are kept apart. */
const MOST_PARTS: i32 = 16;

/** Input pixels `[from, to)`: each gathers the output gradients that it took part in. */
function inputPart(from: i32, to: i32): void {
  const height = word(HEIGHT),
    width = word(WIDTH),
    outHeight = word(OUT_HEIGHT),
    outWidth = word(OUT_WIDTH),
    filterWidth = word(FILTER_WIDTH),
    strideY = word(STRIDE_HEIGHT),
    strideX = word(STRIDE_WIDTH),
    pixelBytes = <usize>word(CHANNELS) << 2,
    list = scratch();
  for (let pixel = from; pixel < to; pixel++) {
    const row = pixel / width,
      column = pixel - row * width,
      n = row / height;
    let entry = list;
    for (let tapY = 0; tapY < word(FILTER_HEIGHT); tapY++) {
      const top = row - n * height + word(PAD_TOP) - tapY * word(DILATION_HEIGHT),
        y = top / strideY;
      if (top < 0 || y * strideY != top || y >= outHeight) continue;
      for (let tapX = 0; tapX < filterWidth; tapX++) {
        const start = column + word(PAD_LEFT) - tapX * word(DILATION_WIDTH),
          x = start / strideX;
        if (start < 0 || x * strideX != start || x >= outWidth) continue;
        store<usize>(entry, addressArgument(IMAGE) + <usize>((n * outHeight + y) * outWidth + x) * pixelBytes);
        store<i32>(entry, (tapY * filterWidth + tapX) << 4, 4);
        entry += 8;
      }
    }
    const output = addressArgument(OUTPUT) + <usize>pixel * pixelBytes;
    gatherPixel(list, <i32>((entry - list) >> 3), 0, output, 0, 0);
  }
}

/** Gradient of x, for any stride. @param packed Room as in `depthwise`. */
export function depthwiseInputGradient(dy: usize, filter: usize, dx: usize, batch: i32, packed: usize): void {
  packDepthwise(filter, packed, 0);
  setArgument(IMAGE, dy);
  setArgument(OUTPUT, dx);
  setArgument(WEIGHTS, packed);
  const taps = divideUp(word(FILTER_HEIGHT) * word(FILTER_WIDTH), word(STRIDE_HEIGHT) * word(STRIDE_WIDTH));
  const cost = <f32>(taps * word(CHANNELS)) * TAP_NANOSECONDS;
  forRange(inputPart, batch * word(HEIGHT) * word(WIDTH), 4, 20 + 2 * cost);
}

/** Sums that are kept apart: depends on the sizes alone. */
export function depthwiseParts(batch: i32): i32 {
  return min(MOST_PARTS, batch * word(OUT_HEIGHT));
}

/** Adds Σ a · b over `count` pixels of four channels to the floats at `place`. */
function addProducts(place: usize, a: usize, b: usize, count: i32, moveA: usize, moveB: usize, left: i32): void {
  let sum = v128.load(place);
  for (let i = 0; i < count; i++) {
    sum = multiplyAdd(sum, loadPart(a, left), loadPart(b, left));
    a += moveA;
    b += moveB;
  }
  v128.store(place, sum);
}

/** The same for three taps `tapBytes` apart, of four whole channels. */
function addProductsOfThree(
  place: usize,
  a: usize,
  tapBytes: usize,
  b: usize,
  count: i32,
  moveA: usize,
  moveB: usize,
): void {
  let s0 = v128.load(place),
    s1 = v128.load(place, 16),
    s2 = v128.load(place, 32);
  for (let i = 0; i < count; i++) {
    const gradient = v128.load(b);
    s0 = multiplyAdd(s0, v128.load(a), gradient);
    s1 = multiplyAdd(s1, v128.load(a + tapBytes), gradient);
    s2 = multiplyAdd(s2, v128.load(a + 2 * tapBytes), gradient);
    a += moveA;
    b += moveB;
  }
  v128.store(place, s0);
  v128.store(place, s1, 16);
  v128.store(place, s2, 32);
}

/** Taps `[tapX, tapX + taps)`, at most three, of four channels along one row; `x` and `dy` are the rows' first pixels. */
function rowGradient(x: usize, dy: usize, tapX: i32, taps: i32, left: i32, sums: usize, tapStride: usize): void {
  const pixelBytes = <usize>word(CHANNELS) << 2,
    stride = word(STRIDE_WIDTH),
    dilation = word(DILATION_WIDTH),
    width = word(WIDTH),
    outWidth = word(OUT_WIDTH),
    moveX = <usize>stride * pixelBytes,
    places = scratch();
  // output columns where every tap lies in the image
  const first = tapX * dilation - word(PAD_LEFT),
    last = first + (taps - 1) * dilation,
    low = firstInside(first, stride),
    high = endInside(last, stride, width, outWidth),
    together = taps == 3 && left >= 4 && high > low;
  for (let tap = 0; tap < taps; tap++) {
    const start = first + tap * dilation,
      from = firstInside(start, stride),
      end = endInside(start, stride, width, outWidth),
      to = together ? low : end,
      place = places + (<usize>tap << 4);
    v128.store(place, f32x4.splat(0));
    if (to > from) addProducts(place, x + <usize>(from * stride + start) * pixelBytes, dy + <usize>from * pixelBytes, to - from, moveX, pixelBytes, left);
  }
  if (together) {
    const source = x + <usize>(low * stride + first) * pixelBytes,
      gradient = dy + <usize>low * pixelBytes;
    addProductsOfThree(places, source, <usize>dilation * pixelBytes, gradient, high - low, moveX, pixelBytes);
  }
  for (let tap = 0; tap < taps; tap++) {
    const start = first + tap * dilation,
      end = endInside(start, stride, width, outWidth),
      place = places + (<usize>tap << 4);
    if (together && end > high) addProducts(place, x + <usize>(high * stride + start) * pixelBytes, dy + <usize>high * pixelBytes, end - high, moveX, pixelBytes, left);
    // a row is summed in float32, rows in double
    const sum = v128.load(place);
    v128.store(sums, f64x2.add(v128.load(sums), f64x2.promote_low_f32x4(sum)));
    v128.store(sums, f64x2.add(v128.load(sums, 16), f64x2.promote_low_f32x4(v128.shuffle<i64>(sum, sum, 1, 1))), 16);
    sums += tapStride;
  }
}

// @ts-ignore: decorator
@inline
function firstInside(start: i32, stride: i32): i32 {
  return start >= 0 ? 0 : (stride - 1 - start) / stride;
}

// @ts-ignore: decorator
@inline
function endInside(start: i32, stride: i32, width: i32, outWidth: i32): i32 {
  return start >= width ? 0 : min(outWidth, (width - start + stride - 1) / stride);
}

/** One of the sums: a share of the output's rows. */
function filterPart(part: i32, _: i32): void {
  const channels = word(CHANNELS),
    height = word(HEIGHT),
    outHeight = word(OUT_HEIGHT),
    filterHeight = word(FILTER_HEIGHT),
    filterWidth = word(FILTER_WIDTH),
    pixelBytes = <usize>channels << 2,
    tapStride = <usize>divideUp(channels, 4) << 5,
    partBytes = <usize>(filterHeight * filterWidth) * tapStride,
    sums = addressArgument(OUTPUT) + <usize>part * partBytes,
    rows = argument(BATCH) * outHeight,
    share = divideUp(rows, argument(PARTS)),
    end = min(rows, (part + 1) * share);
  memory.fill(sums, 0, partBytes);
  for (let row = part * share; row < end; row++) {
    const n = row / outHeight,
      top = (row - n * outHeight) * word(STRIDE_HEIGHT) - word(PAD_TOP),
      dy = addressArgument(WEIGHTS) + <usize>(row * word(OUT_WIDTH)) * pixelBytes;
    for (let tapY = 0; tapY < filterHeight; tapY++) {
      const y = top + tapY * word(DILATION_HEIGHT);
      if (y < 0 || y >= height) continue;
      const x = addressArgument(IMAGE) + <usize>((n * height + y) * word(WIDTH)) * pixelBytes;
      for (let channel = 0; channel < channels; channel += 4) {
        const f = <usize>channel << 2;
        for (let tapX = 0; tapX < filterWidth; tapX += 3) {
          const place = sums + <usize>(tapY * filterWidth + tapX) * tapStride + (f << 1);
          rowGradient(x + f, dy + f, tapX, min(3, filterWidth - tapX), channels - channel, place, tapStride);
        }
      }
    }
  }
}

/** Adds the sums in order: blocks of four channels `[from, to)` of all taps. */
function addParts(from: i32, to: i32): void {
  const channels = word(CHANNELS),
    blocks = divideUp(channels, 4),
    parts = argument(PARTS),
    partBytes = <usize>(word(FILTER_HEIGHT) * word(FILTER_WIDTH) * blocks) << 5;
  for (let block = from; block < to; block++) {
    let p = addressArgument(OUTPUT) + (<usize>block << 5),
      low = v128.load(p),
      high = v128.load(p, 16);
    for (let part = 1; part < parts; part++) {
      p += partBytes;
      low = f64x2.add(low, v128.load(p));
      high = f64x2.add(high, v128.load(p, 16));
    }
    const total = v128.shuffle<i64>(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 2),
      tap = block / blocks,
      channel = (block - tap * blocks) << 2;
    storePart(addressArgument(5) + (<usize>(tap * channels + channel) << 2), total, channels - channel);
  }
}

/** Gradient of the filter. @param sums Room for `depthwiseParts · taps · divideUp(channels, 4) · 32` bytes. */
export function depthwiseFilterGradient(x: usize, dy: usize, dFilter: usize, batch: i32, sums: usize): void {
  const parts = depthwiseParts(batch),
    taps = word(FILTER_HEIGHT) * word(FILTER_WIDTH);
  setArgument(IMAGE, x);
  setArgument(OUTPUT, sums);
  setArgument(WEIGHTS, dy);
  setArgument(BATCH, batch);
  setArgument(PARTS, parts);
  setArgument(5, dFilter);
  const pixels = <f32>(batch * word(OUT_HEIGHT)) * <f32>word(OUT_WIDTH);
  forTasks(filterPart, parts, pixels * <f32>(taps * word(CHANNELS)) * TAP_NANOSECONDS);
  forRange(addParts, taps * divideUp(word(CHANNELS), 4), 16, <f32>parts);
}

/** `[pixels, channels]` → `[pixels, channels · times]`, each value `times` times: the image of filters that share a channel. */
export function repeatChannels(x: usize, output: usize, count: i32, times: i32): void {
  setArgument(IMAGE, x);
  setArgument(OUTPUT, output);
  setArgument(WEIGHTS, times);
  forRange(repeatPart, count, 64, 0.5 * <f32>times);
}

function repeatPart(from: i32, to: i32): void {
  const times = argument(WEIGHTS);
  let output = addressArgument(OUTPUT) + ((<usize>from * <usize>times) << 2);
  for (let i = from; i < to; i++) {
    const value = load<f32>(addressArgument(IMAGE) + (<usize>i << 2));
    for (let j = 0; j < times; j++) {
      store<f32>(output, value);
      output += 4;
    }
  }
}
