import {
  advance,
  axisLength,
  movedA,
  movedB,
  seek,
  strideA,
  strideB,
  walkLength,
} from "./strided";
import { divideUp } from "./layout";
import { transposeBlock } from "./pack";
import { addressArgument, argument, forRange, setArgument } from "./threads";

/** Copies `bytes` bytes; short runs without the call that `memory.copy` is. */
// @ts-ignore: decorator
@inline
export function copyRun(source: usize, target: usize, bytes: usize): void {
  if (bytes > 128) {
    memory.copy(target, source, bytes);
    return;
  }
  let f: usize = 0;
  for (; f + 16 <= bytes; f += 16) v128.store(target + f, v128.load(source + f));
  for (; f + 4 <= bytes; f += 4) store<i32>(target + f, load<i32>(source + f));
  for (; f < bytes; f++) store<u8>(target + f, load<u8>(source + f));
}

/** Nanoseconds that moving a byte takes, roughly. */
const NANOSECONDS: f32 = 0.1;

function runsPart(from: i32, to: i32): void {
  const last = argument(2) - 1,
    size = argument(3),
    count = axisLength(last);
  let source = addressArgument(0),
    target = addressArgument(1),
    start = from % count;
  seek(last, from / count);
  while (true) {
    source += <usize>(movedA() * size);
    target += <usize>(movedB() * size);
    const length = min(count - start, to - from),
      offset = <usize>(start * size);
    copyRun(source + offset, target + offset, <usize>(length * size));
    from += length;
    if (from >= to) return;
    start = 0;
    advance(last);
  }
}

/** Copies runs along the last axis, contiguous on both sides, over the axes before it; `size`: bytes of an element. */
export function copyRuns(source: usize, target: usize, axes: i32, size: i32): void {
  setArgument(0, source);
  setArgument(1, target);
  setArgument(2, axes);
  setArgument(3, size);
  // what a run costs besides its bytes
  const aRun: f32 = 5.0 / <f32>axisLength(axes - 1);
  forRange(runsPart, walkLength(axes), 64, NANOSECONDS * <f32>size + aRun);
}

function repeatPart(from: i32, to: i32): void {
  const last = argument(2) - 1,
    count = axisLength(last);
  let source = addressArgument(0),
    target = addressArgument(1),
    start = from % count;
  seek(last, from / count);
  while (true) {
    source += <usize>(movedA() << 2);
    target += <usize>(movedB() << 2);
    const length = min(count - start, to - from);
    fillRun(target + (<usize>start << 2), length, load<i32>(source));
    from += length;
    if (from >= to) return;
    start = 0;
    advance(last);
  }
}

/** Repeats one 4-byte element along the last axis, over the axes before it. */
export function repeatElements(source: usize, target: usize, axes: i32): void {
  setArgument(0, source);
  setArgument(1, target);
  setArgument(2, axes);
  const aRun: f32 = 5.0 / <f32>axisLength(axes - 1);
  forRange(repeatPart, walkLength(axes), 64, 4 * NANOSECONDS + aRun);
}

/** Rows and columns of the block of a matrix that is transposed at once, so that the lines written stay in the cache. */
const BLOCK_ROWS: i32 = 16;
const BLOCK_COLUMNS: i32 = 128;

/**
 * Copies 4-byte elements over axes of any strides. The last two axes make a plane: A is contiguous along the last,
 * B along the one before it, so that the plane is a matrix transpose.
 */
export function copyTransposed(source: usize, target: usize, axes: i32): void {
  setArgument(0, source);
  setArgument(1, target);
  setArgument(2, axes);
  const rows = axisLength(axes - 2),
    columns = axisLength(axes - 1),
    blocks = divideUp(rows, BLOCK_ROWS) * divideUp(columns, BLOCK_COLUMNS),
    elements = <f32>min(rows, BLOCK_ROWS) * <f32>min(columns, BLOCK_COLUMNS);
  forRange(transposePart, walkLength(axes - 2) * blocks, 1, elements * 0.7 + 10);
}

