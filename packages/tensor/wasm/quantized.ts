// Products with weights of 8 or 4 bits. A row of weights is a row of 16-byte blocks: 16 numbers of 8 bits, or 32 of 4 bits,
// two a byte, the even one low, each plus 8. Weights are (number − zero point) · scale of their group.
//
// One row to a few rows of activations are bound by memory and by unpacking: activations become integers, x = unit ·
// (high + low / 2¹⁵) with a power of two as unit, 29 bits below the row's largest value, and integers are multiplied and
// summed exactly. For more rows weights become floats, a panel at a time, and the tiled product runs.
import { COLUMNS, DEPTH, DEPTH_BLOCK, PACKED_B, address, divideUp, scratch, word } from "./layout";
import { horizontalSum } from "./math";
import { packMatrixB } from "./pack";
import { loadPart } from "./partial";
import { addressArgument, argument, forRange, setArgument } from "./threads";

/** Nanoseconds a weight and row of activations. */
const DOT_NANOSECONDS: f32 = 0.1;
const UNPACK_NANOSECONDS: f32 = 0.4;
/** Blocks after which sums go to floats: 128 · 4 products of at most 255 · 2¹⁴ fit 31 bits. */
const MOST_BLOCKS: i32 = 128;
/** 2⁻¹⁵. */
const LOW_UNIT: f32 = 0.000030517578125;
/** Floats of a row that {@link packPart} unpacks at once: a block of depth, and what it shares with its neighbours. */
const PIECE: i32 = 384;

// Words of a job.
const VALUES: i32 = 0;
const SCALES: i32 = 1;
/** 0 for none. */
const ZERO_POINTS: i32 = 2;
const BITS: i32 = 3;
/** Blocks of a row and of a group. */
const ROW_BLOCKS: i32 = 4;
const GROUP_BLOCKS: i32 = 5;
const OUTPUT: i32 = 6;
const ROWS: i32 = 7;
const FEATURES: i32 = 8;
const BIAS: i32 = 9;
const PREPARED: i32 = 10;
const INPUT: i32 = 11;
const OUT_FEATURES: i32 = 12;
const FIRST: i32 = 13;

function setWeights(values: usize, scales: usize, zeroPoints: usize, bits: i32, features: i32, groupSize: i32): void {
  setArgument(VALUES, values);
  setArgument(SCALES, scales);
  setArgument(ZERO_POINTS, zeroPoints);
  setArgument(BITS, bits);
  setArgument(FEATURES, features);
  setArgument(ROW_BLOCKS, divideUp(features * bits, 128));
  setArgument(GROUP_BLOCKS, (groupSize * bits) >> 7);
}

// @ts-ignore: decorator
@inline
function groupCount(): i32 {
  return divideUp(argument(ROW_BLOCKS), argument(GROUP_BLOCKS));
}

/** The low halves of 16 bytes, less `zero`: even numbers of a block of 4 bits. */
// @ts-ignore: decorator
@inline
function lowHalves(block: v128, zero: v128): v128 {
  return i8x16.sub(v128.and(block, i8x16.splat(15)), zero);
}

// @ts-ignore: decorator
@inline
function highHalves(block: v128, zero: v128): v128 {
  return i8x16.sub(v128.and(i16x8.shr_u(block, 4), i8x16.splat(15)), zero);
}

// ---- weights as floats

/** 16 numbers as floats. */
// @ts-ignore: decorator
@inline
function storeSixteen(numbers: v128, zero: v128, scale: v128, output: usize): void {
  const low = i16x8.extend_low_i8x16_s(numbers),
    high = i16x8.extend_high_i8x16_s(numbers);
  v128.store(output, weight(i32x4.extend_low_i16x8_s(low), zero, scale));
  v128.store(output, weight(i32x4.extend_high_i16x8_s(low), zero, scale), 16);
  v128.store(output, weight(i32x4.extend_low_i16x8_s(high), zero, scale), 32);
  v128.store(output, weight(i32x4.extend_high_i16x8_s(high), zero, scale), 48);
}

// @ts-ignore: decorator
@inline
function weight(numbers: v128, zero: v128, scale: v128): v128 {
  return f32x4.mul(f32x4.convert_i32x4_s(i32x4.sub(numbers, zero)), scale);
}

