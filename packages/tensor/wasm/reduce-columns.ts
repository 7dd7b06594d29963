import { divideUp, scratch } from "./layout";
import { combine, MAX, MEAN, MIN } from "./reduce";
import { addressArgument, argument, forRange, setArgument } from "./threads";

/** Rows summed in float32 before the sum goes into doubles. */
const ROW_BLOCK: i32 = 32;
/** Columns that one task reduces. */
const COLUMN_BLOCK: i32 = 128;
/** Tasks that a large reduction is cut into where its columns are few: the rows are cut, whatever the number of threads. */
const TASKS: i32 = 16;
/** Elements below which rows are not cut. */
const SMALL: i32 = 65536;
/** Where partial results of the rows' parts lie in the working memory of the thread that starts the job. */
const PARTIALS: usize = 8192;

/** Adds `rows` rows of 16 columns to doubles. */
function addSixteenColumns(x: usize, rows: i32, stride: usize, sums: usize): void {
  let s0 = f32x4.splat(0),
    s1 = s0,
    s2 = s0,
    s3 = s0;
  for (; rows > 0; rows--) {
    s0 = f32x4.add(s0, v128.load(x));
    s1 = f32x4.add(s1, v128.load(x, 16));
    s2 = f32x4.add(s2, v128.load(x, 32));
    s3 = f32x4.add(s3, v128.load(x, 48));
    x += stride;
  }
  addDoubles(sums, s0);
  addDoubles(sums + 32, s1);
  addDoubles(sums + 64, s2);
  addDoubles(sums + 96, s3);
}

function addFourColumns(x: usize, rows: i32, stride: usize, sums: usize): void {
  let sum = f32x4.splat(0);
  for (; rows > 0; rows--) {
    sum = f32x4.add(sum, v128.load(x));
    x += stride;
  }
  addDoubles(sums, sum);
}

function addOneColumn(x: usize, rows: i32, stride: usize, sums: usize): void {
  let sum: f32 = 0;
  for (; rows > 0; rows--) {
    sum += load<f32>(x);
    x += stride;
  }
  store<f64>(sums, load<f64>(sums) + <f64>sum);
}

// @ts-ignore: decorator
@inline
function addDoubles(sums: usize, values: v128): void {
  const high = v128.shuffle<i64>(values, values, 1, 1);
  v128.store(sums, f64x2.add(v128.load(sums), f64x2.promote_low_f32x4(values)));
  v128.store(sums, f64x2.add(v128.load(sums, 16), f64x2.promote_low_f32x4(high)), 16);
}

function sumColumns(x: usize, rows: i32, columns: i32, stride: usize, sums: usize): void {
  memory.fill(sums, 0, <usize>columns << 3);
  for (; rows > 0; rows -= ROW_BLOCK) {
    const count = min(ROW_BLOCK, rows);
    let column = 0;
    for (; column + 16 <= columns; column += 16)
      addSixteenColumns(x + (<usize>column << 2), count, stride, sums + (<usize>column << 3));
    for (; column + 4 <= columns; column += 4)
      addFourColumns(x + (<usize>column << 2), count, stride, sums + (<usize>column << 3));
    for (; column < columns; column++)
      addOneColumn(x + (<usize>column << 2), count, stride, sums + (<usize>column << 3));
    x += <usize>count * stride;
  }
}

/** Largest, smallest or product of each column, one after the other with the rows before. */
function combineColumns(operation: i32, x: usize, rows: i32, columns: i32, stride: usize, results: usize): void {
  for (let column: usize = 0; column < <usize>columns; column++)
    store<f64>(results + (column << 3), <f64>load<f32>(x + (column << 2)));
  for (let row = 1; row < rows; row++) {
    x += stride;
    if (operation == MAX) combineRun(MAX, x, columns, results);
    else if (operation == MIN) combineRun(MIN, x, columns, results);
    else combineRun(MIN + 1, x, columns, results);
  }
}

