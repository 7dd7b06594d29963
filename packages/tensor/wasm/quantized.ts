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
const DOT_NANOSECONDS: f32 = 0.08;
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
/** Whether the low parts of activations count. */
const FINE: i32 = 14;

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

/** Adds `(high + low / 2¹⁵) · scale`, or `high · scale` alone. */
// @ts-ignore: decorator
@inline
function addGroup(sum: v128, high: v128, low: v128, scale: v128, fine: bool): v128 {
  let products = f32x4.convert_i32x4_s(high);
  if (fine) products = f32x4.add(products, f32x4.mul(f32x4.convert_i32x4_s(low), f32x4.splat(LOW_UNIT)));
  return f32x4.add(sum, f32x4.mul(products, scale));
}

// @ts-ignore: decorator
@inline
function addDots(sum: v128, a: v128, x: v128, b: v128, y: v128): v128 {
  return i32x4.add(sum, i32x4.add(i32x4.dot_i16x8_s(a, x), i32x4.dot_i16x8_s(b, y)));
}

/**
 * Two rows of weights of 8 bits times prepared activations, in units, to two floats at `output`. The second row lies
 * `rowBytes` on, its scales and zero points `groupBytes`; both may be 0. `fine` takes the low parts too.
 */
// @ts-ignore: decorator
@inline
function pairOfEight(
  w: usize,
  rowBytes: usize,
  x: usize,
  blocks: i32,
  scales: usize,
  groupBytes: usize,
  zeroPoints: usize,
  output: usize,
  shifted: bool,
  fine: bool,
): void {
  const groupBlocks = argument(GROUP_BLOCKS);
  let sumA = f32x4.splat(0),
    sumB = sumA;
  while (blocks > 0) {
    const zeroA = shifted ? i16x8.splat(<i16>load<i32>(zeroPoints)) : i16x8.splat(0),
      zeroB = shifted ? i16x8.splat(<i16>load<i32>(zeroPoints + groupBytes)) : i16x8.splat(0);
    let group = min(blocks, groupBlocks);
    blocks -= group;
    while (group > 0) {
      let highA = i32x4.splat(0),
        lowA = highA,
        highB = highA,
        lowB = highA;
      let part = min(group, MOST_BLOCKS);
      group -= part;
      for (; part > 0; part--) {
        const bytesA = v128.load(w),
          bytesB = v128.load(w + rowBytes);
        let a = i16x8.extend_low_i8x16_s(bytesA),
          otherA = i16x8.extend_high_i8x16_s(bytesA),
          b = i16x8.extend_low_i8x16_s(bytesB),
          otherB = i16x8.extend_high_i8x16_s(bytesB);
        if (shifted) {
          a = i16x8.sub(a, zeroA);
          otherA = i16x8.sub(otherA, zeroA);
          b = i16x8.sub(b, zeroB);
          otherB = i16x8.sub(otherB, zeroB);
        }
        const x0 = v128.load(x),
          x1 = v128.load(x, 16);
        highA = addDots(highA, a, x0, otherA, x1);
        highB = addDots(highB, b, x0, otherB, x1);
        if (fine) {
          const y0 = v128.load(x, 32),
            y1 = v128.load(x, 48);
          lowA = addDots(lowA, a, y0, otherA, y1);
          lowB = addDots(lowB, b, y0, otherB, y1);
        }
        w += 16;
        x += 64;
      }
      sumA = addGroup(sumA, highA, lowA, v128.load_splat<f32>(scales), fine);
      sumB = addGroup(sumB, highB, lowB, v128.load_splat<f32>(scales + groupBytes), fine);
    }
    scales += 4;
    zeroPoints += 4;
  }
  store<f32>(output, horizontalSum(sumA));
  store<f32>(output, horizontalSum(sumB), 4);
}

