import {
  A,
  ACTIVATION,
  B,
  BIAS,
  C,
  COLUMNS,
  DEPTH,
  DEPTH_BLOCK,
  FILTER_CHANNELS,
  GROUPS,
  GROUP_PANELS,
  PACKED_B,
  ROWS,
  ROW_BLOCK,
  SOURCE,
  SOURCE_MATRIX,
  SOURCE_PATCHES,
  SOURCE_SCATTERED,
  STRIDE_A,
  STRIDE_B,
  STRIDE_C,
  TRANSPOSE_A,
  TRANSPOSE_B,
  address,
  divideUp,
  scratch,
  setWord,
  word,
} from "./layout";
import { BLOCK_B_LIMIT, ROW_LIMIT, nanoseconds, plan } from "./gemm-plan";
import { ACCUMULATE, ADD_BIAS, RELU, RELU6, multiplyEdgeTile, multiplyTile } from "./micro-kernel";
import { ACTIVATION_SHIFT, activateRow } from "./activation";
import { multiplyRows } from "./gemm-rows";
import { packMatrixA, packMatrixB } from "./pack";
import { packPatches, packPatchesTransposed, packScattered } from "./pack-convolution";
import {
  addressArgument,
  argument,
  forRange,
  forTasks,
  setArgument,
  threadIndex,
  usefulThreads,
} from "./threads";

/** Depth of a block: 4 rows of A and 8 columns of B of this depth stay in the first-level cache. */
export const DEPTH_LIMIT: i32 = 320;
/** Nanoseconds to pack a float: an estimate for sharing work. */
export const PACK_NANOSECONDS: f32 = 0.5;

/** Activations that are applied before a tile is stored; the others follow when a block of C is finished. */
const TILE_ACTIVATIONS: i32 = RELU | RELU6;

// The working memory of a thread: a 4×8 tile, four places of 16 bytes, then the packed block of A.
export const PLACES: usize = 128;
export const PACKED_A: usize = 256;

/** Sets a product `C[rows, columns] = act(A[rows, depth] · B[depth, columns] + bias)`; strides in floats. */
export function setProduct(
  a: usize,
  b: usize,
  c: usize,
  rows: i32,
  columns: i32,
  depth: i32,
  strideA: i32,
  strideB: i32,
  strideC: i32,
  transposeA: i32,
  transposeB: i32,
  bias: usize,
  activation: i32,
  packedB: usize,
  source: i32,
  filterChannels: i32,
): void {
  setWord(A, <i32>a);
  setWord(B, <i32>b);
  setWord(C, <i32>c);
  setWord(ROWS, rows);
  setWord(COLUMNS, columns);
  setWord(DEPTH, depth);
  setWord(STRIDE_A, strideA << 2);
  setWord(STRIDE_B, strideB << 2);
  setWord(STRIDE_C, strideC << 2);
  setWord(TRANSPOSE_A, transposeA);
  setWord(TRANSPOSE_B, transposeB);
  setWord(BIAS, <i32>bias);
  setWord(ACTIVATION, activation);
  setWord(PACKED_B, <i32>packedB);
  setWord(SOURCE, source);
  setWord(FILTER_CHANNELS, filterChannels);
  // equal blocks, so that the last one is not a sliver; a multiple of 4 suits the packing
  const blocks = divideUp(depth, DEPTH_LIMIT);
  setWord(DEPTH_BLOCK, (divideUp(depth, blocks) + 3) & ~3);
}

/** Packs one block of A. */
export function packBlockA(a: usize, row: i32, rows: i32, step: i32, depth: i32, output: usize, places: usize): void {
  const source = word(SOURCE);
  if (source == SOURCE_MATRIX) packMatrixA(a, address(STRIDE_A), word(TRANSPOSE_A), row, rows, step, depth, output);
  else if (source == SOURCE_PATCHES) packPatches(row, rows, step, depth, output, places);
  else if (source == SOURCE_SCATTERED) packScattered(row, rows, step, depth, output, places);
  else packPatchesTransposed(row, rows, step, depth, output);
}

/** Packs steps `[step, step + depth)` of B for panels `[first, last)`, one after the other. */
export function packBlockB(b: usize, step: i32, depth: i32, first: i32, last: i32, output: usize): void {
  const columns = word(COLUMNS),
    filterChannels = word(FILTER_CHANNELS);
  if (!filterChannels) {
    packMatrixB(b, address(STRIDE_B), word(TRANSPOSE_B), columns, step, depth, first, last, output);
    return;
  }
  // a filter [tap, column, channel] read as B[(tap, channel), column]
  for (let panel = first; panel < last; panel++) {
    let element = step;
    while (element < step + depth) {
      const tap = element / filterChannels,
        channel = element - tap * filterChannels,
        length = min(filterChannels - channel, step + depth - element);
      const taps = b + <usize>tap * <usize>columns * address(STRIDE_B);
      packMatrixB(taps, address(STRIDE_B), 1, columns, channel, length, panel, panel + 1, output);
      output += <usize>length << 5;
      element += length;
    }
  }
}

