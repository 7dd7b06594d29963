import { divideUp, scratch } from "./layout";
import { addressArgument, argument, forRange, setArgument } from "./threads";

/** Columns that run side by side. */
const COLUMN_BLOCK: i32 = 128;

/** One line, elements `stride` bytes apart; floats run in doubles. */
// @ts-ignore: decorator
@inline
function scanFloats(x: usize, output: usize, length: i32, stride: isize, product: bool, exclusive: bool): void {
  let sum: f64 = product ? 1 : 0;
  for (; length > 0; length--) {
    const value = <f64>load<f32>(x);
    if (exclusive) store<f32>(output, <f32>sum);
    sum = product ? sum * value : sum + value;
    if (!exclusive) store<f32>(output, <f32>sum);
    x += stride;
    output += stride;
  }
}

// @ts-ignore: decorator
@inline
function scanIntegers(x: usize, output: usize, length: i32, stride: isize, product: bool, exclusive: bool): void {
  let sum: i32 = product ? 1 : 0;
  for (; length > 0; length--) {
    const value = load<i32>(x);
    if (exclusive) store<i32>(output, sum);
    sum = product ? sum * value : sum + value;
    if (!exclusive) store<i32>(output, sum);
    x += stride;
    output += stride;
  }
}

/** Neighbouring columns of floats, row by row; their running values lie in the working memory. */
function scanColumns(x: usize, output: usize, length: i32, columns: i32, stride: isize, product: i32, exclusive: i32): void {
  const sums = scratch();
  for (let column: usize = 0; column < <usize>columns; column++) store<f64>(sums + (column << 3), product ? 1 : 0);
  for (; length > 0; length--) {
    for (let column: usize = 0; column < <usize>columns; column++) {
      const place = sums + (column << 3),
        before = load<f64>(place),
        value = <f64>load<f32>(x + (column << 2)),
        after = product ? before * value : before + value;
      store<f64>(place, after);
      store<f32>(output + (column << 2), <f32>(exclusive ? before : after));
    }
    x += stride;
    output += stride;
  }
}

function scanLine(x: usize, output: usize, length: i32, stride: isize): void {
  const product = argument(5),
    exclusive = argument(6);
  if (argument(4)) {
    if (product) scanIntegers(x, output, length, stride, true, exclusive != 0);
    else scanIntegers(x, output, length, stride, false, exclusive != 0);
  } else if (product) scanFloats(x, output, length, stride, true, exclusive != 0);
  else scanFloats(x, output, length, stride, false, exclusive != 0);
}

function scanPart(from: i32, to: i32): void {
  const length = argument(2),
    inner = argument(3),
    reverse = argument(7),
    row = <usize>inner << 2,
    stride = reverse ? -(<isize>row) : <isize>row,
    blocks = divideUp(inner, COLUMN_BLOCK);
  for (; from < to; from++) {
    const block = from / blocks,
      first = (from - block * blocks) * COLUMN_BLOCK,
      columns = min(COLUMN_BLOCK, inner - first),
      start = <usize>(block * length + (reverse ? length - 1 : 0)) * row + (<usize>first << 2),
      x = addressArgument(0) + start,
      output = addressArgument(1) + start;
    if (columns >= 4 && !argument(4)) scanColumns(x, output, length, columns, stride, argument(5), argument(6));
    else
      for (let column: usize = 0; column < <usize>columns; column++)
        scanLine(x + (column << 2), output + (column << 2), length, stride);
  }
}

/**
 * Running sums or products along the middle axis of `[outer, length, inner]`, floats in double precision or int32, which
 * wrap; `exclusive` leaves out the element itself, `reverse` runs from the end.
 */
export function cumulative(
  x: usize,
  output: usize,
  outer: i32,
  length: i32,
  inner: i32,
  integers: i32,
  product: i32,
  exclusive: i32,
  reverse: i32,
): void {
  setArgument(0, x);
  setArgument(1, output);
  setArgument(2, length);
  setArgument(3, inner);
  setArgument(4, integers);
  setArgument(5, product);
  setArgument(6, exclusive);
  setArgument(7, reverse);
  forRange(scanPart, outer * divideUp(inner, COLUMN_BLOCK), 1, 10 + 1.5 * <f32>length * <f32>min(inner, COLUMN_BLOCK));
}