// @ts-ignore: decorator
@inline
function combineRun(operation: i32, x: usize, columns: i32, results: usize): void {
  for (; columns >= 2; columns -= 2) {
    const value = f64x2.promote_low_f32x4(v128.load64_zero(x)),
      known = v128.load(results);
    if (operation == MAX) v128.store(results, f64x2.max(known, value));
    else if (operation == MIN) v128.store(results, f64x2.min(known, value));
    else v128.store(results, f64x2.mul(known, value));
    x += 8;
    results += 16;
  }
  if (columns) store<f64>(results, combine(operation, load<f64>(results), <f64>load<f32>(x)));
}

/** Blocks of columns of parts of rows, counted over all. */
function columnsPart(from: i32, to: i32): void {
  const operation = argument(0),
    length = argument(3),
    inner = argument(4),
    blocks = argument(5),
    parts = argument(6),
    partRows = argument(7),
    stride = <usize>inner << 2,
    results = scratch();
  for (; from < to; from++) {
    const group = from / blocks,
      part = group % parts,
      first = (from - group * blocks) * COLUMN_BLOCK,
      columns = min(COLUMN_BLOCK, inner - first),
      row = (group / parts) * length + part * partRows,
      rows = min(partRows, length - part * partRows),
      x = addressArgument(1) + <usize>row * stride + (<usize>first << 2);
    if (operation <= MEAN) sumColumns(x, rows, columns, stride, results);
    else combineColumns(operation, x, rows, columns, stride, results);
    const place = <usize>(group * inner + first);
    if (parts == 1) storeResults(results, addressArgument(2) + (place << 2), columns, operation, length);
    else memory.copy(addressArgument(8) + (place << 3), results, <usize>columns << 3);
  }
}

function storeResults(results: usize, output: usize, count: i32, operation: i32, length: i32): void {
  for (let i: usize = 0; i < <usize>count; i++) {
    const value = load<f64>(results + (i << 3));
    store<f32>(output + (i << 2), <f32>(operation == MEAN ? value / <f64>length : value));
  }
}

/** Reduces the middle axis of `[outer, length, inner]` to `[outer, inner]`. */
export function reduceColumns(operation: i32, x: usize, output: usize, outer: i32, length: i32, inner: i32): void {
  const blocks = divideUp(inner, COLUMN_BLOCK),
    tasks = outer * blocks,
    isLarge = tasks < TASKS && <f32>outer * <f32>length * <f32>inner >= <f32>SMALL;
  let parts = isLarge ? min(divideUp(TASKS, tasks), divideUp(length, 2 * ROW_BLOCK)) : 1;
  const partRows = divideUp(divideUp(length, parts), ROW_BLOCK) * ROW_BLOCK;
  parts = divideUp(length, partRows);
  const partials = scratch() + PARTIALS;
  setArgument(0, operation);
  setArgument(1, x);
  setArgument(2, output);
  setArgument(3, length);
  setArgument(4, inner);
  setArgument(5, blocks);
  setArgument(6, parts);
  setArgument(7, partRows);
  setArgument(8, partials);
  const elements = <f32>min(length, partRows) * <f32>min(inner, COLUMN_BLOCK);
  forRange(columnsPart, tasks * parts, 1, 20 + elements * (operation <= MEAN ? <f32>0.25 : <f32>0.5));
  if (parts == 1) return;
  for (let o = 0; o < outer; o++) {
    const first = partials + (<usize>(o * parts * inner) << 3);
    for (let part = 1; part < parts; part++)
      for (let i: usize = 0; i < <usize>inner; i++) {
        const place = first + (i << 3),
          next = place + (<usize>(part * inner) << 3);
        store<f64>(place, combine(operation, load<f64>(place), load<f64>(next)));
      }
    storeResults(first, output + (<usize>(o * inner) << 2), inner, operation, length);
  }
}
