// Products of a depth far above rows and columns, such as the gradient of a filter.
import {
  DEPTH_LIMIT,
  PACKED_A,
  PACK_NANOSECONDS,
  PLACES,
  modeOf,
  multiplyBlock,
  packBlockA,
  packBlockB,
} from "./gemm";
import { ROW_LIMIT, nanoseconds } from "./gemm-plan";
import { A, B, BIAS, C, COLUMNS, DEPTH, DEPTH_BLOCK, PACKED_B, ROWS, STRIDE_C, address, divideUp, scratch, word } from "./layout";
import { ACCUMULATE } from "./micro-kernel";
import { addressArgument, argument, forRange, forTasks, setArgument, threadIndex } from "./threads";

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
