// Depthwise convolution with one filter a channel: y[n, y, x, c] = Σ x[…, c] · filter[tapY, tapX, c].
// The geometry is a convolution's: `setConvolution`.
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
  word,
} from "./layout";
import { loadPart, storePart } from "./partial";
import { multiplyAdd } from "./micro-kernel";

/** First tap of a window that lies in the image. */
// @ts-ignore: decorator
@inline
function firstTap(start: i32, dilation: i32): i32 {
  return start >= 0 ? 0 : (dilation - 1 - start) / dilation;
}

/** Tap before which the window lies in the image. */
// @ts-ignore: decorator
@inline
function endTap(start: i32, dilation: i32, taps: i32, length: i32): i32 {
  return start >= length ? 0 : min(taps, (length - start + dilation - 1) / dilation);
}

const FORWARD: i32 = 0;
const INPUT_GRADIENT: i32 = 1;

/** Walks the output pixels; `image` is x or dx, `output` y or dy. */
function walk(kind: i32, image: usize, filter: usize, output: usize, batch: i32): void {
  const outHeight = word(OUT_HEIGHT),
    outWidth = word(OUT_WIDTH),
    pixelBytes = <usize>word(CHANNELS) << 2,
    imageBytes = <usize>(word(HEIGHT) * word(WIDTH)) * pixelBytes;
  for (let n = 0; n < batch; n++) {
    for (let y = 0; y < outHeight; y++)
      for (let x = 0; x < outWidth; x++) {
        const top = y * word(STRIDE_HEIGHT) - word(PAD_TOP),
          left = x * word(STRIDE_WIDTH) - word(PAD_LEFT);
        if (kind == FORWARD) forwardPixel(image, filter, output, top, left);
        else scatterPixel(image, filter, output, top, left);
        output += pixelBytes;
      }
    image += imageBytes;
  }
}

function forwardPixel(image: usize, filter: usize, output: usize, top: i32, left: i32): void {
  const channels = word(CHANNELS),
    pixelBytes = <usize>channels << 2,
    stepY = word(DILATION_HEIGHT),
    stepX = word(DILATION_WIDTH),
    filterWidth = word(FILTER_WIDTH),
    y0 = firstTap(top, stepY),
    y1 = endTap(top, stepY, word(FILTER_HEIGHT), word(HEIGHT)),
    x0 = firstTap(left, stepX),
    x1 = endTap(left, stepX, filterWidth, word(WIDTH)),
    move = pixelBytes * <usize>stepX;
  for (let channel = 0; channel < channels; channel += 4) {
    const rest = channels - channel,
      f = <usize>channel << 2;
    let sum = f32x4.splat(0);
    for (let tapY = y0; tapY < y1; tapY++) {
      let p = image + <usize>((top + tapY * stepY) * word(WIDTH) + left + x0 * stepX) * pixelBytes + f,
        w = filter + <usize>(tapY * filterWidth + x0) * pixelBytes + f;
      for (let tapX = x0; tapX < x1; tapX++) {
        sum = multiplyAdd(sum, loadPart(p, rest), loadPart(w, rest));
        p += move;
        w += pixelBytes;
      }
    }
    storePart(output + f, sum, rest);
  }
}

function scatterPixel(image: usize, filter: usize, dy: usize, top: i32, left: i32): void {
  const channels = word(CHANNELS),
    pixelBytes = <usize>channels << 2,
    stepY = word(DILATION_HEIGHT),
    stepX = word(DILATION_WIDTH),
    filterWidth = word(FILTER_WIDTH),
    y0 = firstTap(top, stepY),
    y1 = endTap(top, stepY, word(FILTER_HEIGHT), word(HEIGHT)),
    x0 = firstTap(left, stepX),
    x1 = endTap(left, stepX, filterWidth, word(WIDTH)),
    move = pixelBytes * <usize>stepX;
  for (let channel = 0; channel < channels; channel += 4) {
    const rest = channels - channel,
      f = <usize>channel << 2,
      gradient = loadPart(dy + f, rest);
    for (let tapY = y0; tapY < y1; tapY++) {
      let p = image + <usize>((top + tapY * stepY) * word(WIDTH) + left + x0 * stepX) * pixelBytes + f,
        w = filter + <usize>(tapY * filterWidth + x0) * pixelBytes + f;
      for (let tapX = x0; tapX < x1; tapX++) {
        storePart(p, multiplyAdd(loadPart(p, rest), gradient, loadPart(w, rest)), rest);
        p += move;
        w += pixelBytes;
      }
    }
  }
}