/** The same with weights of 4 bits: the zero point goes with the 8 that numbers are stored with. */
// @ts-ignore: decorator
@inline
function pairOfFour(
  w: usize,
  rowBytes: usize,
  x: usize,
  blocks: i32,
  scales: usize,
  groupBytes: usize,
  zeroPoints: usize,
  output: usize,
  shifted: bool,
  fine: bool,
): void {
  const groupBlocks = argument(GROUP_BLOCKS);
  let sumA = f32x4.splat(0),
    sumB = sumA;
  while (blocks > 0) {
    const zeroA = i8x16.splat(<i8>(shifted ? 8 + load<i32>(zeroPoints) : 8)),
      zeroB = shifted ? i8x16.splat(<i8>(8 + load<i32>(zeroPoints + groupBytes))) : zeroA;
    let group = min(blocks, groupBlocks);
    blocks -= group;
    while (group > 0) {
      let highA = i32x4.splat(0),
        lowA = highA,
        highB = highA,
        lowB = highA;
      let part = min(group, MOST_BLOCKS);
      group -= part;
      for (; part > 0; part--) {
        const bytesA = v128.load(w),
          bytesB = v128.load(w + rowBytes);
        // even numbers, then odd ones: the order of the activations
        let numbersA = lowHalves(bytesA, zeroA);
        let numbersB = lowHalves(bytesB, zeroB);
        let a = i16x8.extend_low_i8x16_s(numbersA);
        let otherA = i16x8.extend_high_i8x16_s(numbersA);
        let b = i16x8.extend_low_i8x16_s(numbersB);
        let otherB = i16x8.extend_high_i8x16_s(numbersB);
        let x0 = v128.load(x);
        let x1 = v128.load(x, 16);
        highA = addDots(highA, a, x0, otherA, x1);
        highB = addDots(highB, b, x0, otherB, x1);
        if (fine) {
          x0 = v128.load(x, 64);
          x1 = v128.load(x, 80);
          lowA = addDots(lowA, a, x0, otherA, x1);
          lowB = addDots(lowB, b, x0, otherB, x1);
        }
        numbersA = highHalves(bytesA, zeroA);
        numbersB = highHalves(bytesB, zeroB);
        a = i16x8.extend_low_i8x16_s(numbersA);
        otherA = i16x8.extend_high_i8x16_s(numbersA);
        b = i16x8.extend_low_i8x16_s(numbersB);
        otherB = i16x8.extend_high_i8x16_s(numbersB);
        x0 = v128.load(x, 32);
        x1 = v128.load(x, 48);
        highA = addDots(highA, a, x0, otherA, x1);
        highB = addDots(highB, b, x0, otherB, x1);
        if (fine) {
          x0 = v128.load(x, 96);
          x1 = v128.load(x, 112);
          lowA = addDots(lowA, a, x0, otherA, x1);
          lowB = addDots(lowB, b, x0, otherB, x1);
        }
        w += 16;
        x += 128;
      }
      sumA = addGroup(sumA, highA, lowA, v128.load_splat<f32>(scales), fine);
      sumB = addGroup(sumB, highB, lowB, v128.load_splat<f32>(scales + groupBytes), fine);
    }
    scales += 4;
    zeroPoints += 4;
  }
  store<f32>(output, horizontalSum(sumA));
  store<f32>(output, horizontalSum(sumB), 4);
}

function eightFine(
  w: usize,
  rowBytes: usize,
  x: usize,
  blocks: i32,
  scales: usize,
  groupBytes: usize,
  zeroPoints: usize,
  output: usize,
): void {
  pairOfEight(w, rowBytes, x, blocks, scales, groupBytes, zeroPoints, output, false, true);
}

function eightCoarse(
  w: usize,
  rowBytes: usize,
  x: usize,
  blocks: i32,
  scales: usize,
  groupBytes: usize,
  zeroPoints: usize,
  output: usize,
): void {
  pairOfEight(w, rowBytes, x, blocks, scales, groupBytes, zeroPoints, output, false, false);
}

function eightShiftedFine(
  w: usize,
  rowBytes: usize,
  x: usize,
  blocks: i32,
  scales: usize,
  groupBytes: usize,
  zeroPoints: usize,
  output: usize,
): void {
  pairOfEight(w, rowBytes, x, blocks, scales, groupBytes, zeroPoints, output, true, true);
}

function eightShiftedCoarse(
  w: usize,
  rowBytes: usize,
  x: usize,
  blocks: i32,
  scales: usize,
  groupBytes: usize,
  zeroPoints: usize,
  output: usize,
): void {
  pairOfEight(w, rowBytes, x, blocks, scales, groupBytes, zeroPoints, output, true, false);
}

function fourFine(
  w: usize,
  rowBytes: usize,
  x: usize,
  blocks: i32,
  scales: usize,
  groupBytes: usize,
  zeroPoints: usize,
  output: usize,
): void {
  pairOfFour(w, rowBytes, x, blocks, scales, groupBytes, zeroPoints, output, false, true);
}

