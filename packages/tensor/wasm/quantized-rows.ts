// Few rows of activations times weights of 8 or 4 bits: bound by memory and by unpacking, so that weights are read once,
// in place, two rows at a time, and integers are multiplied and summed exactly.
import { scratch } from "./layout";
import {
  BITS,
  FEATURES,
  OUTPUT,
  ROW_BLOCKS,
  SCALES,
  VALUES,
  ZERO_POINTS,
  groupCount,
  setWeights,
  unpackBlocks,
} from "./quantized";
import { prepareRow, preparedRow } from "./quantized-activations";
import { FINE, dotPair } from "./quantized-dots";
import { addressArgument, argument, forRange, setArgument } from "./threads";

/** Nanoseconds a weight and row of activations. */
const DOT_NANOSECONDS: f32 = 0.08;

// Words of a job, after those of the weights.
const ROWS: i32 = 7;
const BIAS: i32 = 9;
const PREPARED: i32 = 10;
const INPUT: i32 = 11;
const OUT_FEATURES: i32 = 12;

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
