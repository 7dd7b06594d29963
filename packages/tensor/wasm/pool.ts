// Pooling of images [batch, height, width, channels]. The geometry is a convolution's: `setConvolution`.
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

let firstRow: i32 = 0;
let endRow: i32 = 0;
let firstColumn: i32 = 0;
let endColumn: i32 = 0;

/** First position of a window that lies in the image. */
// @ts-ignore: decorator
@inline
function clampStart(start: i32, dilation: i32): i32 {
  return start >= 0 ? start : start + ((dilation - 1 - start) / dilation) * dilation;
}

/** Sets the window of output pixel (y, x), clipped to the image. */
// @ts-ignore: decorator
@inline
function setWindow(y: i32, x: i32): void {
  const top = y * word(STRIDE_HEIGHT) - word(PAD_TOP),
    left = x * word(STRIDE_WIDTH) - word(PAD_LEFT);
  firstRow = clampStart(top, word(DILATION_HEIGHT));
  endRow = min(word(HEIGHT), top + (word(FILTER_HEIGHT) - 1) * word(DILATION_HEIGHT) + 1);
  firstColumn = clampStart(left, word(DILATION_WIDTH));
  endColumn = min(word(WIDTH), left + (word(FILTER_WIDTH) - 1) * word(DILATION_WIDTH) + 1);
}

// @ts-ignore: decorator
@inline
function larger(best: v128, value: v128, keepNaN: i32): v128 {
  return keepNaN ? f32x4.max(best, value) : f32x4.pmax(best, value);
}

/** Largest value of each window. With `keepNaN` a NaN in the window is the result, else NaN is passed over. */
export function maxPool(x: usize, output: usize, batch: i32, keepNaN: i32): void {
  const outHeight = word(OUT_HEIGHT),
    outWidth = word(OUT_WIDTH),
    channels = word(CHANNELS),
    imageBytes = <usize>(word(HEIGHT) * word(WIDTH) * channels) << 2,
    pixelBytes = <usize>channels << 2;
  for (let n = 0; n < batch; n++) {
    for (let y = 0; y < outHeight; y++)
      for (let column = 0; column < outWidth; column++) {
        setWindow(y, column);
        maxPixel(x, output, pixelBytes, keepNaN);
        output += pixelBytes;
      }
    x += imageBytes;
  }
}

function maxPixel(x: usize, output: usize, pixelBytes: usize, keepNaN: i32): void {
  const width = word(WIDTH),
    stepRow = word(DILATION_HEIGHT),
    stepColumn = word(DILATION_WIDTH),
    move = pixelBytes * <usize>stepColumn;
  let f: usize = 0;
  for (; f + 16 <= pixelBytes; f += 16) {
    let best = f32x4.splat(-Infinity);
    for (let row = firstRow; row < endRow; row += stepRow) {
      let p = x + <usize>(row * width + firstColumn) * pixelBytes + f;
      for (let column = firstColumn; column < endColumn; column += stepColumn) {
        best = larger(best, v128.load(p), keepNaN);
        p += move;
      }
    }
    v128.store(output + f, best);
  }
  for (; f < pixelBytes; f += 4) {
    let best = f32x4.splat(-Infinity);
    for (let row = firstRow; row < endRow; row += stepRow)
      for (let column = firstColumn; column < endColumn; column += stepColumn)
        best = larger(best, v128.load_splat<f32>(x + <usize>(row * width + column) * pixelBytes + f), keepNaN);
    store<f32>(output + f, f32x4.extract_lane(best, 0));
  }
}

/** Gradient of {@link maxPool}: the first largest value of each window takes it. */
export function maxPoolGradient(dy: usize, x: usize, dx: usize, batch: i32, keepNaN: i32): void {
  const outHeight = word(OUT_HEIGHT),
    outWidth = word(OUT_WIDTH),
    channels = word(CHANNELS),
    imageBytes = <usize>(word(HEIGHT) * word(WIDTH) * channels) << 2,
    pixelBytes = <usize>channels << 2;
  memory.fill(dx, 0, imageBytes * <usize>batch);
  for (let n = 0; n < batch; n++) {
    for (let y = 0; y < outHeight; y++)
      for (let column = 0; column < outWidth; column++) {
        setWindow(y, column);
        maxPixelGradient(dy, x, dx, pixelBytes, keepNaN);
        dy += pixelBytes;
      }
    x += imageBytes;
    dx += imageBytes;
  }
}

function maxPixelGradient(dy: usize, x: usize, dx: usize, pixelBytes: usize, keepNaN: i32): void {
  const width = word(WIDTH),
    stepRow = word(DILATION_HEIGHT),
    stepColumn = word(DILATION_WIDTH),
    move = pixelBytes * <usize>stepColumn;
  let f: usize = 0;
  for (; f + 16 <= pixelBytes; f += 16) {
    let best = f32x4.splat(-Infinity);
    for (let row = firstRow; row < endRow; row += stepRow) {
      let p = <usize>(row * width + firstColumn) * pixelBytes + f;
      for (let column = firstColumn; column < endColumn; column += stepColumn) {
        best = larger(best, v128.load(x + p), keepNaN);
        p += move;
      }
    }
    let gradient = v128.load(dy + f);
    const bestIsNaN = f32x4.ne(best, best);
    for (let row = firstRow; row < endRow; row += stepRow) {
      let p = <usize>(row * width + firstColumn) * pixelBytes + f;
      for (let column = firstColumn; column < endColumn; column += stepColumn) {
        const value = v128.load(x + p);
        const hit = v128.or(f32x4.eq(value, best), v128.and(bestIsNaN, f32x4.ne(value, value)));
        v128.store(dx + p, f32x4.add(v128.load(dx + p), v128.and(gradient, hit)));
        gradient = v128.andnot(gradient, hit);
        p += move;
      }
    }
  }
  for (; f < pixelBytes; f += 4) maxChannelGradient(load<f32>(dy + f), x + f, dx + f, pixelBytes, keepNaN);
}

