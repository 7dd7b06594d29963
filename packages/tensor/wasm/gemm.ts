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
import { ACCUMULATE, ADD_BIAS, RELU, RELU6, multiplyEdgeTile, multiplyTile } from "./micro-kernel";
import { ACTIVATION_SHIFT, activateRow } from "./activation";
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
const DEPTH_LIMIT: i32 = 320;
/** Floats of a block of B that stays in the second-level cache (256 KB) beside a block of A. */
const BLOCK_B_LIMIT: i32 = 65536;
/** Rows of a block: a packed block of A (120 KB) stays in the second-level cache. */
const ROW_LIMIT: i32 = 96;
/** Floating-point operations of a product a nanosecond, and nanoseconds to pack a float: estimates for sharing work. */
const OPERATIONS: f32 = 30;
const PACK_NANOSECONDS: f32 = 0.5;

/** Activations that are applied before a tile is stored; the others follow when a block of C is finished. */
const TILE_ACTIVATIONS: i32 = RELU | RELU6;

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
}

/** Time of the product that is set, on one thread. */
function nanoseconds(rows: i32, depth: i32): f32 {
  return (2 * <f32>rows * <f32>word(COLUMNS) * <f32>depth) / OPERATIONS;
}

/**
 * Cuts the product into tasks, blocks of rows times groups of columns, so that `useful` threads end together. It weighs
 * what a cut costs: A is packed once a group, and a panel of B that left the second-level cache is fetched once a block.
 * @returns the number of tasks; what they compute is the same for any cut.
 */
function plan(useful: i32): i32 {
  const rows = word(ROWS),
    panels = divideUp(word(COLUMNS), 8),
    depth = word(DEPTH_BLOCK);
  const all = min(ROW_LIMIT, (rows + 3) & ~3);
  setWord(ROW_BLOCK, all);
  setWord(GROUP_PANELS, panels);
  setWord(GROUPS, 1);
  let best: f32 = Infinity,
    tasks = divideUp(rows, all);
  if (useful == 1) return tasks;
  for (let divisor = 1; divisor <= 12; divisor++) {
    const block = (divideUp(all, divisor) + 3) & ~3;
    if (divisor > 1 && block < 8) break;
    for (let groups = 1; groups <= 16; groups++) {
      const groupPanels = divideUp(panels, groups);
      if (groups > 1 && groupPanels < 4) break;
      const columns = groupPanels << 3,
        count = divideUp(rows, block) * divideUp(panels, groupPanels);
      let cost: f32 = 1 + 12 / <f32>columns;
      if (depth * columns > BLOCK_B_LIMIT) cost += 3.2 / <f32>block;
      // threads end together when they get the same number of tasks, and the more tasks, the less one late thread costs
      cost *= (<f32>(divideUp(count, useful) * useful) / <f32>count) * (1 + (0.1 * <f32>useful) / <f32>count);
      if (cost < best) {
        best = cost;
        tasks = count;
        setWord(ROW_BLOCK, block);
        setWord(GROUP_PANELS, groupPanels);
        setWord(GROUPS, divideUp(panels, groupPanels));
      }
    }
  }
  return tasks;
}

/** Packs one block of A. */
function packBlockA(a: usize, row: i32, rows: i32, step: i32, depth: i32, output: usize, places: usize): void {
  const source = word(SOURCE);
  if (source == SOURCE_MATRIX) packMatrixA(a, address(STRIDE_A), word(TRANSPOSE_A), row, rows, step, depth, output);
  else if (source == SOURCE_PATCHES) packPatches(row, rows, step, depth, output, places);
  else if (source == SOURCE_SCATTERED) packScattered(row, rows, step, depth, output, places);
  else packPatchesTransposed(row, rows, step, depth, output);
}

/** Packs steps `[step, step + depth)` of B for panels `[first, last)`, one after the other. */
function packBlockB(b: usize, step: i32, depth: i32, first: i32, last: i32, output: usize): void {
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

/** Part `task % splits` of the rows of product `task / splits` of a batch; each thread packs B where no other does. */
function batchTask(task: i32, _: i32): void {
  const splits = argument(3),
    i = task / splits,
    split = task % splits,
    rows = word(ROWS),
    panels = divideUp(word(COLUMNS), 8);
  const a = address(A) + (<usize>i * addressArgument(0) << 2),
    c = address(C) + (<usize>i * addressArgument(2) << 2);
  let packed = address(PACKED_B);
  if (argument(1)) {
    packed += <usize>threadIndex() * addressArgument(4);
    packPanels(address(B) + (<usize>i * addressArgument(1) << 2), packed, 0, panels);
  }
  const part = (divideUp(rows, splits) + 3) & ~3,
    last = min(rows, (split + 1) * part);
  for (let row = split * part; row < last; row += ROW_LIMIT)
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
    // few products are cut by rows too; a part of fewer than 32 rows would pack B more than it uses it
    const splits = max(1, min(divideUp(useful * 4, count), word(ROWS) >> 5));
    setArgument(0, batchA);
    setArgument(1, batchB);
    setArgument(2, batchC);
    setArgument(3, useful == 1 ? 1 : splits);
    setArgument(4, packedBytes);
    forTasks(batchTask, count * (useful == 1 ? 1 : splits), cost);
    return;
  }
  for (let i = 0; i < count; i++) {
    packWhole(address(B) + ((<usize>i * <usize>batchB) << 2));
    multiplyWhole(address(A) + ((<usize>i * <usize>batchA) << 2), address(C) + ((<usize>i * <usize>batchC) << 2));
  }
}