/** Panels `[first, last)` of B at `b`, every block of depth, to `output`. */
function packPanels(b: usize, output: usize, first: i32, last: i32): void {
  const depth = word(DEPTH),
    block = word(DEPTH_BLOCK),
    panels = divideUp(word(COLUMNS), 8);
  for (let step = 0; step < depth; step += block) {
    const steps = min(block, depth - step);
    const target = output + ((<usize>step * <usize>panels + <usize>first * <usize>steps) << 5);
    packBlockB(b, step, steps, first, last, target);
  }
}

function packPart(first: i32, last: i32): void {
  packPanels(addressArgument(0), address(PACKED_B), first, last);
}

function packWhole(b: usize): void {
  setArgument(0, b);
  forRange(packPart, divideUp(word(COLUMNS), 8), 1, 8 * <f32>word(DEPTH) * PACK_NANOSECONDS);
}

/** Packs all of B at the address set for it: `divideUp(columns, 8) · depth · 32` bytes. */
export function packProduct(): void {
  packWhole(address(B));
}

/** Four rows of C: one packed panel of A times every packed panel of B. */
function multiplyPanel(
  panel: usize,
  rows: i32,
  b: usize,
  depth: i32,
  columns: i32,
  c: usize,
  strideC: usize,
  mode: i32,
  bias: usize,
  temporary: usize,
): void {
  const panelBytes = <usize>depth << 5;
  let column = 0;
  if (rows == 4)
    for (; column + 8 <= columns; column += 8) {
      multiplyTile(depth, panel, b, c, strideC, mode, bias);
      b += panelBytes;
      c += 32;
      bias += 32;
    }
  for (; column < columns; column += 8) {
    multiplyEdgeTile(depth, panel, b, c, strideC, mode, bias, rows, min(8, columns - column), temporary);
    b += panelBytes;
    c += 32;
    bias += 32;
  }
}

/** Rows of C below one packed panel of B: every packed panel of A times it. */
function multiplyColumn(
  a: usize,
  rows: i32,
  panel: usize,
  depth: i32,
  width: i32,
  c: usize,
  strideC: usize,
  mode: i32,
  bias: usize,
  temporary: usize,
): void {
  const panelBytes = <usize>depth << 4;
  if (width == 8)
    while (rows >= 4) {
      multiplyTile(depth, a, panel, c, strideC, mode, bias);
      c += 4 * strideC;
      a += panelBytes;
      rows -= 4;
    }
  while (rows > 0) {
    multiplyEdgeTile(depth, a, panel, c, strideC, mode, bias, min(4, rows), width, temporary);
    c += 4 * strideC;
    a += panelBytes;
    rows -= 4;
  }
}

/**
 * A packed block of A times the packed panels of B. Where B stays in the second-level cache, C is written row by row:
 * rows a power of two apart would push each other out of the first-level cache otherwise.
 */
export function multiplyBlock(
  a: usize,
  rows: i32,
  b: usize,
  depth: i32,
  columns: i32,
  c: usize,
  strideC: usize,
  mode: i32,
  bias: usize,
  temporary: usize,
): void {
  if (depth * columns <= BLOCK_B_LIMIT) {
    for (let row = 0; row < rows; row += 4) {
      multiplyPanel(a, min(4, rows - row), b, depth, columns, c, strideC, mode, bias, temporary);
      a += <usize>depth << 4;
      c += 4 * strideC;
    }
    return;
  }
  for (let column = 0; column < columns; column += 8) {
    const width = min(8, columns - column);
    multiplyColumn(a, rows, b, depth, width, c, strideC, mode, bias, temporary);
    b += <usize>depth << 5;
    c += 32;
    bias += 32;
  }
}

/** Flags for the block that starts at `step`. */
// @ts-ignore: decorator
@inline
export function modeOf(step: i32, depth: i32): i32 {
  let mode = step > 0 ? ACCUMULATE : 0;
  if (step + depth >= word(DEPTH)) {
    mode |= word(ACTIVATION) & TILE_ACTIVATIONS;
    if (word(BIAS)) mode |= ADD_BIAS;
  }
  return mode;
}

/** Rows `[row, row + rows)` of the columns of panels `[first, last)` of C, from B packed as a whole. */
function multiplyPart(a: usize, b: usize, c: usize, row: i32, rows: i32, first: i32, last: i32): void {
  const depth = word(DEPTH),
    block = word(DEPTH_BLOCK),
    panels = divideUp(word(COLUMNS), 8),
    columns = min(word(COLUMNS), last << 3) - (first << 3),
    strideC = address(STRIDE_C),
    offset = <usize>first << 5,
    memory = scratch();
  for (let step = 0; step < depth; step += block) {
    const steps = min(block, depth - step);
    packBlockA(a, row, rows, step, steps, memory + PACKED_A, memory + PLACES);
    multiplyBlock(
      memory + PACKED_A,
      rows,
      b + ((<usize>step * <usize>panels + <usize>first * <usize>steps) << 5),
      steps,
      columns,
      c + <usize>row * strideC + offset,
      strideC,
      modeOf(step, steps),
      address(BIAS) + offset,
      memory,
    );
  }
  const activation = word(ACTIVATION) >> ACTIVATION_SHIFT;
  if (!activation) return;
  let target = c + <usize>row * strideC + offset;
  for (let i = 0; i < rows; i++) {
    activateRow(activation, target, columns);
    target += strideC;
  }
}