function maxChannelGradient(gradient: f32, x: usize, dx: usize, pixelBytes: usize, keepNaN: i32): void {
  let best: f32 = -Infinity,
    place: usize = 0,
    found = false;
  for (let row = firstRow; row < endRow; row += word(DILATION_HEIGHT))
    for (let column = firstColumn; column < endColumn; column += word(DILATION_WIDTH)) {
      const p = <usize>(row * word(WIDTH) + column) * pixelBytes,
        value = load<f32>(x + p);
      if (value > best || (!found && value == best) || (keepNaN && value != value && best == best)) {
        best = value;
        place = p;
        found = true;
      }
    }
  if (found) store<f32>(dx + place, load<f32>(dx + place) + gradient);
}

/** What a window's sum is divided by: with `countPadding` padding counts, but nothing beyond it (PyTorch's rule). */
// @ts-ignore: decorator
@inline
function windowSize(y: i32, x: i32, countPadding: i32): f32 {
  if (countPadding) {
    const top = y * word(STRIDE_HEIGHT) - word(PAD_TOP),
      left = x * word(STRIDE_WIDTH) - word(PAD_LEFT);
    const bottom = min(top + word(FILTER_HEIGHT), word(HEIGHT) + word(PAD_TOP)),
      right = min(left + word(FILTER_WIDTH), word(WIDTH) + word(PAD_LEFT));
    return <f32>((bottom - top) * (right - left));
  }
  const stepRow = word(DILATION_HEIGHT),
    stepColumn = word(DILATION_WIDTH);
  return <f32>(((endRow - firstRow + stepRow - 1) / stepRow) * ((endColumn - firstColumn + stepColumn - 1) / stepColumn));
}

/** Mean of each window. */
export function averagePool(x: usize, output: usize, batch: i32, countPadding: i32): void {
  const outHeight = word(OUT_HEIGHT),
    outWidth = word(OUT_WIDTH),
    channels = word(CHANNELS),
    imageBytes = <usize>(word(HEIGHT) * word(WIDTH) * channels) << 2,
    pixelBytes = <usize>channels << 2;
  for (let n = 0; n < batch; n++) {
    for (let y = 0; y < outHeight; y++)
      for (let column = 0; column < outWidth; column++) {
        setWindow(y, column);
        averagePixel(x, output, pixelBytes, windowSize(y, column, countPadding));
        output += pixelBytes;
      }
    x += imageBytes;
  }
}

function averagePixel(x: usize, output: usize, pixelBytes: usize, divisor: f32): void {
  const width = word(WIDTH),
    stepRow = word(DILATION_HEIGHT),
    stepColumn = word(DILATION_WIDTH),
    divisors = f32x4.splat(divisor);
  let f: usize = 0;
  for (; f + 16 <= pixelBytes; f += 16) {
    let sum = f32x4.splat(0);
    for (let row = firstRow; row < endRow; row += stepRow)
      for (let column = firstColumn; column < endColumn; column += stepColumn)
        sum = f32x4.add(sum, v128.load(x + <usize>(row * width + column) * pixelBytes + f));
    v128.store(output + f, f32x4.div(sum, divisors));
  }
  for (; f < pixelBytes; f += 4) {
    let sum: f32 = 0;
    for (let row = firstRow; row < endRow; row += stepRow)
      for (let column = firstColumn; column < endColumn; column += stepColumn)
        sum += load<f32>(x + <usize>(row * width + column) * pixelBytes + f);
    store<f32>(output + f, sum / divisor);
  }
}

/** Gradient of {@link averagePool}: each value of a window takes an equal share. */
export function averagePoolGradient(dy: usize, dx: usize, batch: i32, countPadding: i32): void {
  const outHeight = word(OUT_HEIGHT),
    outWidth = word(OUT_WIDTH),
    channels = word(CHANNELS),
    imageBytes = <usize>(word(HEIGHT) * word(WIDTH) * channels) << 2,
    pixelBytes = <usize>channels << 2;
  memory.fill(dx, 0, imageBytes * <usize>batch);
  for (let n = 0; n < batch; n++) {
    for (let y = 0; y < outHeight; y++)
      for (let column = 0; column < outWidth; column++) {
        setWindow(y, column);
        averagePixelGradient(dy, dx, pixelBytes, windowSize(y, column, countPadding));
        dy += pixelBytes;
      }
    dx += imageBytes;
  }
}

function averagePixelGradient(dy: usize, dx: usize, pixelBytes: usize, divisor: f32): void {
  const width = word(WIDTH),
    divisors = f32x4.splat(divisor);
  for (let row = firstRow; row < endRow; row += word(DILATION_HEIGHT))
    for (let column = firstColumn; column < endColumn; column += word(DILATION_WIDTH)) {
      const p = dx + <usize>(row * width + column) * pixelBytes;
      let f: usize = 0;
      for (; f + 16 <= pixelBytes; f += 16)
        v128.store(p + f, f32x4.add(v128.load(p + f), f32x4.div(v128.load(dy + f), divisors)));
      for (; f < pixelBytes; f += 4) store<f32>(p + f, load<f32>(p + f) + load<f32>(dy + f) / divisor);
    }
}
