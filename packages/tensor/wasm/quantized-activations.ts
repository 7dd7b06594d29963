// Activations as integers: x = unit · (high + low / 2¹⁵) with a power of two as a row's unit, 29 bits below its largest
// value. The order of a block's integers is the one in which weights are unpacked.
import { divideUp } from "./layout";
import { loadPart } from "./partial";
import { BITS, FEATURES, ROW_BLOCKS } from "./quantized";
import { argument } from "./threads";

/** Bytes of a prepared row: its unit, and two integers of 16 bits a weight. */
// @ts-ignore: decorator
@inline
export function preparedRow(rowBlocks: i32, bits: i32): usize {
  return (<usize>rowBlocks * (bits == 8 ? 64 : 128)) + 64;
}

/** Bytes of working memory for {@link multiplyQuantized}. */
export function quantizedBytes(rows: i32, features: i32, bits: i32): i32 {
  return rows * <i32>preparedRow(divideUp(features * bits, 128), bits);
}

/** The largest size in a row; NaN or infinity where it has one. */
function largestSize(x: usize, count: i32): f32 {
  let largest = f32x4.splat(0);
  for (; count >= 4; count -= 4) {
    largest = f32x4.max(largest, f32x4.abs(v128.load(x)));
    x += 16;
  }
  if (count > 0) largest = f32x4.max(largest, f32x4.abs(loadPart(x, count)));
  return max(
    max(f32x4.extract_lane(largest, 0), f32x4.extract_lane(largest, 1)),
    max(f32x4.extract_lane(largest, 2), f32x4.extract_lane(largest, 3)),
  );
}

/** Four floats in units; 0 beyond the end of the row. */
// @ts-ignore: decorator
@inline
function loadFour(x: usize, left: i32, factor: v128): v128 {
  return left > 0 ? f32x4.mul(loadPart(x, left), factor) : f32x4.splat(0);
}

// @ts-ignore: decorator
@inline
function toIntegers(a: v128, b: v128): v128 {
  return i16x8.narrow_i32x4_s(i32x4.trunc_sat_f32x4_s(a), i32x4.trunc_sat_f32x4_s(b));
}

/** Sixteen floats: 32 bytes of high parts to `output`, 32 bytes of low parts to `output + lowOffset`. */
function prepareSixteen(x: usize, left: i32, factor: v128, output: usize, lowOffset: usize): void {
  const finer = f32x4.splat(32768);
  for (let half = 0; half < 2; half++) {
    const a = loadFour(x, left, factor),
      b = loadFour(x + 16, left - 4, factor),
      highA = f32x4.nearest(a),
      highB = f32x4.nearest(b),
      lowA = f32x4.nearest(f32x4.mul(f32x4.sub(a, highA), finer)),
      lowB = f32x4.nearest(f32x4.mul(f32x4.sub(b, highB), finer));
    v128.store(output, toIntegers(highA, highB));
    v128.store(output + lowOffset, toIntegers(lowA, lowB));
    x += 32;
    left -= 8;
    output += 16;
  }
}

/** Moves even numbers of 32 integers before the odd ones, as blocks of 4 bits give them. */
function deinterleave(p: usize): void {
  const a = v128.load(p),
    b = v128.load(p, 16),
    c = v128.load(p, 32),
    d = v128.load(p, 48);
  v128.store(p, v128.shuffle<i16>(a, b, 0, 2, 4, 6, 8, 10, 12, 14));
  v128.store(p, v128.shuffle<i16>(c, d, 0, 2, 4, 6, 8, 10, 12, 14), 16);
  v128.store(p, v128.shuffle<i16>(a, b, 1, 3, 5, 7, 9, 11, 13, 15), 32);
  v128.store(p, v128.shuffle<i16>(c, d, 1, 3, 5, 7, 9, 11, 13, 15), 48);
}

/** Prepares a row: its unit, then integers block by block. A row with NaN or infinity has the unit NaN. */
export function prepareRow(x: usize, output: usize): void {
  const features = argument(FEATURES),
    blocks = argument(ROW_BLOCKS),
    eight = argument(BITS) == 8,
    exponent = <i32>(reinterpret<u32>(largestSize(x, features)) >> 23) - 127;
  // 2^14 units are above the largest value; below 2^−100 there is nothing to tell apart
  const unit = max(exponent - 13, -113),
    finite = exponent < 128;
  store<f32>(output, finite ? reinterpret<f32>((unit + 127) << 23) : NaN);
  if (!finite) return;
  const factor = f32x4.splat(reinterpret<f32>((127 - unit) << 23));
  let left = features;
  output += 64;
  for (let block = 0; block < blocks; block++) {
    if (eight) {
      prepareSixteen(x, left, factor, output, 32);
      x += 64;
      left -= 16;
      output += 64;
    } else {
      prepareSixteen(x, left, factor, output, 64);
      prepareSixteen(x + 64, left - 16, factor, output + 32, 64);
      deinterleave(output);
      deinterleave(output + 64);
      x += 128;
      left -= 32;
      output += 128;
    }
  }
}