/** Blocks `[from, to)` of row `row` as floats. */
function unpackBlocks(row: i32, from: i32, to: i32, output: usize): void {
  const groups = groupCount(),
    groupBlocks = argument(GROUP_BLOCKS),
    zeroPoints = addressArgument(ZERO_POINTS);
  let p = addressArgument(VALUES) + ((<usize>row * <usize>argument(ROW_BLOCKS) + <usize>from) << 4);
  for (let block = from; block < to; ) {
    const group = block / groupBlocks,
      place = <usize>(row * groups + group) << 2,
      end = min(to, (group + 1) * groupBlocks),
      scale = v128.load_splat<f32>(addressArgument(SCALES) + place),
      zero = zeroPoints ? v128.load_splat<i32>(zeroPoints + place) : i32x4.splat(0);
    if (argument(BITS) == 8)
      for (; block < end; block++) {
        storeSixteen(v128.load(p), zero, scale, output);
        p += 16;
        output += 64;
      }
    else
      for (; block < end; block++) {
        const bytes = v128.load(p),
          low = lowHalves(bytes, i8x16.splat(8)),
          high = highHalves(bytes, i8x16.splat(8));
        const first = v128.shuffle<i8>(low, high, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23),
          second = v128.shuffle<i8>(low, high, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
        storeSixteen(first, zero, scale, output);
        storeSixteen(second, zero, scale, output + 64);
        p += 16;
        output += 128;
      }
  }
}

function unpackPart(from: i32, to: i32): void {
  const features = argument(FEATURES),
    each = 128 / argument(BITS),
    most = 8192 / each,
    blocks = argument(ROW_BLOCKS),
    temporary = scratch();
  for (let row = from; row < to; row++) {
    const output = addressArgument(OUTPUT) + ((<usize>row * <usize>features) << 2);
    for (let block = 0; block < blocks; block += most) {
      const last = min(blocks, block + most),
        count = min(features, last * each) - block * each;
      unpackBlocks(row, block, last, temporary);
      memory.copy(output + (<usize>(block * each) << 2), temporary, <usize>count << 2);
    }
  }
}

/** Weights as floats, `[rows, features]`; `groupSize` a multiple of 32. */
export function unpackWeights(
  values: usize,
  scales: usize,
  zeroPoints: usize,
  output: usize,
  rows: i32,
  features: i32,
  bits: i32,
  groupSize: i32,
): void {
  setWeights(values, scales, zeroPoints, bits, features, groupSize);
  setArgument(OUTPUT, output);
  forRange(unpackPart, rows, 1, <f32>features * UNPACK_NANOSECONDS);
}

/** Panels `[from, to)` of eight rows of weights, every block of depth, where the product that is set looks for them. */
function packPart(from: i32, to: i32): void {
  const depth = word(DEPTH),
    depthBlock = word(DEPTH_BLOCK),
    columns = word(COLUMNS),
    panels = divideUp(columns, 8),
    each = 128 / argument(BITS),
    temporary = scratch();
  for (let panel = from; panel < to; panel++) {
    const width = min(8, columns - (panel << 3));
    for (let step = 0; step < depth; step += depthBlock) {
      const steps = min(depthBlock, depth - step),
        firstBlock = step / each,
        lastBlock = divideUp(step + steps, each);
      for (let row = 0; row < width; row++)
        unpackBlocks(
          argument(FIRST) + (panel << 3) + row,
          firstBlock,
          lastBlock,
          temporary + (<usize>(row * PIECE) << 2),
        );
      const target = address(PACKED_B) + ((<usize>step * <usize>panels + <usize>panel * <usize>steps) << 5);
      packMatrixB(temporary, PIECE << 2, 1, width, step - firstBlock * each, steps, 0, 1, target);
    }
  }
}

/** Packs rows of weights from row `first` on as the right side of the product that is set: its columns. */
export function packWeights(
  values: usize,
  scales: usize,
  zeroPoints: usize,
  first: i32,
  features: i32,
  bits: i32,
  groupSize: i32,
): void {
  setWeights(values, scales, zeroPoints, bits, features, groupSize);
  setArgument(FIRST, first);
  forRange(packPart, divideUp(word(COLUMNS), 8), 1, 8 * <f32>features * UNPACK_NANOSECONDS);
}

// ---- few rows

/** Bytes of a prepared row: its unit, and two integers of 16 bits a weight. */
// @ts-ignore: decorator
@inline
function preparedRow(rowBlocks: i32, bits: i32): usize {
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
function prepareRow(x: usize, output: usize): void {
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

// @ts-ignore: decorator
@inline
function addProducts(high: v128, low: v128): v128 {
  return f32x4.add(f32x4.convert_i32x4_s(high), f32x4.mul(f32x4.convert_i32x4_s(low), f32x4.splat(LOW_UNIT)));
}

/** One row of weights of 8 bits times prepared activations, in units; `zeroPoints` 0 for none. */
// @ts-ignore: decorator
@inline
function dotEight(w: usize, x: usize, blocks: i32, scales: usize, zeroPoints: usize, shifted: bool): f32 {
  const groupBlocks = argument(GROUP_BLOCKS);
  let sum = f32x4.splat(0);
  while (blocks > 0) {
    const scale = v128.load_splat<f32>(scales),
      zero = shifted ? i16x8.splat(<i16>load<i32>(zeroPoints)) : i16x8.splat(0);
    let group = min(blocks, groupBlocks);
    blocks -= group;
    scales += 4;
    zeroPoints += 4;
    while (group > 0) {
      let h0 = i32x4.splat(0),
        h1 = h0,
        l0 = h0,
        l1 = h0;
      let part = min(group, MOST_BLOCKS);
      group -= part;
      for (; part > 0; part--) {
        const bytes = v128.load(w);
        let low = i16x8.extend_low_i8x16_s(bytes),
          high = i16x8.extend_high_i8x16_s(bytes);
        if (shifted) {
          low = i16x8.sub(low, zero);
          high = i16x8.sub(high, zero);
        }
        h0 = i32x4.add(h0, i32x4.dot_i16x8_s(low, v128.load(x)));
        h1 = i32x4.add(h1, i32x4.dot_i16x8_s(high, v128.load(x, 16)));
        l0 = i32x4.add(l0, i32x4.dot_i16x8_s(low, v128.load(x, 32)));
        l1 = i32x4.add(l1, i32x4.dot_i16x8_s(high, v128.load(x, 48)));
        w += 16;
        x += 64;
      }
      sum = f32x4.add(sum, f32x4.mul(addProducts(i32x4.add(h0, h1), i32x4.add(l0, l1)), scale));
    }
  }
  return horizontalSum(sum);
}

function dotEven(w: usize, x: usize, blocks: i32, scales: usize): f32 {
  return dotEight(w, x, blocks, scales, 0, false);
}

function dotShifted(w: usize, x: usize, blocks: i32, scales: usize, zeroPoints: usize): f32 {
  return dotEight(w, x, blocks, scales, zeroPoints, true);
}

/** The same with weights of 4 bits: the zero point goes with the 8 that numbers are stored with. */
function dotFour(w: usize, x: usize, blocks: i32, scales: usize, zeroPoints: usize): f32 {
  const groupBlocks = argument(GROUP_BLOCKS);
  let sum = f32x4.splat(0);
  while (blocks > 0) {
    const scale = v128.load_splat<f32>(scales),
      zero = i8x16.splat(<i8>(8 + (zeroPoints ? load<i32>(zeroPoints) : 0)));
    let group = min(blocks, groupBlocks);
    blocks -= group;
    scales += 4;
    if (zeroPoints) zeroPoints += 4;
    while (group > 0) {
      let h0 = i32x4.splat(0),
        h1 = h0,
        l0 = h0,
        l1 = h0;
      let part = min(group, MOST_BLOCKS);
      group -= part;
      for (; part > 0; part--) {
        const bytes = v128.load(w),
          even = lowHalves(bytes, zero),
          odd = highHalves(bytes, zero);
        let numbers = i16x8.extend_low_i8x16_s(even);
        h0 = i32x4.add(h0, i32x4.dot_i16x8_s(numbers, v128.load(x)));
        l0 = i32x4.add(l0, i32x4.dot_i16x8_s(numbers, v128.load(x, 64)));
        numbers = i16x8.extend_high_i8x16_s(even);
        h1 = i32x4.add(h1, i32x4.dot_i16x8_s(numbers, v128.load(x, 16)));
        l1 = i32x4.add(l1, i32x4.dot_i16x8_s(numbers, v128.load(x, 80)));
        numbers = i16x8.extend_low_i8x16_s(odd);
        h0 = i32x4.add(h0, i32x4.dot_i16x8_s(numbers, v128.load(x, 32)));
        l0 = i32x4.add(l0, i32x4.dot_i16x8_s(numbers, v128.load(x, 96)));
        numbers = i16x8.extend_high_i8x16_s(odd);
        h1 = i32x4.add(h1, i32x4.dot_i16x8_s(numbers, v128.load(x, 48)));
        l1 = i32x4.add(l1, i32x4.dot_i16x8_s(numbers, v128.load(x, 112)));
        w += 16;
        x += 128;
      }
      sum = f32x4.add(sum, f32x4.mul(addProducts(i32x4.add(h0, h1), i32x4.add(l0, l1)), scale));
    }
  }
  return horizontalSum(sum);
}

/** A row of activations with NaN or infinity: floats, so that they come out as they should. */
function dotFloats(row: i32, x: usize): f32 {
  const features = argument(FEATURES),
    each = 128 / argument(BITS),
    most = 8192 / each,
    blocks = argument(ROW_BLOCKS),
    temporary = scratch();
  let sum: f32 = 0;
  for (let block = 0; block < blocks; block += most) {
    const last = min(blocks, block + most),
      from = block * each,
      to = min(features, last * each);
    unpackBlocks(row, block, last, temporary);
    for (let i = from; i < to; i++)
      sum += load<f32>(x + (<usize>i << 2)) * load<f32>(temporary + (<usize>(i - from) << 2));
  }
  return sum;
}

function multiplyPart(from: i32, to: i32): void {
  const bits = argument(BITS),
    blocks = argument(ROW_BLOCKS),
    groups = groupCount(),
    rows = argument(ROWS),
    outFeatures = argument(OUT_FEATURES),
    allZeroPoints = addressArgument(ZERO_POINTS),
    bias = addressArgument(BIAS),
    bytes = preparedRow(blocks, bits);
  for (let column = from; column < to; column++) {
    const w = addressArgument(VALUES) + ((<usize>column * <usize>blocks) << 4),
      place = <usize>(column * groups) << 2,
      scales = addressArgument(SCALES) + place,
      zeroPoints = allZeroPoints ? allZeroPoints + place : 0;
    for (let row = 0; row < rows; row++) {
      const prepared = addressArgument(PREPARED) + <usize>row * bytes,
        x = prepared + 64,
        unit = load<f32>(prepared);
      let value: f32;
      if (unit != unit)
        value = dotFloats(column, addressArgument(INPUT) + ((<usize>row * <usize>argument(FEATURES)) << 2));
      else if (bits == 4) value = unit * dotFour(w, x, blocks, scales, zeroPoints);
      else if (zeroPoints) value = unit * dotShifted(w, x, blocks, scales, zeroPoints);
      else value = unit * dotEven(w, x, blocks, scales);
      if (bias) value += load<f32>(bias + (<usize>column << 2));
      store<f32>(addressArgument(OUTPUT) + ((<usize>row * <usize>outFeatures + <usize>column) << 2), value);
    }
  }
}

/** `y[rows, outFeatures] = x[rows, features] · weightsᵀ + bias` for few rows. */
export function multiplyQuantized(
  x: usize,
  values: usize,
  scales: usize,
  zeroPoints: usize,
  bias: usize,
  output: usize,
  rows: i32,
  outFeatures: i32,
  features: i32,
  bits: i32,
  groupSize: i32,
  prepared: usize,
): void {
  setWeights(values, scales, zeroPoints, bits, features, groupSize);
  setArgument(OUTPUT, output);
  setArgument(ROWS, rows);
  setArgument(BIAS, bias);
  setArgument(PREPARED, prepared);
  setArgument(INPUT, x);
  setArgument(OUT_FEATURES, outFeatures);
  const bytes = preparedRow(argument(ROW_BLOCKS), bits);
  for (let row = 0; row < rows; row++)
    prepareRow(x + ((<usize>row * <usize>features) << 2), prepared + <usize>row * bytes);
  forRange(multiplyPart, outFeatures, 4, <f32>features * <f32>rows * DOT_NANOSECONDS);
}
