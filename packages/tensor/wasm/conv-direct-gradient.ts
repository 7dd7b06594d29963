// Gradients of convolutions over few channels, see conv-direct.ts.
import { NANOSECONDS, TILE_BYTES, copiedPixels, copyRows, tile } from "./conv-direct";
import {
  B,
  C,
  CHANNELS,
  COLUMNS,
  DEPTH,
  DILATION_HEIGHT,
  FILTER_HEIGHT,
  FILTER_WIDTH,
  HEIGHT,
  OUT_HEIGHT,
  OUT_WIDTH,
  PACKED_B,
  PAD_LEFT,
  PAD_TOP,
  STRIDE_HEIGHT,
  STRIDE_WIDTH,
  WIDTH,
  address,
  divideUp,
  scratch,
  word,
} from "./layout";
import { multiplyAdd } from "./micro-kernel";
import { packMatrixB } from "./pack";
import { loadPart, storePart } from "./partial";
import { addressArgument, argument, forRange, forTasks, setArgument } from "./threads";

/** Sums of a filter gradient that are kept apart. */
const MOST_PARTS: i32 = 16;

// Arguments of a job.
const BATCH: i32 = 0;
const GRADIENT: i32 = 1;
const TARGET: i32 = 2;
const PARTS: i32 = 3;

/** Packs row `tapY` of the filter `[filterHeight, run, columns]` as B[column, run element]. */
function packGradientFilter(): void {
  const depth = word(COLUMNS),
    run = word(FILTER_WIDTH) * word(CHANNELS),
    panels = divideUp(run, 8);
  let source = address(B),
    target = address(PACKED_B);
  for (let tap = 0; tap < word(FILTER_HEIGHT); tap++) {
    packMatrixB(source, <usize>depth << 2, 1, run, 0, depth, 0, panels, target);
    source += <usize>(run * depth) << 2;
    target += <usize>(panels * depth) << 5;
  }
}

/** Adds the products of a row of dy with a row of the filter to a row of dx that has its padding. */
function addRow(dy: usize, b: usize, dx: usize, sums: usize): void {
  const depth = word(COLUMNS),
    channels = word(CHANNELS),
    run = word(FILTER_WIDTH) * channels,
    outWidth = word(OUT_WIDTH),
    pixelBytes = <usize>depth << 2,
    step = <usize>(word(STRIDE_WIDTH) * channels) << 2;
  for (let x = 0; x < outWidth; x += 4) {
    const pixels = min(4, outWidth - x),
      a1 = pixels > 1 ? dy + pixelBytes : dy,
      a2 = pixels > 2 ? a1 + pixelBytes : dy,
      a3 = pixels > 3 ? a2 + pixelBytes : dy;
    let panel = b;
    for (let element = 0; element < run; element += 8) {
      tile(dy, a1, a2, a3, 1, pixelBytes, depth, panel, sums, 32, 0, 0);
      let target = dx + (<usize>element << 2),
        sum = sums;
      for (let pixel = 0; pixel < pixels; pixel++) {
        const left = run - element;
        storePart(target, f32x4.add(loadPart(target, left), v128.load(sum)), left);
        if (left > 4)
          storePart(target + 16, f32x4.add(loadPart(target + 16, left - 4), v128.load(sum, 16)), left - 4);
        target += step;
        sum += 32;
      }
      panel += pixelBytes << 3;
    }
    dy += pixelBytes << 2;
    dx += step << 2;
  }
}