function multiplyTask(task: i32, _: i32): void {
  const groups = word(GROUPS),
    block = word(ROW_BLOCK),
    row = (task / groups) * block,
    first = (task % groups) * word(GROUP_PANELS),
    last = min(first + word(GROUP_PANELS), divideUp(word(COLUMNS), 8));
  const rows = min(block, word(ROWS) - row);
  multiplyPart(addressArgument(0), address(PACKED_B), addressArgument(1), row, rows, first, last);
}

function multiplyWhole(a: usize, c: usize): void {
  const cost = nanoseconds(word(ROWS), word(DEPTH));
  const tasks = plan(usefulThreads(cost));
  setArgument(0, a);
  setArgument(1, c);
  forTasks(multiplyTask, tasks, cost);
}

/** The product that was set, from B packed before. */
export function multiply(): void {
  multiplyWhole(address(A), address(C));
}

/** Whether `multiplyRows` can do the product that is set: whole tiles of one block of depth, and nothing to add or apply. */
function isPlainRows(): bool {
  if (word(SOURCE) != SOURCE_MATRIX || word(TRANSPOSE_A) || word(ACTIVATION) || word(BIAS)) return false;
  return word(DEPTH) <= DEPTH_LIMIT && ((word(ROWS) & 3) | (word(COLUMNS) & 7)) == 0;
}

/** A product of a batch, or from product `whole` on one of the parts of its rows; each thread packs B where no other does. */
function batchTask(task: i32, _: i32): void {
  const whole = argument(5);
  let i = task,
    split = 0,
    splits = 1;
  if (task >= whole) {
    splits = argument(3);
    i = whole + (task - whole) / splits;
    split = (task - whole) % splits;
  }
  const rows = word(ROWS),
    panels = divideUp(word(COLUMNS), 8);
  const a = address(A) + (<usize>i * addressArgument(0) << 2),
    c = address(C) + (<usize>i * addressArgument(2) << 2);
  let packed = address(PACKED_B);
  if (argument(1)) {
    packed += <usize>threadIndex() * addressArgument(4);
    packPanels(address(B) + (<usize>i * addressArgument(1) << 2), packed, 0, panels);
  }
  const part = (divideUp(rows, splits) + 3) & ~3,
    first = split * part,
    last = min(rows, first + part);
  // @ts-ignore: RELAXED is a compile-time constant of one of the two binaries
  if (isDefined(RELAXED) && argument(6)) {
    const strideA = address(STRIDE_A),
      strideC = address(STRIDE_C),
      source = a + <usize>first * strideA,
      target = c + <usize>first * strideC;
    multiplyRows(source, strideA, last - first, packed, word(DEPTH), word(COLUMNS), target, strideC);
    return;
  }
  for (let row = first; row < last; row += ROW_LIMIT)
    multiplyPart(a, packed, c, row, min(ROW_LIMIT, last - row), 0, panels);
}

/**
 * `count` products of one shape; strides between matrices in floats. `packedBytes` is the room a thread has for a packed
 * B at the address set for it, as many times as there are threads; 0 when there is room for one only.
 */
export function multiplyBatch(count: i32, batchA: i32, batchB: i32, batchC: i32, packedBytes: usize): void {
  const cost = <f32>count * nanoseconds(word(ROWS), word(DEPTH)),
    useful = usefulThreads(cost);
  if (!batchB) packWhole(address(B));
  if (packedBytes || !batchB) {
    // few products are cut by rows too, and the last of many, so that threads end together; a part of fewer than 32 rows
    // would pack B more than it uses it
    const most = useful == 1 ? 1 : max(1, word(ROWS) >> 5),
      few = divideUp(useful * 4, count),
      splits = min(few == 1 ? 4 : few, most),
      whole = few == 1 ? count - min(count, useful) : 0;
    setArgument(0, batchA);
    setArgument(1, batchB);
    setArgument(2, batchC);
    setArgument(3, splits);
    setArgument(4, packedBytes);
    setArgument(5, whole);
    setArgument(6, isPlainRows());
    forTasks(batchTask, whole + (count - whole) * splits, cost);
    return;
  }
  for (let i = 0; i < count; i++) {
    packWhole(address(B) + ((<usize>i * <usize>batchB) << 2));
    multiplyWhole(address(A) + ((<usize>i * <usize>batchA) << 2), address(C) + ((<usize>i * <usize>batchC) << 2));
  }
}
