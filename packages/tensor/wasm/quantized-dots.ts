// Two rows of weights times a row of prepared activations, in integers: the loops of quantized-rows.ts, one for each form
// of weights, so that what a form does not need is not in its loop.
import { horizontalSum } from "./math";
import { BITS, GROUP_BLOCKS, ROW_BLOCKS, highHalves, lowHalves } from "./quantized";
import { argument } from "./threads";

/** Blocks after which sums go to floats: 128 · 4 products of at most 255 · 2¹⁴ fit 31 bits. */
const MOST_BLOCKS: i32 = 128;
/** 2⁻¹⁵. */
const LOW_UNIT: f32 = 0.000030517578125;
/** Whether the low parts of activations count. */
export const FINE: i32 = 14;

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

/** Calls the function for the weights' form. */
export function dotPair(
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