/** `[batch, height, width, channels]` by `[filterHeight, filterWidth, channels]` → `[batch, outHeight, outWidth, channels]`. */
export function depthwise(x: usize, filter: usize, y: usize, batch: i32): void {
  walk(FORWARD, x, filter, y, batch);
}

/** Gradient of x. */
export function depthwiseInputGradient(dy: usize, filter: usize, dx: usize, batch: i32): void {
  memory.fill(dx, 0, (<usize>batch * <usize>(word(HEIGHT) * word(WIDTH)) * <usize>word(CHANNELS)) << 2);
  walk(INPUT_GRADIENT, dx, filter, dy, batch);
}

/** Gradient of the filter: a row of the output is summed in float32 before it goes into a double. */
export function depthwiseFilterGradient(x: usize, dy: usize, dFilter: usize, batch: i32): void {
  const channels = word(CHANNELS),
    filterWidth = word(FILTER_WIDTH);
  for (let tap = 0; tap < word(FILTER_HEIGHT) * filterWidth; tap++)
    for (let channel = 0; channel < channels; channel += 4) {
      const place = dFilter + (<usize>(tap * channels + channel) << 2);
      tapGradient(x, dy, place, batch, tap / filterWidth, tap % filterWidth, channel);
    }
}

function tapGradient(x: usize, dy: usize, output: usize, batch: i32, tapY: i32, tapX: i32, channel: i32): void {
  const height = word(HEIGHT),
    width = word(WIDTH),
    outHeight = word(OUT_HEIGHT),
    outWidth = word(OUT_WIDTH),
    channels = word(CHANNELS),
    strideX = word(STRIDE_WIDTH),
    left = channels - channel,
    start = tapX * word(DILATION_WIDTH) - word(PAD_LEFT),
    // output columns whose tap lies in the image
    first = start >= 0 ? 0 : (strideX - 1 - start) / strideX,
    end = start >= width ? 0 : min(outWidth, (width - start + strideX - 1) / strideX);
  let low = f64x2.splat(0),
    high = low;
  for (let n = 0; n < batch; n++)
    for (let y = 0; y < outHeight; y++) {
      const row = y * word(STRIDE_HEIGHT) - word(PAD_TOP) + tapY * word(DILATION_HEIGHT);
      if (row < 0 || row >= height || first >= end) continue;
      const pixel = (n * height + row) * width + first * strideX + start,
        out = (n * outHeight + y) * outWidth + first;
      const sum = rowProduct(
        x + (<usize>(pixel * channels + channel) << 2),
        dy + (<usize>(out * channels + channel) << 2),
        end - first,
        <usize>(strideX * channels) << 2,
        <usize>channels << 2,
        left,
      );
      low = f64x2.add(low, f64x2.promote_low_f32x4(sum));
      high = f64x2.add(high, f64x2.promote_low_f32x4(v128.shuffle<i64>(sum, sum, 1, 1)));
    }
  const total = v128.shuffle<i64>(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 2);
  storePart(output, total, left);
}

/** Σ a · b over `count` pixels of four channels. */
function rowProduct(a: usize, b: usize, count: i32, moveA: usize, moveB: usize, left: i32): v128 {
  let sum = f32x4.splat(0);
  for (let i = 0; i < count; i++) {
    sum = multiplyAdd(sum, loadPart(a, left), loadPart(b, left));
    a += moveA;
    b += moveB;
  }
  return sum;
}
