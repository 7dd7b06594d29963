import { copyRun } from "./copy";
import { addressArgument, argument, forRange, setArgument } from "./threads";

/** Nanoseconds of a row that is moved, besides its bytes, and of each byte. */
const ROW_NANOSECONDS: f32 = 5;
const BYTE_NANOSECONDS: f32 = 0.1;

function gatherPart(from: i32, to: i32): void {
  const indices = addressArgument(1),
    count = argument(4),
    bytes = <usize>argument(5),
    block = <usize>argument(3) * bytes;
  let source = addressArgument(0) + <usize>(from / count) * block,
    target = addressArgument(2) + <usize>from * bytes,
    i = from % count;
  for (; from < to; from++) {
    const row = source + <usize>load<i32>(indices + (<usize>i << 2)) * bytes;
    if (bytes == 4) store<i32>(target, load<i32>(row));
    else copyRun(row, target, bytes);
    target += bytes;
    if (++i == count) {
      i = 0;
      source += block;
    }
  }
}

/** `target[outer][i][inner] = source[outer][indices[i]][inner]` with `axisSize` slices an outer; `inner` in bytes. */
export function gather(
  source: usize,
  indices: usize,
  target: usize,
  outer: i32,
  axisSize: i32,
  count: i32,
  innerBytes: i32,
): void {
  setArgument(0, source);
  setArgument(1, indices);
  setArgument(2, target);
  setArgument(3, axisSize);
  setArgument(4, count);
  setArgument(5, innerBytes);
  forRange(gatherPart, outer * count, 16, ROW_NANOSECONDS + BYTE_NANOSECONDS * <f32>innerBytes);
}

// @ts-ignore: decorator
@inline
function addFour(a: v128, b: v128, integers: bool): v128 {
  return integers ? i32x4.add(a, b) : f32x4.add(a, b);
}

/** Adds `count` elements at `source` to those at `target`; int32 where asked, which wrap. */
// @ts-ignore: decorator
@inline
function addElements(source: usize, target: usize, count: i32, integers: bool): void {
  const bytes = <usize>count << 2;
  let f: usize = 0;
  for (; f + 16 <= bytes; f += 16) v128.store(target + f, addFour(v128.load(target + f), v128.load(source + f), integers));
  for (; f < bytes; f += 4) {
    if (integers) store<i32>(target + f, load<i32>(target + f) + load<i32>(source + f));
    else store<f32>(target + f, load<f32>(target + f) + load<f32>(source + f));
  }
}

function addRun(source: usize, target: usize, count: i32, integers: i32): void {
  if (integers) addElements(source, target, count, true);
  else addElements(source, target, count, false);
}

/** Zeros columns `[fromColumn, toColumn)` of the rows `[fromRow, toRow)` of a block and adds what belongs there. */
function scatterRows(block: i32, fromRow: i32, toRow: i32, fromColumn: i32, toColumn: i32): void {
  const indices = addressArgument(1),
    count = argument(3),
    size = argument(4),
    inner = argument(5),
    integers = argument(6),
    columns = toColumn - fromColumn,
    row = <usize>inner << 2,
    offset = <usize>fromColumn << 2,
    target = addressArgument(2) + <usize>(block * size) * row + offset;
  if (columns == inner) memory.fill(target + <usize>fromRow * row, 0, <usize>(toRow - fromRow) * row);
  else for (let i = fromRow; i < toRow; i++) memory.fill(target + <usize>i * row, 0, <usize>columns << 2);
  let source = addressArgument(0) + <usize>(block * count) * row + offset;
  for (let i = 0; i < count; i++) {
    const index = load<i32>(indices + (<usize>i << 2));
    if (index >= fromRow && index < toRow) addRun(source, target + <usize>index * row, columns, integers);
    source += row;
  }
}

function scatterBlocks(from: i32, to: i32): void {
  for (; from < to; from++) scatterRows(from, 0, argument(4), 0, argument(5));
}

function scatterColumns(from: i32, to: i32): void {
  scatterRows(argument(7), 0, argument(4), from, to);
}

function scatterRange(from: i32, to: i32): void {
  scatterRows(argument(7), from, to, 0, argument(5));
}

/** Columns from which each thread takes a part of every row, instead of reading all indices for a part of the rows. */
const WIDE: i32 = 64;
/** Blocks that are enough for the threads. */
const MANY: i32 = 16;

/**
 * `target[outer][indices[i]][inner] = Σ source[outer][i][inner]` for `size` rows an outer, floats or `integers`; an index
 * outside `[0, size)` is skipped. No two threads write the same element, and each adds in the order of `i`.
 */