/** Input rows `[from, to)` of all images: each gathers from the rows of dy that it took part in. */
function inputPart(from: i32, to: i32): void {
  const depth = word(COLUMNS),
    channels = word(CHANNELS),
    height = word(HEIGHT),
    width = word(WIDTH),
    outHeight = word(OUT_HEIGHT),
    padLeft = word(PAD_LEFT),
    stride = word(STRIDE_HEIGHT),
    tapBytes = <usize>(divideUp(word(FILTER_WIDTH) * channels, 8) * depth) << 5,
    dyBytes = <usize>(word(OUT_WIDTH) * depth) << 2,
    pixelBytes = <usize>channels << 2,
    pixels = copiedPixels(),
    image = scratch() + TILE_BYTES;
  for (let row = from; row < to; row++) {
    const n = row / height;
    memory.fill(image, 0, <usize>pixels * pixelBytes);
    for (let tap = 0; tap < word(FILTER_HEIGHT); tap++) {
      const top = row - n * height + word(PAD_TOP) - tap * word(DILATION_HEIGHT),
        y = top / stride;
      if (top < 0 || y * stride != top || y >= outHeight) continue;
      const dy = addressArgument(GRADIENT) + <usize>(n * outHeight + y) * dyBytes;
      addRow(dy, address(PACKED_B) + <usize>tap * tapBytes, image, scratch());
    }
    const target = addressArgument(TARGET) + <usize>(row * width) * pixelBytes,
      first = max(0, -padLeft),
      source = max(0, padLeft),
      inside = max(0, min(width - first, pixels - source));
    memory.fill(target, 0, <usize>first * pixelBytes);
    memory.copy(target + <usize>first * pixelBytes, image + <usize>source * pixelBytes, <usize>inside * pixelBytes);
    memory.fill(target + <usize>(first + inside) * pixelBytes, 0, <usize>(width - first - inside) * pixelBytes);
  }
}

/** Gradient of the image. PACKED_B has room for `filterHeight · divideUp(run, 8) · columns · 32` bytes. */
export function directInputGradient(dy: usize, dx: usize, batch: i32): void {
  packGradientFilter();
  setArgument(GRADIENT, dy);
  setArgument(TARGET, dx);
  const pixel = <f32>(word(COLUMNS) * word(DEPTH)) * NANOSECONDS;
  const work = <f32>(word(OUT_HEIGHT) * word(OUT_WIDTH)) * pixel;
  forRange(inputPart, batch * word(HEIGHT), 1, (2 * work) / <f32>word(HEIGHT));
}

/** Adds Σ a_r · b over `count` pixels to `sums[4][8]`; rows of the sums are `stride` bytes apart. */
function gradientTile(
  count: i32,
  a0: usize,
  a1: usize,
  a2: usize,
  a3: usize,
  stepA: usize,
  b: usize,
  stepB: usize,
  sums: usize,
  stride: usize,
): void {
  let c00 = f32x4.splat(0),
    c01 = c00,
    c10 = c00,
    c11 = c00,
    c20 = c00,
    c21 = c00,
    c30 = c00,
    c31 = c00;
  while (true) {
    const b0 = v128.load(b),
      b1 = v128.load(b, 16);
    let x = v128.load_splat<f32>(a0);
    c00 = multiplyAdd(c00, x, b0);
    c01 = multiplyAdd(c01, x, b1);
    x = v128.load_splat<f32>(a1);
    c10 = multiplyAdd(c10, x, b0);
    c11 = multiplyAdd(c11, x, b1);
    x = v128.load_splat<f32>(a2);
    c20 = multiplyAdd(c20, x, b0);
    c21 = multiplyAdd(c21, x, b1);
    x = v128.load_splat<f32>(a3);
    c30 = multiplyAdd(c30, x, b0);
    c31 = multiplyAdd(c31, x, b1);
    a0 += stepA;
    a1 += stepA;
    a2 += stepA;
    a3 += stepA;
    b += stepB;
    if (!--count) break;
  }
  v128.store(sums, f32x4.add(v128.load(sums), c00));
  v128.store(sums, f32x4.add(v128.load(sums, 16), c01), 16);
  sums += stride;
  v128.store(sums, f32x4.add(v128.load(sums), c10));
  v128.store(sums, f32x4.add(v128.load(sums, 16), c11), 16);
  sums += stride;
  v128.store(sums, f32x4.add(v128.load(sums), c20));
  v128.store(sums, f32x4.add(v128.load(sums, 16), c21), 16);
  sums += stride;
  v128.store(sums, f32x4.add(v128.load(sums), c30));
  v128.store(sums, f32x4.add(v128.load(sums, 16), c31), 16);
}

/** Bytes from row to row of the sums: columns in whole panels. */
// @ts-ignore: decorator
@inline
function sumStride(): usize {
  return <usize>((word(COLUMNS) + 7) & ~7) << 2;
}

/** Bytes of one of the sums: elements of a patch in groups of four. */
// @ts-ignore: decorator
@inline
function sumBytes(): usize {
  return <usize>((word(DEPTH) + 3) & ~3) * sumStride();
}

