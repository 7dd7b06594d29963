// Convolutions whose filters reach over few channels, where packing patches would cost as much as multiplying them. The
// rows of the image that an output row needs are copied with their padding, and tiles of four pixels by eight filters read
// them in place. Geometry: `setConvolution`, without dilation along the width; product: `setProduct`.
import { ACTIVATION_SHIFT, activateRow } from "./activation";
import {
  ACTIVATION,
  BIAS,
  C,
  CHANNELS,
  COLUMNS,
  DEPTH,
  DILATION_HEIGHT,
  FILTER_HEIGHT,
  FILTER_WIDTH,
  HEIGHT,
  IMAGE,
  OUT_HEIGHT,
  OUT_WIDTH,
  PACKED_B,
  PAD_LEFT,
  PAD_TOP,
  STRIDE_HEIGHT,
  STRIDE_WIDTH,
  WIDTH,
  address,
  scratch,
  word,
} from "./layout";
import { ADD_BIAS, RELU, RELU6, activate, multiplyAdd } from "./micro-kernel";
import { loadPart, storePart } from "./partial";
import { forRange } from "./threads";

/** Nanoseconds of a multiplication and an addition. */
export const NANOSECONDS: f32 = 0.08;
/** Working memory before the copied rows: one tile. */
export const TILE_BYTES: usize = 128;

/** Pixels of a copied row: what whole groups of four output pixels read. */
export function copiedPixels(): i32 {
  return (((word(OUT_WIDTH) + 3) & ~3) - 1) * word(STRIDE_WIDTH) + word(FILTER_WIDTH);
}

/** Bytes of working memory that the kernels below need; more than a thread has means that they cannot run. */
export function directBytes(columns: i32): i32 {
  const rows = (word(FILTER_HEIGHT) * copiedPixels() * word(CHANNELS)) << 2;
  return <i32>TILE_BYTES + rows + ((word(OUT_WIDTH) * ((columns + 7) & ~7)) << 2);
}

/** Copies the rows of image `n` below output row `y`, zeros around, to `target`. */
export function copyRows(n: i32, y: i32, target: usize): void {
  const channels = word(CHANNELS),
    width = word(WIDTH),
    padLeft = word(PAD_LEFT),
    pixels = copiedPixels(),
    rowBytes = <usize>(pixels * channels) << 2,
    before = <usize>(min(max(padLeft, 0), pixels) * channels) << 2,
    skipped = max(-padLeft, 0),
    inside = <usize>(max(0, min(width - skipped, pixels - max(padLeft, 0))) * channels) << 2,
    top = y * word(STRIDE_HEIGHT) - word(PAD_TOP);
  for (let tap = 0; tap < word(FILTER_HEIGHT); tap++) {
    const row = top + tap * word(DILATION_HEIGHT);
    if (row < 0 || row >= word(HEIGHT)) memory.fill(target, 0, rowBytes);
    else {
      const source = address(IMAGE) + (<usize>(((n * word(HEIGHT) + row) * width + skipped) * channels) << 2);
      memory.fill(target, 0, before);
      memory.copy(target + before, source, inside);
      memory.fill(target + before + inside, 0, rowBytes - before - inside);
    }
    target += rowBytes;
  }
}

/**
 * `c[4][8] = act(Σ a · b + bias)`: row r of A is `rows` runs of `run` floats, `rowBytes` apart, from `a_r` on; B is
 * `[rows · run][8]`. The registers and the exit test are those of `multiplyTile`.
 */
