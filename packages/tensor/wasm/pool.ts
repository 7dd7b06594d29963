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
  divideUp,
  word,
} from "./layout";
import { addressArgument, argument, forRange, forTasks, setArgument } from "./threads";

// Arguments of a job.
const SOURCE: i32 = 0;
const TARGET: i32 = 1;
/** `keepNaN` of a maximum, `countPadding` of an average. */
const MODE: i32 = 2;
const IMAGE: i32 = 3;
const GROUPS: i32 = 4;

/** Nanoseconds of one cell of one channel. */
const CELL_NANOSECONDS: f32 = 0.3;
/** Bytes of channels that one task of a gradient takes, where an image is shared. */
const GROUP_BYTES: i32 = 64;
/** With as many images, each is one task. */
const MANY_IMAGES: i32 = 16;

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

/** Rough time of an output pixel. */
function pixelNanoseconds(): f32 {
  return 10 + <f32>(word(FILTER_HEIGHT) * word(FILTER_WIDTH) * word(CHANNELS)) * CELL_NANOSECONDS;
}

// @ts-ignore: decorator
@inline
function imageBytes(): usize {
  return <usize>(word(HEIGHT) * word(WIDTH) * word(CHANNELS)) << 2;
}

// @ts-ignore: decorator
@inline
function outputBytes(): usize {
  return <usize>(word(OUT_HEIGHT) * word(OUT_WIDTH) * word(CHANNELS)) << 2;
}

const MAXIMUM: i32 = 0;
const AVERAGE: i32 = 1;
const CELL: i32 = 2;

/** Output pixels `[from, to)`. */
function maxPart(from: i32, to: i32): void {
  forwardPart(MAXIMUM, from, to);
}

function averagePart(from: i32, to: i32): void {
  forwardPart(AVERAGE, from, to);
}

function cellsPart(from: i32, to: i32): void {
  forwardPart(CELL, from, to);
}

// @ts-ignore: decorator
@inline
function forwardPart(kind: i32, from: i32, to: i32): void {
  const outHeight = word(OUT_HEIGHT),
    outWidth = word(OUT_WIDTH),
    mode = argument(MODE),
    pixelBytes = <usize>word(CHANNELS) << 2;
  let row = from / outWidth,
    column = from - row * outWidth,
    output = addressArgument(TARGET) + <usize>from * pixelBytes;
  for (let pixel = from; pixel < to; pixel++) {
    const n = row / outHeight,
      y = row - n * outHeight,
      x = addressArgument(SOURCE) + <usize>n * imageBytes();
    setWindow(y, column);
    if (kind == MAXIMUM) maxPixel(x, output, pixelBytes, mode);
    else if (kind == CELL) maxCell(x, output, pixelBytes);
    else averagePixel(x, output, pixelBytes, windowSize(y, column, mode));
    output += pixelBytes;
    column++;
    if (column == outWidth) {
      column = 0;
      row++;
    }
  }
}

/** Largest value of each window. With `keepNaN` a NaN in the window is the result, else NaN is passed over. */
export function maxPool(x: usize, output: usize, batch: i32, keepNaN: i32): void {
  setArgument(SOURCE, x);
  setArgument(TARGET, output);
  setArgument(MODE, keepNaN);
  forRange(maxPart, batch * word(OUT_HEIGHT) * word(OUT_WIDTH), 4, pixelNanoseconds());
}

/** Where the largest value of each window lies, `row · width + column`: the first of equals, the last NaN. */
export function maxPoolCells(x: usize, output: usize, batch: i32): void {
  setArgument(SOURCE, x);
  setArgument(TARGET, output);
  forRange(cellsPart, batch * word(OUT_HEIGHT) * word(OUT_WIDTH), 4, pixelNanoseconds());
}

/** Mean of each window. */
export function averagePool(x: usize, output: usize, batch: i32, countPadding: i32): void {
  setArgument(SOURCE, x);
  setArgument(TARGET, output);
  setArgument(MODE, countPadding);
  forRange(averagePart, batch * word(OUT_HEIGHT) * word(OUT_WIDTH), 4, pixelNanoseconds());
}