/** Sums of a small C that are kept apart where the depth is long; depends on the sizes alone, so that bits do not. */
export function deepParts(rows: i32, columns: i32, depth: i32): i32 {
  const blocks = divideUp(depth, DEPTH_LIMIT);
  return rows * columns <= DEEP_LIMIT ? min(MOST_PARTS, blocks) : 1;
}

/** Floats of a C that is small enough to be summed in {@link MOST_PARTS} parts. */
const DEEP_LIMIT: i32 = 131072;
const MOST_PARTS: i32 = 16;

/** One of the sums: depth blocks `part`, `part + 1` … of its share, over all rows. */
function deepTask(part: i32, _: i32): void {
  const depth = word(DEPTH),
    block = word(DEPTH_BLOCK),
    rows = word(ROWS),
    columns = word(COLUMNS),
    panels = divideUp(columns, 8),
    parts = argument(1),
    share = divideUp(divideUp(depth, block), parts) * block,
    from = part * share,
    to = min(depth, from + share),
    strideC = <usize>columns << 2,
    c = addressArgument(0) + <usize>part * <usize>rows * strideC,
    packed = address(PACKED_B) + <usize>threadIndex() * ((<usize>panels * DEPTH_LIMIT) << 5),
    memory = scratch();
  if (from >= to) zero(c, <usize>rows * strideC);
  for (let step = from; step < to; step += block) {
    const steps = min(block, to - step);
    packBlockB(address(B), step, steps, 0, panels, packed);
    for (let row = 0; row < rows; row += ROW_LIMIT) {
      const count = min(ROW_LIMIT, rows - row);
      packBlockA(address(A), row, count, step, steps, memory + PACKED_A, memory + PLACES);
      const target = c + <usize>row * strideC;
      multiplyBlock(memory + PACKED_A, count, packed, steps, columns, target, strideC, step > from ? ACCUMULATE : 0, 0, memory);
    }
  }
}

function zero(target: usize, bytes: usize): void {
  memory.fill(target, 0, bytes);
}

/** Adds the sums in order: elements `[from, to)` of C. */
function addParts(from: i32, to: i32): void {
  const parts = argument(1),
    stride = addressArgument(2),
    end = <usize>to << 2;
  let f = <usize>from << 2;
  for (; f + 16 <= end; f += 16) {
    let p = addressArgument(0) + f,
      sum = v128.load(p);
    for (let part = 1; part < parts; part++) {
      p += stride;
      sum = f32x4.add(sum, v128.load(p));
    }
    v128.store(address(C) + f, sum);
  }
  for (; f < end; f += 4) {
    let p = addressArgument(0) + f,
      sum = load<f32>(p);
    for (let part = 1; part < parts; part++) {
      p += stride;
      sum += load<f32>(p);
    }
    store<f32>(address(C) + f, sum);
  }
}

/** Row blocks of one block of depth, `[step, step + steps)`. */
function deepRows(from: i32, to: i32): void {
  const step = argument(0),
    steps = argument(1),
    columns = word(COLUMNS),
    strideC = address(STRIDE_C),
    memory = scratch();
  for (let row = from; row < to; row += ROW_LIMIT) {
    const count = min(ROW_LIMIT, to - row);
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

function deepPack(first: i32, last: i32): void {
  const steps = argument(1);
  packBlockB(address(B), argument(0), steps, first, last, address(PACKED_B) + ((<usize>first * <usize>steps) << 5));
}

/**
 * The product, without bias, for a depth far above rows and columns, such as a filter gradient. B is packed a block of
 * depth at a time: `divideUp(columns, 8) · 320 · 32` bytes a thread.
 * @param parts Room for {@link deepParts} copies of C, where that is more than one.
 */
export function multiplyDeep(parts: usize): void {
  const depth = word(DEPTH),
    rows = word(ROWS),
    columns = word(COLUMNS),
    depthBlock = word(DEPTH_BLOCK),
    count = deepParts(rows, columns, depth);
  if (count > 1) {
    setArgument(0, parts);
    setArgument(1, count);
    setArgument(2, (<usize>rows * <usize>columns) << 2);
    forTasks(deepTask, count, nanoseconds(rows, depth));
    forRange(addParts, rows * columns, 64, 0.1 * <f32>count);
    return;
  }
  for (let step = 0; step < depth; step += depthBlock) {
    const steps = min(depthBlock, depth - step);
    setArgument(0, step);
    setArgument(1, steps);
    forRange(deepPack, divideUp(columns, 8), 1, 8 * <f32>steps * PACK_NANOSECONDS);
    forRange(deepRows, rows, 4, nanoseconds(1, steps));
  }
}
