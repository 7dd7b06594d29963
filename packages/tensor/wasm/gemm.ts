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
import { ACCUMULATE, ADD_BIAS, multiplyEdgeTile, multiplyTile } from "./micro-kernel";
import { packMatrixA, packMatrixB } from "./pack";
import { packPatches, packPatchesTransposed, packScattered } from "./pack-convolution";

/** Depth of a block: 4 rows of A and 8 columns of B of this depth stay in the first-level cache. */
const DEPTH_LIMIT: i32 = 320;
/** Floats of a block of B that stays in the second-level cache (256 KB) beside a block of A. */
const BLOCK_B_LIMIT: i32 = 65536;
/** Rows of a block: a packed block of A (120 KB) stays in the second-level cache. */
const ROW_LIMIT: i32 = 96;

// The working memory of a thread: a 4×8 tile, four places of 16 bytes, then the packed block of A.
const PLACES: usize = 128;
const PACKED_A: usize = 256;

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
  setWord(ROW_BLOCK, min(ROW_LIMIT, (rows + 3) & ~3));
}

/** Packs one block of A. */
function packBlockA(a: usize, row: i32, rows: i32, step: i32, depth: i32, output: usize, places: usize): void {
  const source = word(SOURCE);
  if (source == SOURCE_MATRIX) packMatrixA(a, address(STRIDE_A), word(TRANSPOSE_A), row, rows, step, depth, output);
  else if (source == SOURCE_PATCHES) packPatches(row, rows, step, depth, output, places);
  else if (source == SOURCE_SCATTERED) packScattered(row, rows, step, depth, output, places);
  else packPatchesTransposed(row, rows, step, depth, output);
}

/** Packs steps `[step, step + depth)` of B for every panel. */
function packBlockB(b: usize, step: i32, depth: i32, output: usize): void {
  const columns = word(COLUMNS),
    panels = divideUp(columns, 8),
    filterChannels = word(FILTER_CHANNELS);
  if (!filterChannels) {
    packMatrixB(b, address(STRIDE_B), word(TRANSPOSE_B), columns, step, depth, 0, panels, output);
    return;
  }
  // a filter [tap, column, channel] read as B[(tap, channel), column]
  for (let panel = 0; panel < panels; panel++) {
    let element = step;
    while (element < step + depth) {
      const tap = element / filterChannels,
        channel = element - tap * filterChannels,
        length = min(filterChannels - channel, step + depth - element);
      const taps = b + ((<usize>tap * <usize>columns * <usize>filterChannels) << 2);
      packMatrixB(taps, <usize>filterChannels << 2, 1, columns, channel, length, panel, panel + 1, output);
      output += <usize>length << 5;
      element += length;
    }
  }
}

/** Packs all of B at the address set for it: `divideUp(columns, 8) · depth · 32` bytes. */
export function packProduct(): void {
  packWhole(address(B));
}

function packWhole(b: usize): void {
  const depth = word(DEPTH),
    block = word(DEPTH_BLOCK),
    panels = divideUp(word(COLUMNS), 8);
  for (let step = 0; step < depth; step += block)
    packBlockB(b, step, min(block, depth - step), address(PACKED_B) + (<usize>(step * panels) << 5));
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
function multiplyBlock(
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
function modeOf(step: i32, depth: i32): i32 {
  let mode = step > 0 ? ACCUMULATE : 0;
  if (step + depth >= word(DEPTH)) {
    mode |= word(ACTIVATION);
    if (word(BIAS)) mode |= ADD_BIAS;
  }
  return mode;
}

/** Rows `[row, row + rows)` of C from B packed as a whole. Row blocks are independent: a thread may take any. */
function multiplyRows(a: usize, c: usize, row: i32, rows: i32): void {
  const depth = word(DEPTH),
    block = word(DEPTH_BLOCK),
    columns = word(COLUMNS),
    panels = divideUp(columns, 8),
    strideC = address(STRIDE_C),
    memory = scratch();
  for (let step = 0; step < depth; step += block) {
    const steps = min(block, depth - step);
    packBlockA(a, row, rows, step, steps, memory + PACKED_A, memory + PLACES);
    const packed = address(PACKED_B) + (<usize>(step * panels) << 5);
    multiplyBlock(
      memory + PACKED_A,
      rows,
      packed,
      steps,
      columns,
      c + <usize>row * strideC,
      strideC,
      modeOf(step, steps),
      address(BIAS),
      memory,
    );
  }
}

function multiplyWhole(a: usize, c: usize): void {
  const rows = word(ROWS),
    block = word(ROW_BLOCK);
  for (let row = 0; row < rows; row += block) multiplyRows(a, c, row, min(block, rows - row));
}

/** The product that was set, from B packed before. */
export function multiply(): void {
  multiplyWhole(address(A), address(C));
}

/** `count` products of one shape; strides between matrices in floats. Each B is packed in turn. */
export function multiplyBatch(count: i32, batchA: i32, batchB: i32, batchC: i32): void {
  let a = address(A),
    b = address(B),
    c = address(C);
  for (let i = 0; i < count; i++) {
    if (i == 0 || batchB) packWhole(b);
    multiplyWhole(a, c);
    a += <usize>batchA << 2;
    b += <usize>batchB << 2;
    c += <usize>batchC << 2;
  }
}

/**
 * The product for a depth far above rows and columns, such as a filter gradient: blocks of depth are outermost, so that
 * B is packed a block at a time: `divideUp(columns, 8) · 320 · 32` bytes.
 */
export function multiplyDeep(): void {
  const depth = word(DEPTH),
    rows = word(ROWS),
    columns = word(COLUMNS),
    depthBlock = word(DEPTH_BLOCK),
    rowBlock = word(ROW_BLOCK),
    strideC = address(STRIDE_C),
    memory = scratch();
  for (let step = 0; step < depth; step += depthBlock) {
    const steps = min(depthBlock, depth - step);
    packBlockB(address(B), step, steps, address(PACKED_B));
    for (let row = 0; row < rows; row += rowBlock) {
      const count = min(rowBlock, rows - row);
      packBlockA(address(A), row, count, step, steps, memory + PACKED_A, memory + PLACES);
      multiplyBlock(
        memory + PACKED_A,
        count,
        address(PACKED_B),
        steps,
        columns,
        address(C) + <usize>row * strideC,
        strideC,
        modeOf(step, steps),
        address(BIAS),
        memory,
      );
    }
  }
}
