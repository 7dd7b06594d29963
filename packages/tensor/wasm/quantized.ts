// Products with weights of 8 or 4 bits. A row of weights is a row of 16-byte blocks: 16 numbers of 8 bits, or 32 of 4 bits,
// two a byte, the even one low, each plus 8. Weights are (number − zero point) · scale of their group.
// Many rows of activations: weights become floats, a panel at a time, and the tiled product runs. Few: quantized-rows.ts.
import { COLUMNS, DEPTH, DEPTH_BLOCK, PACKED_B, address, divideUp, scratch, word } from "./layout";
import { packMatrixB } from "./pack";
import { addressArgument, argument, forRange, setArgument } from "./threads";

const UNPACK_NANOSECONDS: f32 = 0.4;
/** Floats of a row that {@link packPart} unpacks at once: a block of depth, and what it shares with its neighbours. */
const PIECE: i32 = 384;

// Words of a job.
export const VALUES: i32 = 0;
export const SCALES: i32 = 1;
/** 0 for none. */
export const ZERO_POINTS: i32 = 2;
export const BITS: i32 = 3;
/** Blocks of a row and of a group. */
export const ROW_BLOCKS: i32 = 4;
export const GROUP_BLOCKS: i32 = 5;
export const OUTPUT: i32 = 6;
export const FEATURES: i32 = 8;
const FIRST: i32 = 13;

export function setWeights(values: usize, scales: usize, zeroPoints: usize, bits: i32, features: i32, groupSize: i32): void {
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
export function groupCount(): i32 {
  return divideUp(argument(ROW_BLOCKS), argument(GROUP_BLOCKS));
}

/** The low halves of 16 bytes, less `zero`: even numbers of a block of 4 bits. */
// @ts-ignore: decorator
@inline
export function lowHalves(block: v128, zero: v128): v128 {
  return i8x16.sub(v128.and(block, i8x16.splat(15)), zero);
}

// @ts-ignore: decorator
@inline
export function highHalves(block: v128, zero: v128): v128 {
  return i8x16.sub(v128.and(i16x8.shr_u(block, 4), i8x16.splat(15)), zero);
}

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
export function unpackBlocks(row: i32, from: i32, to: i32, output: usize): void {
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