function fourCoarse(
  w: usize,
  rowBytes: usize,
  x: usize,
  blocks: i32,
  scales: usize,
  groupBytes: usize,
  zeroPoints: usize,
  output: usize,
): void {
  pairOfFour(w, rowBytes, x, blocks, scales, groupBytes, zeroPoints, output, false, false);
}

function fourShiftedFine(
  w: usize,
  rowBytes: usize,
  x: usize,
  blocks: i32,
  scales: usize,
  groupBytes: usize,
  zeroPoints: usize,
  output: usize,
): void {
  pairOfFour(w, rowBytes, x, blocks, scales, groupBytes, zeroPoints, output, true, true);
}

function fourShiftedCoarse(
  w: usize,
  rowBytes: usize,
  x: usize,
  blocks: i32,
  scales: usize,
  groupBytes: usize,
  zeroPoints: usize,
  output: usize,
): void {
  pairOfFour(w, rowBytes, x, blocks, scales, groupBytes, zeroPoints, output, true, false);
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

/** Calls the function for the weights' form. */
function dotPair(
  w: usize,
  rowBytes: usize,
  x: usize,
  scales: usize,
  groupBytes: usize,
  zeroPoints: usize,
  output: usize,
): void {
  const blocks = argument(ROW_BLOCKS),
    fine = argument(FINE);
  if (argument(BITS) == 8) {
    if (zeroPoints) {
      if (fine) eightShiftedFine(w, rowBytes, x, blocks, scales, groupBytes, zeroPoints, output);
      else eightShiftedCoarse(w, rowBytes, x, blocks, scales, groupBytes, zeroPoints, output);
    } else if (fine) eightFine(w, rowBytes, x, blocks, scales, groupBytes, 0, output);
    else eightCoarse(w, rowBytes, x, blocks, scales, groupBytes, 0, output);
  } else if (zeroPoints) {
    if (fine) fourShiftedFine(w, rowBytes, x, blocks, scales, groupBytes, zeroPoints, output);
    else fourShiftedCoarse(w, rowBytes, x, blocks, scales, groupBytes, zeroPoints, output);
  } else if (fine) fourFine(w, rowBytes, x, blocks, scales, groupBytes, 0, output);
  else fourCoarse(w, rowBytes, x, blocks, scales, groupBytes, 0, output);
}

function multiplyPart(from: i32, to: i32): void {
  const rows = argument(ROWS),
    outFeatures = argument(OUT_FEATURES),
    groupBytes = <usize>groupCount() << 2,
    rowBytes = <usize>argument(ROW_BLOCKS) << 4,
    allZeroPoints = addressArgument(ZERO_POINTS),
    bias = addressArgument(BIAS),
    bytes = preparedRow(argument(ROW_BLOCKS), argument(BITS)),
    pair = scratch();
  for (let column = from; column < to; column += 2) {
    // a last column is computed twice
    const single = column + 1 == to,
      place = <usize>column * groupBytes,
      w = addressArgument(VALUES) + <usize>column * rowBytes,
      scales = addressArgument(SCALES) + place,
      zeroPoints = allZeroPoints ? allZeroPoints + place : 0;
    for (let row = 0; row < rows; row++) {
      const prepared = addressArgument(PREPARED) + <usize>row * bytes,
        unit = load<f32>(prepared),
        output = addressArgument(OUTPUT) + ((<usize>row * <usize>outFeatures + <usize>column) << 2);
      let first: f32, second: f32;
      if (unit == unit) {
        dotPair(w, single ? 0 : rowBytes, prepared + 64, scales, single ? 0 : groupBytes, zeroPoints, pair);
        first = load<f32>(pair) * unit;
        second = load<f32>(pair, 4) * unit;
      } else {
        const x = addressArgument(INPUT) + ((<usize>row * <usize>argument(FEATURES)) << 2);
        first = dotFloats(column, x);
        second = single ? 0 : dotFloats(column + 1, x);
      }
      if (bias) first += load<f32>(bias + (<usize>column << 2));
      store<f32>(output, first);
      if (single) continue;
      if (bias) second += load<f32>(bias + (<usize>column << 2), 4);
      store<f32>(output, second, 4);
    }
  }
}

/** `y[rows, outFeatures] = x[rows, features] · weightsᵀ + bias` for few rows; without `fine` x has 15 bits. */
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
  fine: i32,
): void {
  setArgument(FINE, fine);
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