/** Blocks, counted over all planes; those of a plane go down its rows first. */
function transposePart(from: i32, to: i32): void {
  const last = argument(2) - 1,
    rows = axisLength(last - 1),
    columns = axisLength(last),
    sourceStride = <usize>(strideA(last - 1) << 2),
    targetStride = <usize>(strideB(last) << 2),
    down = divideUp(rows, BLOCK_ROWS),
    blocks = down * divideUp(columns, BLOCK_COLUMNS);
  let source = addressArgument(0),
    target = addressArgument(1),
    block = from % blocks;
  seek(last - 1, from / blocks);
  source += <usize>(movedA() << 2);
  target += <usize>(movedB() << 2);
  while (true) {
    const column = block / down * BLOCK_COLUMNS,
      row = (block % down) * BLOCK_ROWS;
    transposePlane(
      source + <usize>row * sourceStride + (<usize>column << 2),
      target + <usize>column * targetStride + (<usize>row << 2),
      min(BLOCK_ROWS, rows - row),
      min(BLOCK_COLUMNS, columns - column),
      sourceStride,
      targetStride,
    );
    if (++from >= to) return;
    if (++block < blocks) continue;
    block = 0;
    advance(last - 1);
    source += <usize>(movedA() << 2);
    target += <usize>(movedB() << 2);
  }
}

/** `target[column][row] = source[row][column]`; strides in bytes. */
function transposePlane(source: usize, target: usize, rows: i32, columns: i32, sourceStride: usize, targetStride: usize): void {
  let row = 0;
  if (rows == BLOCK_ROWS) {
    // a line of the target at a time: lines that lie a power of two apart push each other out of the cache
    const whole = columns & ~3;
    transposeLines(source, target, whole, sourceStride, targetStride);
    source += <usize>whole << 2;
    target += <usize>whole * targetStride;
    columns -= whole;
    if (columns == 0) return;
  }
  for (; row + 4 <= rows; row += 4) {
    transposeStrip(source, target, columns, sourceStride, targetStride);
    source += 4 * sourceStride;
    target += 16;
  }
  for (; row < rows; row++) {
    for (let column: usize = 0; column < <usize>columns; column++)
      store<i32>(target + column * targetStride, load<i32>(source + (column << 2)));
    source += sourceStride;
    target += 4;
  }
}

/** 16 rows of a multiple of four columns. */
function transposeLines(source: usize, target: usize, columns: i32, sourceStride: usize, targetStride: usize): void {
  for (; columns > 0; columns -= 4) {
    let row = source;
    for (let offset: usize = 0; offset < 64; offset += 16) {
      const s1 = row + sourceStride,
        s2 = s1 + sourceStride,
        s3 = s2 + sourceStride;
      transposeBlock(row, s1, s2, s3, target + offset, targetStride);
      row = s3 + sourceStride;
    }
    source += 16;
    target += 4 * targetStride;
  }
}

function transposeStrip(source: usize, target: usize, columns: i32, sourceStride: usize, targetStride: usize): void {
  const s1 = source + sourceStride,
    s2 = s1 + sourceStride,
    s3 = s2 + sourceStride;
  let column = 0,
    f: usize = 0;
  for (; column + 4 <= columns; column += 4) {
    transposeBlock(source + f, s1 + f, s2 + f, s3 + f, target, targetStride);
    target += 4 * targetStride;
    f += 16;
  }
  for (; column < columns; column++) {
    store<i32>(target, load<i32>(source + f));
    store<i32>(target, load<i32>(s1 + f), 4);
    store<i32>(target, load<i32>(s2 + f), 8);
    store<i32>(target, load<i32>(s3 + f), 12);
    target += targetStride;
    f += 4;
  }
}

/** Fills 4-byte elements with the bits of `value`. */
function fillRun(target: usize, count: i32, value: i32): void {
  const bits = i32x4.splat(value),
    end = <usize>count << 2;
  let f: usize = 0;
  for (; f + 16 <= end; f += 16) v128.store(target + f, bits);
  for (; f < end; f += 4) store<i32>(target + f, value);
}

function fillPart(from: i32, to: i32): void {
  fillRun(addressArgument(0) + (<usize>from << 2), to - from, argument(1));
}

/** Fills 4-byte elements with the bits of `value`. */
export function fill(target: usize, count: i32, value: i32): void {
  setArgument(0, target);
  setArgument(1, value);
  forRange(fillPart, count, 64, 0.25);
}
