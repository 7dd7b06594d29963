// The two passes of resizing RGB with 128-bit SIMD; built by build.mjs. Addresses are bytes from the start of the memory.

/** Fixed-point bits of a weight, as in src/preprocess/resample-filters.ts. */
const WEIGHT_BITS: i32 = 22;

// @ts-expect-error: decorator of AssemblyScript
@inline
function level(sums: v128): v128 {
  return i32x4.shr_s(sums, WEIGHT_BITS);
}

/**
 * Each output column of each row. A pixel is read and written as four bytes: what is too much is written over by the next.
 * @param starts `[width]` first input column, `counts` `[width]` their number, `weights` `[width, taps]`; all int32.
 */
export function resizeRows(
  input: usize,
  inputWidth: i32,
  rows: i32,
  output: usize,
  width: i32,
  starts: usize,
  counts: usize,
  weights: usize,
  taps: i32,
): void {
  const half = i32x4.splat(1 << (WEIGHT_BITS - 1));
  let target = output;
  for (let row = 0; row < rows; row++) {
    const rowStart = input + row * inputWidth * 3;
    for (let column = 0; column < width; column++) {
      let at = rowStart + load<i32>(starts + (column << 2)) * 3;
      let weight = weights + ((column * taps) << 2);
      const end = weight + (load<i32>(counts + (column << 2)) << 2);
      let sums = half;
      while (weight < end) {
        const pixel = i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(at)));
        sums = i32x4.add(sums, i32x4.mul(pixel, v128.load32_splat(weight)));
        at += 3;
        weight += 4;
      }
      const words = i16x8.narrow_i32x4_s(level(sums), half);
      v128.store_lane<i32>(target, i8x16.narrow_i16x8_u(words, words), 0);
      target += 3;
    }
  }
}

/**
 * Each output row, 16 bytes at a time: up to 15 behind the last row are read and written too.
 * @param starts `[height]` first input row, `counts` `[height]` their number, `weights` `[height, taps]`; all int32.
 */
export function resizeColumns(
  input: usize,
  rowLength: i32,
  output: usize,
  height: i32,
  starts: usize,
  counts: usize,
  weights: usize,
  taps: i32,
): void {
  const half = i32x4.splat(1 << (WEIGHT_BITS - 1));
  for (let row = 0; row < height; row++) {
    const first = input + load<i32>(starts + (row << 2)) * rowLength;
    const weightStart = weights + ((row * taps) << 2);
    const weightEnd = weightStart + (load<i32>(counts + (row << 2)) << 2);
    const target = output + row * rowLength;
    for (let column = 0; column < rowLength; column += 16) {
      let a = half;
      let b = half;
      let c = half;
      let d = half;
      let at = first + column;
      for (let weight = weightStart; weight < weightEnd; weight += 4) {
        const bytes = v128.load(at);
        const factor = v128.load32_splat(weight);
        const low = i16x8.extend_low_i8x16_u(bytes);
        const high = i16x8.extend_high_i8x16_u(bytes);
        a = i32x4.add(a, i32x4.mul(i32x4.extend_low_i16x8_u(low), factor));
        b = i32x4.add(b, i32x4.mul(i32x4.extend_high_i16x8_u(low), factor));
        c = i32x4.add(c, i32x4.mul(i32x4.extend_low_i16x8_u(high), factor));
        d = i32x4.add(d, i32x4.mul(i32x4.extend_high_i16x8_u(high), factor));
        at += rowLength;
      }
      const low = i16x8.narrow_i32x4_s(level(a), level(b));
      const high = i16x8.narrow_i32x4_s(level(c), level(d));
      v128.store(target + column, i8x16.narrow_i16x8_u(low, high));
    }
  }
}