function maxPixel(x: usize, output: usize, pixelBytes: usize, keepNaN: i32): void {
  const width = word(WIDTH),
    stepRow = word(DILATION_HEIGHT),
    stepColumn = word(DILATION_WIDTH),
    move = pixelBytes * <usize>stepColumn;
  let f: usize = 0;
  for (; f + 16 <= pixelBytes; f += 16) {
    let best = f32x4.splat(-Infinity),
      unordered = f32x4.splat(0); // lanes where a value is NaN
    for (let row = firstRow; row < endRow; row += stepRow) {
      let p = x + <usize>(row * width + firstColumn) * pixelBytes + f;
      for (let column = firstColumn; column < endColumn; column += stepColumn) {
        const value = v128.load(p);
        best = f32x4.pmax(best, value);
        unordered = v128.or(unordered, f32x4.ne(value, value));
        p += move;
      }
    }
    v128.store(output + f, keepNaN ? v128.bitselect(f32x4.splat(NaN), best, unordered) : best);
  }
  for (; f < pixelBytes; f += 4) {
    let best: f32 = -Infinity;
    for (let row = firstRow; row < endRow; row += stepRow)
      for (let column = firstColumn; column < endColumn; column += stepColumn) {
        const value = load<f32>(x + <usize>(row * width + column) * pixelBytes + f);
        if (value > best || (keepNaN && value != value)) best = value;
        // a NaN stays: no comparison with it holds
      }
    store<f32>(output + f, best);
  }
}

function maxCell(x: usize, output: usize, pixelBytes: usize): void {
  const width = word(WIDTH),
    start = firstRow * width + firstColumn;
  if (firstRow >= endRow || firstColumn >= endColumn) {
    memory.fill(output, 0, pixelBytes);
    return;
  }
  let f: usize = 0;
  for (; f + 16 <= pixelBytes; f += 16) {
    let best = v128.load(x + <usize>start * pixelBytes + f),
      cells = i32x4.splat(start);
    for (let row = firstRow; row < endRow; row += word(DILATION_HEIGHT))
      for (let column = firstColumn; column < endColumn; column += word(DILATION_WIDTH)) {
        const cell = row * width + column,
          value = v128.load(x + <usize>cell * pixelBytes + f),
          wins = v128.or(f32x4.gt(value, best), f32x4.ne(value, value));
        best = v128.bitselect(value, best, wins);
        cells = v128.bitselect(i32x4.splat(cell), cells, wins);
      }
    v128.store(output + f, cells);
  }
  for (; f < pixelBytes; f += 4) {
    let best = load<f32>(x + <usize>start * pixelBytes + f),
      place = start;
    for (let row = firstRow; row < endRow; row += word(DILATION_HEIGHT))
      for (let column = firstColumn; column < endColumn; column += word(DILATION_WIDTH)) {
        const cell = row * width + column,
          value = load<f32>(x + <usize>cell * pixelBytes + f);
        if (value > best || value != value) {
          best = value;
          place = cell;
        }
      }
    store<i32>(output + f, place);
  }
}

/** Group `task % groups` of the channels of image `task / groups`: what tasks write does not overlap. */
function maxGradientTask(task: i32, _: i32): void {
  gradientTask(true, task);
}

function averageGradientTask(task: i32, _: i32): void {
  gradientTask(false, task);
}

// @ts-ignore: decorator
@inline
function gradientTask(maximum: bool, task: i32): void {
  const outHeight = word(OUT_HEIGHT),
    outWidth = word(OUT_WIDTH),
    groups = argument(GROUPS),
    mode = argument(MODE),
    pixelBytes = word(CHANNELS) << 2,
    n = task / groups,
    group = task - n * groups,
    first = groups == 1 ? 0 : group * GROUP_BYTES,
    end = groups == 1 ? pixelBytes : min(pixelBytes, first + GROUP_BYTES),
    dx = addressArgument(TARGET) + <usize>n * imageBytes(),
    x = addressArgument(IMAGE) + <usize>n * imageBytes();
  if (groups == 1) memory.fill(dx, 0, imageBytes());
  else
    for (let f = <usize>first; f < imageBytes(); f += pixelBytes) memory.fill(dx + f, 0, end - first);
  let dy = addressArgument(SOURCE) + <usize>n * outputBytes();
  for (let y = 0; y < outHeight; y++)
    for (let column = 0; column < outWidth; column++) {
      setWindow(y, column);
      if (maximum) maxPixelGradient(dy, x, dx, pixelBytes, first, end, mode);
      else averagePixelGradient(dy, dx, pixelBytes, first, end, windowSize(y, column, mode));
      dy += pixelBytes;
    }
}