/** Bytes that {@link directFilterGradient} needs for its sums; their number depends on the sizes alone. */
export function directSumBytes(batch: i32): i32 {
  return min(MOST_PARTS, batch * word(OUT_HEIGHT)) * <i32>sumBytes();
}

/** One of the sums: a share of the output's rows. */
function filterPart(part: i32, _: i32): void {
  const columns = word(COLUMNS),
    elements = word(DEPTH),
    channels = word(CHANNELS),
    outHeight = word(OUT_HEIGHT),
    outWidth = word(OUT_WIDTH),
    run = word(FILTER_WIDTH) * channels,
    rowBytes = <usize>(copiedPixels() * channels) << 2,
    step = <usize>(word(STRIDE_WIDTH) * channels) << 2,
    stride = sumStride(),
    pixelBytes = <usize>columns << 2,
    sums = addressArgument(TARGET) + <usize>part * sumBytes(),
    rows = argument(BATCH) * outHeight,
    share = divideUp(rows, argument(PARTS)),
    end = min(rows, (part + 1) * share),
    image = scratch() + TILE_BYTES,
    // whole panels of the last pixels would be read beyond the end of dy
    padded = (columns & 7) != 0,
    gradients = image + <usize>word(FILTER_HEIGHT) * rowBytes;
  memory.fill(sums, 0, sumBytes());
  for (let row = part * share; row < end; row++) {
    const n = row / outHeight;
    copyRows(n, row - n * outHeight, image);
    let dy = addressArgument(GRADIENT) + <usize>(row * outWidth) * pixelBytes;
    if (padded) {
      for (let x = 0; x < outWidth; x++)
        memory.copy(gradients + <usize>x * stride, dy + <usize>x * pixelBytes, pixelBytes);
      dy = gradients;
    }
    for (let element = 0; element < elements; element += 4) {
      const last = elements - 1,
        a0 = place(image, element, run, rowBytes),
        a1 = place(image, min(last, element + 1), run, rowBytes),
        a2 = place(image, min(last, element + 2), run, rowBytes),
        a3 = place(image, min(last, element + 3), run, rowBytes),
        target = sums + <usize>element * stride;
      for (let f: usize = 0; f < stride; f += 32)
        gradientTile(outWidth, a0, a1, a2, a3, step, dy + f, padded ? stride : pixelBytes, target + f, stride);
    }
  }
}

/** Where element `element` of the first pixel's patch lies in the copied rows. */
// @ts-ignore: decorator
@inline
function place(image: usize, element: i32, run: i32, rowBytes: usize): usize {
  const tap = element / run;
  return image + <usize>tap * rowBytes + (<usize>(element - tap * run) << 2);
}

/** Adds the sums in order: rows `[from, to)` of the gradient. */
function addSums(from: i32, to: i32): void {
  const columns = word(COLUMNS),
    stride = sumStride(),
    partBytes = sumBytes();
  for (let row = from; row < to; row++)
    for (let column = 0; column < columns; column += 4) {
      const f = <usize>column << 2;
      let p = addressArgument(TARGET) + <usize>row * stride + f,
        sum = v128.load(p);
      for (let part = 1; part < argument(PARTS); part++) {
        p += partBytes;
        sum = f32x4.add(sum, v128.load(p));
      }
      storePart(address(C) + ((<usize>row * <usize>columns) << 2) + f, sum, columns - column);
    }
}

/** Gradient of the filter `[depth, columns]`. @param sums Room for {@link directSumBytes}. */
export function directFilterGradient(dy: usize, sums: usize, batch: i32): void {
  const rows = batch * word(OUT_HEIGHT),
    parts = min(MOST_PARTS, rows);
  setArgument(BATCH, batch);
  setArgument(GRADIENT, dy);
  setArgument(TARGET, sums);
  setArgument(PARTS, parts);
  const work = <f32>rows * <f32>word(OUT_WIDTH) * <f32>(word(COLUMNS) * word(DEPTH));
  forTasks(filterPart, parts, work * NANOSECONDS);
  forRange(addSums, word(DEPTH), 4, 0.2 * <f32>(word(COLUMNS) * parts));
}