export function scatterAdd(
  source: usize,
  indices: usize,
  target: usize,
  outer: i32,
  count: i32,
  size: i32,
  inner: i32,
  integers: i32,
): void {
  setArgument(0, source);
  setArgument(1, indices);
  setArgument(2, target);
  setArgument(3, count);
  setArgument(4, size);
  setArgument(5, inner);
  setArgument(6, integers);
  const cost: f32 = <f32>count * (2 + 0.3 * <f32>inner) + <f32>size * <f32>inner * 0.2;
  if (outer >= MANY) {
    forRange(scatterBlocks, outer, 1, cost);
    return;
  }
  for (let block = 0; block < outer; block++) {
    setArgument(7, block);
    if (inner >= WIDE) forRange(scatterColumns, inner, 16, cost / <f32>inner);
    else forRange(scatterRange, size, 16, cost / <f32>size);
  }
}

function takePart(from: i32, to: i32): void {
  const indices = addressArgument(1),
    length = argument(3),
    count = argument(4),
    inner = argument(5),
    size = argument(6),
    bytes = addressArgument(2),
    source = addressArgument(0);
  // one column of one block after the other: positions step by rows
  let row = from / inner,
    column = from % inner,
    base = (row / count) * length;
  for (; from < to; from++) {
    const index = load<i32>(indices + (<usize>from << 2)),
      element = <usize>((base + index) * inner + column);
    if (size == 4) store<i32>(bytes + (<usize>from << 2), load<i32>(source + (element << 2)));
    else store<u8>(bytes + <usize>from, load<u8>(source + element));
    if (++column == inner) {
      column = 0;
      if (++row % count == 0) base += length;
    }
  }
}

/** `target[o][j][i] = source[o][indices[o][j][i]][i]` for `[outer, count, inner]` of `[outer, length, inner]`; `size` bytes an element: 1 or 4. */
export function takeAlong(
  source: usize,
  indices: usize,
  target: usize,
  outer: i32,
  length: i32,
  count: i32,
  inner: i32,
  size: i32,
): void {
  setArgument(0, source);
  setArgument(1, indices);
  setArgument(2, target);
  setArgument(3, length);
  setArgument(4, count);
  setArgument(5, inner);
  setArgument(6, size);
  forRange(takePart, outer * count * inner, 64, 2);
}

/** Columns `[fromColumn, toColumn)` of a block: zeros, then the updates in order. */
function putBlock(block: i32, fromColumn: i32, toColumn: i32): void {
  const length = argument(3),
    count = argument(4),
    inner = argument(5),
    integers = argument(6),
    target = addressArgument(2) + (<usize>(block * length * inner) << 2),
    start = block * count * inner;
  for (let i = 0; i < length; i++)
    memory.fill(target + (<usize>(i * inner + fromColumn) << 2), 0, <usize>(toColumn - fromColumn) << 2);
  for (let j = 0; j < count; j++)
    for (let column = fromColumn; column < toColumn; column++) {
      const offset = <usize>(start + j * inner + column) << 2,
        place = target + (<usize>(load<i32>(addressArgument(1) + offset) * inner + column) << 2),
        update = addressArgument(0) + offset;
      if (integers) store<i32>(place, load<i32>(place) + load<i32>(update));
      else store<f32>(place, load<f32>(place) + load<f32>(update));
    }
}

function putBlocks(from: i32, to: i32): void {
  for (; from < to; from++) putBlock(from, 0, argument(5));
}

function putColumns(from: i32, to: i32): void {
  putBlock(argument(7), from, to);
}

/** The transpose of {@link takeAlong}: updates and indices `[outer, count, inner]` summed into `[outer, length, inner]`. */
export function putAlong(
  updates: usize,
  indices: usize,
  target: usize,
  outer: i32,
  length: i32,
  count: i32,
  inner: i32,
  integers: i32,
): void {
  setArgument(0, updates);
  setArgument(1, indices);
  setArgument(2, target);
  setArgument(3, length);
  setArgument(4, count);
  setArgument(5, inner);
  setArgument(6, integers);
  const column: f32 = 2 * <f32>count + 0.5 * <f32>length;
  if (outer >= MANY || inner < 32) {
    forRange(putBlocks, outer, 1, column * <f32>inner);
    return;
  }
  for (let block = 0; block < outer; block++) {
    setArgument(7, block);
    forRange(putColumns, inner, 16, column);
  }
}