function shareGradient(body: (from: i32, to: i32) => void, batch: i32): void {
  const groups = batch >= MANY_IMAGES ? 1 : divideUp(word(CHANNELS) << 2, GROUP_BYTES),
    pixels = <f32>(batch * word(OUT_HEIGHT)) * <f32>word(OUT_WIDTH);
  setArgument(GROUPS, groups);
  forTasks(body, batch * groups, 2 * pixels * pixelNanoseconds());
}

/** Gradient of {@link maxPool}: the first largest value of each window takes it. */
export function maxPoolGradient(dy: usize, x: usize, dx: usize, batch: i32, keepNaN: i32): void {
  setArgument(SOURCE, dy);
  setArgument(IMAGE, x);
  setArgument(TARGET, dx);
  setArgument(MODE, keepNaN);
  shareGradient(maxGradientTask, batch);
}

/** Gradient of {@link averagePool}: each value of a window takes an equal share. */
export function averagePoolGradient(dy: usize, dx: usize, batch: i32, countPadding: i32): void {
  setArgument(SOURCE, dy);
  setArgument(IMAGE, 0);
  setArgument(TARGET, dx);
  setArgument(MODE, countPadding);
  shareGradient(averageGradientTask, batch);
}

/** Channels whose floats lie at bytes `[first, end)` of a pixel. */
function maxPixelGradient(
  dy: usize,
  x: usize,
  dx: usize,
  pixelBytes: usize,
  first: usize,
  end: usize,
  keepNaN: i32,
): void {
  const width = word(WIDTH),
    stepRow = word(DILATION_HEIGHT),
    stepColumn = word(DILATION_WIDTH),
    move = pixelBytes * <usize>stepColumn;
  let f = first;
  for (; f + 16 <= end; f += 16) {
    let best = f32x4.splat(-Infinity),
      unordered = f32x4.splat(0);
    for (let row = firstRow; row < endRow; row += stepRow) {
      let p = <usize>(row * width + firstColumn) * pixelBytes + f;
      for (let column = firstColumn; column < endColumn; column += stepColumn) {
        const value = v128.load(x + p);
        best = f32x4.pmax(best, value);
        unordered = v128.or(unordered, f32x4.ne(value, value));
        p += move;
      }
    }
    let gradient = v128.load(dy + f);
    const bestIsNaN = keepNaN ? unordered : f32x4.splat(0);
    if (keepNaN) best = v128.bitselect(f32x4.splat(NaN), best, unordered);
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
  for (; f < end; f += 4) maxChannelGradient(load<f32>(dy + f), x + f, dx + f, pixelBytes, keepNaN);
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

function averagePixelGradient(
  dy: usize,
  dx: usize,
  pixelBytes: usize,
  first: usize,
  end: usize,
  divisor: f32,
): void {
  const width = word(WIDTH),
    divisors = f32x4.splat(divisor);
  for (let row = firstRow; row < endRow; row += word(DILATION_HEIGHT))
    for (let column = firstColumn; column < endColumn; column += word(DILATION_WIDTH)) {
      const p = dx + <usize>(row * width + column) * pixelBytes;
      let f = first;
      for (; f + 16 <= end; f += 16)
        v128.store(p + f, f32x4.add(v128.load(p + f), f32x4.div(v128.load(dy + f), divisors)));
      for (; f < end; f += 4) store<f32>(p + f, load<f32>(p + f) + load<f32>(dy + f) / divisor);
    }
}