export function tile(
  a0: usize,
  a1: usize,
  a2: usize,
  a3: usize,
  rows: i32,
  rowBytes: usize,
  run: i32,
  b: usize,
  c: usize,
  strideC: usize,
  mode: i32,
  bias: usize,
): void {
  let c00 = f32x4.splat(0),
    c01 = c00,
    c10 = c00,
    c11 = c00,
    c20 = c00,
    c21 = c00,
    c30 = c00,
    c31 = c00;
  const skip = rowBytes - (<usize>run << 2);
  for (; rows > 0; rows--) {
    let k = run;
    while (true) {
      let b0 = v128.load(b),
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
      if (!--k) {
        a0 += 4;
        a1 += 4;
        a2 += 4;
        a3 += 4;
        b += 32;
        break;
      }
      b0 = v128.load(b, 32);
      b1 = v128.load(b, 48);
      x = v128.load_splat<f32>(a0, 4);
      c00 = multiplyAdd(c00, x, b0);
      c01 = multiplyAdd(c01, x, b1);
      x = v128.load_splat<f32>(a1, 4);
      c10 = multiplyAdd(c10, x, b0);
      c11 = multiplyAdd(c11, x, b1);
      x = v128.load_splat<f32>(a2, 4);
      c20 = multiplyAdd(c20, x, b0);
      c21 = multiplyAdd(c21, x, b1);
      x = v128.load_splat<f32>(a3, 4);
      c30 = multiplyAdd(c30, x, b0);
      c31 = multiplyAdd(c31, x, b1);
      a0 += 8;
      a1 += 8;
      a2 += 8;
      a3 += 8;
      b += 64;
      if (!--k) break;
    }
    a0 += skip;
    a1 += skip;
    a2 += skip;
    a3 += skip;
  }
  if (mode & ADD_BIAS) {
    const low = v128.load(bias),
      high = v128.load(bias, 16);
    c00 = f32x4.add(c00, low);
    c01 = f32x4.add(c01, high);
    c10 = f32x4.add(c10, low);
    c11 = f32x4.add(c11, high);
    c20 = f32x4.add(c20, low);
    c21 = f32x4.add(c21, high);
    c30 = f32x4.add(c30, low);
    c31 = f32x4.add(c31, high);
  }
  if (mode & (RELU | RELU6)) {
    c00 = activate(c00, mode);
    c01 = activate(c01, mode);
    c10 = activate(c10, mode);
    c11 = activate(c11, mode);
    c20 = activate(c20, mode);
    c21 = activate(c21, mode);
    c30 = activate(c30, mode);
    c31 = activate(c31, mode);
  }
  v128.store(c, c00);
  v128.store(c, c01, 16);
  c += strideC;
  v128.store(c, c10);
  v128.store(c, c11, 16);
  c += strideC;
  v128.store(c, c20);
  v128.store(c, c21, 16);
  c += strideC;
  v128.store(c, c30);
  v128.store(c, c31, 16);
}

/** Stores `pixels × columns` of a tile of sums. */
function storeEdge(sums: usize, c: usize, strideC: usize, mode: i32, bias: usize, pixels: i32, columns: i32): void {
  for (let pixel = 0; pixel < pixels; pixel++) {
    for (let column = 0; column < columns; column += 4) {
      const f = <usize>column << 2,
        left = columns - column;
      let value = v128.load(sums + f);
      if (mode & ADD_BIAS) value = f32x4.add(value, loadPart(bias + f, left));
      storePart(c + f, activate(value, mode), left);
    }
    sums += 32;
    c += strideC;
  }
}

/** Output rows `[from, to)` of all images. */
function forwardPart(from: i32, to: i32): void {
  const columns = word(COLUMNS),
    channels = word(CHANNELS),
    outHeight = word(OUT_HEIGHT),
    outWidth = word(OUT_WIDTH),
    run = word(FILTER_WIDTH) * channels,
    rows = word(FILTER_HEIGHT),
    rowBytes = <usize>(copiedPixels() * channels) << 2,
    step = <usize>(word(STRIDE_WIDTH) * channels) << 2,
    strideC = <usize>columns << 2,
    panelBytes = <usize>word(DEPTH) << 5,
    activation = word(ACTIVATION) >> ACTIVATION_SHIFT,
    mode = (word(ACTIVATION) & (RELU | RELU6)) | (word(BIAS) ? ADD_BIAS : 0),
    image = scratch() + TILE_BYTES;
  for (let row = from; row < to; row++) {
    const n = row / outHeight,
      output = address(C) + <usize>(row * outWidth) * strideC;
    copyRows(n, row - n * outHeight, image);
    let b = address(PACKED_B);
    for (let column = 0; column < columns; column += 8) {
      const width = min(8, columns - column),
        f = <usize>column << 2;
      let a = image,
        c = output + f;
      for (let x = 0; x < outWidth; x += 4) {
        const pixels = outWidth - x,
          a1 = a + step,
          a2 = a1 + step,
          a3 = a2 + step;
        if (width == 8 && pixels >= 4)
          tile(a, a1, a2, a3, rows, rowBytes, run, b, c, strideC, mode, address(BIAS) + f);
        else {
          tile(a, a1, a2, a3, rows, rowBytes, run, b, scratch(), 32, 0, 0);
          storeEdge(scratch(), c, strideC, mode, address(BIAS) + f, min(4, pixels), width);
        }
        a = a3 + step;
        c += 4 * strideC;
      }
      b += panelBytes;
    }
    if (activation) activateRow(activation, output, outWidth * columns);
  }
}

/** The convolution that is set, of `batch` images, from its filter packed before as one block of depth. */
export function convolveDirect(batch: i32): void {
  const pixel = <f32>(word(COLUMNS) * word(DEPTH)) * NANOSECONDS;
  forRange(forwardPart, batch * word(OUT_HEIGHT), 1, <f32>word(OUT_WIDTH) * pixel);
}
