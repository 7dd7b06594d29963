import { divideUp, scratch } from "./layout";
import { maxRow, minRow } from "./reduce";
import { addressArgument, argument, forRange, setArgument } from "./threads";

/** Index of the first element that equals `value`; of the first NaN when it is NaN. */
function indexOf(x: usize, count: i32, value: f32): i32 {
  const values = f32x4.splat(value),
    wanted = value == value;
  let i = 0;
  for (; i + 4 <= count; i += 4) {
    const found = v128.load(x + (<usize>i << 2));
    if (v128.any_true(wanted ? f32x4.eq(found, values) : f32x4.ne(found, found))) break;
  }
  for (; i < count; i++) {
    const found = load<f32>(x + (<usize>i << 2));
    if (wanted ? found == value : found != found) break;
  }
  return i;
}

function rowsPart(from: i32, to: i32): void {
  const length = argument(2),
    smallest = argument(3);
  let x = addressArgument(0) + (<usize>(from * length) << 2);
  for (; from < to; from++) {
    const value = smallest ? minRow(x, length) : maxRow(x, length);
    store<i32>(addressArgument(1) + (<usize>from << 2), indexOf(x, length, value));
    x += <usize>length << 2;
  }
}

/** Columns whose best values and their places are kept at once. */
const COLUMN_BLOCK: i32 = 128;

function columnsPart(from: i32, to: i32): void {
  const length = argument(2),
    smallest = argument(3),
    inner = argument(4),
    blocks = divideUp(inner, COLUMN_BLOCK),
    stride = <usize>inner << 2,
    best = scratch();
  for (; from < to; from++) {
    const block = from / blocks,
      first = (from - block * blocks) * COLUMN_BLOCK,
      columns = min(COLUMN_BLOCK, inner - first),
      output = addressArgument(1) + (<usize>(block * inner + first) << 2);
    let x = addressArgument(0) + <usize>(block * length) * stride + (<usize>first << 2);
    memory.copy(best, x, <usize>columns << 2);
    memory.fill(output, 0, <usize>columns << 2);
    for (let row = 1; row < length; row++) {
      x += stride;
      better(x, best, output, columns, row, smallest);
    }
  }
}

/** Puts `row` where its value beats the best so far. */
function better(x: usize, best: usize, output: usize, columns: i32, row: i32, smallest: i32): void {
  const rows = i32x4.splat(row);
  for (; columns >= 4; columns -= 4) {
    const value = v128.load(x),
      known = v128.load(best),
      beats = smallest ? f32x4.lt(value, known) : f32x4.gt(value, known),
      isFirstNaN = v128.and(f32x4.ne(value, value), f32x4.eq(known, known)),
      wins = v128.or(beats, isFirstNaN);
    v128.store(best, v128.bitselect(value, known, wins));
    v128.store(output, v128.bitselect(rows, v128.load(output), wins));
    x += 16;
    best += 16;
    output += 16;
  }
  for (; columns > 0; columns--) {
    const value = load<f32>(x),
      known = load<f32>(best);
    if ((smallest ? value < known : value > known) || (value != value && known == known)) {
      store<f32>(best, value);
      store<i32>(output, row);
    }
    x += 4;
    best += 4;
    output += 4;
  }
}

/**
 * Index of the largest float, or the smallest, along the middle axis of `[outer, length, inner]`: the first of equals; the
 * first NaN wins. int32 `[outer, inner]`.
 */
export function argExtreme(x: usize, output: usize, outer: i32, length: i32, inner: i32, smallest: i32): void {
  setArgument(0, x);
  setArgument(1, output);
  setArgument(2, length);
  setArgument(3, smallest);
  setArgument(4, inner);
  if (inner == 1) forRange(rowsPart, outer, 1, 10 + <f32>length * 0.4);
  else
    forRange(
      columnsPart,
      outer * divideUp(inner, COLUMN_BLOCK),
      1,
      20 + <f32>length * <f32>min(inner, COLUMN_BLOCK),
    );
}

function integersPart(from: i32, to: i32): void {
  const length = argument(2),
    smallest = argument(3),
    inner = argument(4);
  for (; from < to; from++) {
    const block = from / inner;
    let x = addressArgument(0) + (<usize>(block * length * inner + (from - block * inner)) << 2),
      best = load<i32>(x),
      place = 0;
    for (let i = 1; i < length; i++) {
      x += <usize>inner << 2;
      const value = load<i32>(x);
      if (smallest ? value < best : value > best) {
        best = value;
        place = i;
      }
    }
    store<i32>(addressArgument(1) + (<usize>from << 2), place);
  }
}

/** The same of int32. */
export function argExtremeOfIntegers(
  x: usize,
  output: usize,
  outer: i32,
  length: i32,
  inner: i32,
  smallest: i32,
): void {
  setArgument(0, x);
  setArgument(1, output);
  setArgument(2, length);
  setArgument(3, smallest);
  setArgument(4, inner);
  forRange(integersPart, outer * inner, 16, 2 + <f32>length);
}
