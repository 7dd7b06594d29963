import { advance, axisLength, movedA, movedB, strideA, strideB } from "./strided";
import { transposeBlock } from "./pack";

/** Copies `bytes` bytes; short runs without the call that `memory.copy` is. */
// @ts-ignore: decorator
@inline
function copyRun(source: usize, target: usize, bytes: usize): void {
  if (bytes > 128) {
    memory.copy(target, source, bytes);
    return;
  }
  let f: usize = 0;
  for (; f + 16 <= bytes; f += 16) v128.store(target + f, v128.load(source + f));
  for (; f + 4 <= bytes; f += 4) store<i32>(target + f, load<i32>(source + f));
  for (; f < bytes; f++) store<u8>(target + f, load<u8>(source + f));
}

/** Copies runs along the last axis, contiguous on both sides, over the axes before it; `size`: bytes of an element. */
export function copyRuns(source: usize, target: usize, axes: i32, size: i32): void {
  const last = axes - 1,
    bytes = <usize>(axisLength(last) * size);
  do {
    copyRun(source, target, bytes);
    if (!advance(last)) return;
    source += <usize>(movedA() * size);
    target += <usize>(movedB() * size);
  } while (true);
}

/** Repeats one 4-byte element along the last axis, over the axes before it. */
export function repeatElements(source: usize, target: usize, axes: i32): void {
  const last = axes - 1,
    count = axisLength(last);
  do {
    fill(target, count, load<i32>(source));
    if (!advance(last)) return;
    source += <usize>(movedA() << 2);
    target += <usize>(movedB() << 2);
  } while (true);
}

/**
 * Copies 4-byte elements over axes of any strides. The last two axes make a plane: A is contiguous along the last,
 * B along the one before it, so that the plane is a matrix transpose.
 */
export function copyTransposed(source: usize, target: usize, axes: i32): void {
  const last = axes - 1,
    rows = axisLength(last - 1),
    columns = axisLength(last),
    sourceStride = <usize>(strideA(last - 1) << 2),
    targetStride = <usize>(strideB(last) << 2);
  do {
    transposePlane(source, target, rows, columns, sourceStride, targetStride);
    if (!advance(last - 1)) return;
    source += <usize>(movedA() << 2);
    target += <usize>(movedB() << 2);
  } while (true);
}

/** `target[column][row] = source[row][column]`; strides in bytes. */
function transposePlane(source: usize, target: usize, rows: i32, columns: i32, sourceStride: usize, targetStride: usize): void {
  let row = 0;
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
export function fill(target: usize, count: i32, value: i32): void {
  const bits = i32x4.splat(value),
    end = <usize>count << 2;
  let f: usize = 0;
  for (; f + 16 <= end; f += 16) v128.store(target + f, bits);
  for (; f < end; f += 4) store<i32>(target + f, value);
}

/** `target[outer][i][inner] = source[outer][indices[i]][inner]` for `axisLength` slices an outer; `inner` in bytes. */
export function gather(
  source: usize,
  indices: usize,
  target: usize,
  outer: i32,
  axisSize: i32,
  count: i32,
  innerBytes: i32,
): void {
  const bytes = <usize>innerBytes;
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < count; i++) {
      copyRun(source + <usize>load<i32>(indices + (<usize>i << 2)) * bytes, target, bytes);
      target += bytes;
    }
    source += <usize>axisSize * bytes;
  }
}

/** `target[indices[i]][inner] += source[i][inner]` on floats that start at zero; an index outside `[0, size)` is skipped. */
export function scatterAdd(source: usize, indices: usize, target: usize, count: i32, size: i32, inner: i32): void {
  const bytes = <usize>inner << 2;
  for (let i = 0; i < count; i++) {
    const index = load<i32>(indices + (<usize>i << 2));
    if (index >= 0 && index < size) addRun(source, target + <usize>index * bytes, bytes);
    source += bytes;
  }
}

function addRun(source: usize, target: usize, bytes: usize): void {
  let f: usize = 0;
  for (; f + 16 <= bytes; f += 16) v128.store(target + f, f32x4.add(v128.load(target + f), v128.load(source + f)));
  for (; f < bytes; f += 4) store<f32>(target + f, load<f32>(target + f) + load<f32>(source + f));
}
