// Sums over all sequences of tags of a linear chain, and their gradient. An item of a batch is one task: its steps follow
// each other, and all tags of a step are computed four at a time. Rows of tags are padded to four with −∞.
import { divideUp } from "./layout";
import { exponential, horizontalSum, logarithm } from "./math";
import { loadPart, storePart } from "./partial";
import { addressArgument, argument, forTasks, setArgument, threadIndex } from "./threads";

/** Nanoseconds that a pair of tags of a step takes on one thread, in one direction. */
const PAIR_NANOSECONDS: f32 = 1.5;
/** Stands in for a largest value of −∞, so that no difference is NaN. */
const LOWEST: f32 = -3.0e38;

// @ts-ignore: decorator
@inline
function rowBytes(tags: i32): usize {
  return <usize>divideUp(tags, 4) << 4;
}

/** Bytes that all threads read: transitions, transposed transitions, first and last scores. */
// @ts-ignore: decorator
@inline
function sharedBytes(tags: i32): usize {
  return 2 * (<usize>tags + 1) * rowBytes(tags);
}

/** Bytes of working memory for `threads` threads; the sums alone keep no `steps` (0). */
export function linearChainBytes(steps: i32, tags: i32, threads: i32): usize {
  return sharedBytes(tags) + <usize>threads * threadBytes(steps, tags);
}

/** Of one thread: forward rows and what was subtracted of each, four more rows and the sums of the pairs. */
function threadBytes(steps: i32, tags: i32): usize {
  return (<usize>steps + 4 + <usize>tags) * rowBytes(tags) + (<usize>divideUp(steps, 4) << 4);
}

function fillRow(p: usize, bytes: usize, value: f32): void {
  const end = p + bytes;
  for (; p < end; p += 16) v128.store(p, f32x4.splat(value));
}

/** Pads what all threads read. */
function prepare(transitions: usize, start: usize, end: usize, tags: i32, shared: usize): void {
  const bytes = rowBytes(tags),
    transposed = shared + <usize>tags * bytes,
    ends = transposed + <usize>tags * bytes;
  fillRow(shared, sharedBytes(tags), -Infinity);
  for (let from = 0; from < tags; from++)
    for (let to = 0; to < tags; to++) {
      const value = load<f32>(transitions);
      store<f32>(shared + <usize>from * bytes + (<usize>to << 2), value);
      store<f32>(transposed + <usize>to * bytes + (<usize>from << 2), value);
      transitions += 4;
    }
  memory.copy(ends, start, <usize>tags << 2);
  memory.copy(ends + bytes, end, <usize>tags << 2);
}

/** `ln Σᵣ e^(vectorᵣ + columnᵣ)` for four columns. */
function logColumns(vector: usize, column: usize, tags: i32, bytes: usize): v128 {
  const end = vector + (<usize>tags << 2);
  let largest = f32x4.splat(LOWEST),
    matrix = column;
  for (let p = vector; p < end; p += 4) {
    largest = f32x4.pmax(f32x4.add(v128.load_splat<f32>(p), v128.load(matrix)), largest);
    matrix += bytes;
  }
  let sum = f32x4.splat(0);
  for (let p = vector; p < end; p += 4) {
    sum = f32x4.add(sum, exponential(f32x4.sub(f32x4.add(v128.load_splat<f32>(p), v128.load(column)), largest)));
    column += bytes;
  }
  return f32x4.add(largest, logarithm(sum));
}

/** A row of tags through the transitions: `ln Σᵣ e^(vectorᵣ + matrix[r][c])` for every tag c. */
function logProduct(vector: usize, matrix: usize, output: usize, tags: i32, bytes: usize): void {
  const end = matrix + bytes;
  for (; matrix < end; matrix += 16) {
    v128.store(output, logColumns(vector, matrix, tags, bytes));
    output += 16;
  }
}

function addRows(a: usize, b: usize, output: usize, bytes: usize): void {
  const end = a + bytes;
  for (; a < end; a += 16) {
    v128.store(output, f32x4.add(v128.load(a), v128.load(b)));
    b += 16;
    output += 16;
  }
}

/** Adds the scores of a step, which have no padding, to a row that has. */
function addScores(row: usize, scores: usize, output: usize, tags: i32): void {
  for (; tags > 0; tags -= 4) {
    v128.store(output, f32x4.add(v128.load(row), loadPart(scores, tags)));
    row += 16;
    scores += 16;
    output += 16;
  }
}

/** The largest of a row, NaN if one of them is. */
function largestOfRow(row: usize, bytes: usize): f32 {
  let largest = f32x4.splat(-Infinity);
  const end = row + bytes;
  for (; row < end; row += 16) largest = f32x4.max(largest, v128.load(row));
  return max(
    max(f32x4.extract_lane(largest, 0), f32x4.extract_lane(largest, 1)),
    max(f32x4.extract_lane(largest, 2), f32x4.extract_lane(largest, 3)),
  );
}

/** Subtracts a row's largest value from it, if that is finite. @returns what was subtracted */
function shiftRow(row: usize, bytes: usize): f32 {
  const largest = largestOfRow(row, bytes);
  if (!(largest > -Infinity && largest < Infinity)) return 0;
  const shift = f32x4.splat(largest),
    end = row + bytes;
  for (; row < end; row += 16) v128.store(row, f32x4.sub(v128.load(row), shift));
  return largest;
}

/** `ln Σ eˣ` of a row. */
function logSumRow(row: usize, bytes: usize): f32 {
  const largest = max(largestOfRow(row, bytes), LOWEST),
    shift = f32x4.splat(largest),
    end = row + bytes;
  let sum = f32x4.splat(0);
  for (; row < end; row += 16) sum = f32x4.add(sum, exponential(f32x4.sub(v128.load(row), shift)));
  return largest + f32x4.extract_lane(logarithm(f32x4.splat(horizontalSum(sum))), 0);
}

// Arguments of both jobs; those of the gradient follow.
const EMISSIONS: i32 = 0;
const LENGTHS: i32 = 1;
const STEPS: i32 = 2;
const TAGS: i32 = 3;
const SHARED: i32 = 4;
const TOTALS: i32 = 5;
const THREAD_BYTES: i32 = 6;
const DY: i32 = 7;
const D_EMISSIONS: i32 = 8;
const D_TRANSITIONS: i32 = 9;
const D_ENDS: i32 = 10;

/** One step forward. @param before the row before it, 0 at the first step */
function forwardStep(before: usize, scores: usize, output: usize, tags: i32, shared: usize): f32 {
  const bytes = rowBytes(tags);
  if (before) {
    logProduct(before, shared, output, tags, bytes);
    addScores(output, scores, output, tags);
  } else addScores(shared + 2 * <usize>tags * bytes, scores, output, tags);
  return shiftRow(output, bytes);
}

function sumItem(item: i32, _: i32): void {
  const tags = argument(TAGS),
    steps = load<i32>(addressArgument(LENGTHS) + (<usize>item << 2)),
    bytes = rowBytes(tags),
    shared = addressArgument(SHARED),
    ends = shared + (2 * <usize>tags + 1) * bytes,
    stepBytes = <usize>tags << 2;
  const rows = shared + sharedBytes(tags) + <usize>threadIndex() * addressArgument(THREAD_BYTES);
  let scores = addressArgument(EMISSIONS) + <usize>item * <usize>argument(STEPS) * stepBytes,
    before: usize = 0,
    total: f64 = 0;
  for (let step = 0; step < steps; step++) {
    const row = rows + <usize>(step & 1) * bytes;
    total += <f64>forwardStep(before, scores, row, tags, shared);
    before = row;
    scores += stepBytes;
  }
  if (before) {
    addRows(before, ends, before, bytes);
    total += <f64>logSumRow(before, bytes);
  }
  store<f32>(addressArgument(TOTALS) + (<usize>item << 2), <f32>total);
}

/**
 * `ln Σ e^score` over all sequences of tags, for each item of `emissions` `[batch, steps, tags]`; `transitions`
 * `[tags, tags]`, `start` and `end` `[tags]`, `lengths` and `totals` `[batch]`.
 * @param work {@link linearChainBytes} of 0 steps
 */
export function linearChain(
  emissions: usize,
  transitions: usize,
  start: usize,
  end: usize,
  lengths: usize,
  totals: usize,
  work: usize,
  batch: i32,
  steps: i32,
  tags: i32,
): void {
  prepare(transitions, start, end, tags, work);
  setArgument(EMISSIONS, emissions);
  setArgument(LENGTHS, lengths);
  setArgument(STEPS, steps);
  setArgument(TAGS, tags);
  setArgument(SHARED, work);
  setArgument(TOTALS, totals);
  setArgument(THREAD_BYTES, threadBytes(0, tags));
  forTasks(sumItem, batch, <f32>batch * <f32>steps * <f32>tags * <f32>tags * PAIR_NANOSECONDS);
}

/** `e^(row − shift) · factor` as scores without padding. */
function storeShares(row: usize, output: usize, tags: i32, shift: f32, factor: f32): void {
  for (; tags > 0; tags -= 4) {
    const share = exponential(f32x4.sub(v128.load(row), f32x4.splat(shift)));
    storePart(output, f32x4.mul(share, f32x4.splat(factor)), tags);
    row += 16;
    output += 16;
  }
}

/** Adds `e^(before[i] + transitions[i][j] + after[j] − shift)` to `sums` for each pair of tags. */
function addPairs(before: usize, after: usize, sums: usize, tags: i32, shared: usize, shift: f32): void {
  const bytes = rowBytes(tags);
  for (let from = 0; from < tags; from++) {
    const left = f32x4.splat(load<f32>(before + (<usize>from << 2)) - shift);
    for (let column: usize = 0; column < bytes; column += 16) {
      const score = f32x4.add(f32x4.add(left, v128.load(after + column)), v128.load(shared + column));
      v128.store(sums + column, f32x4.add(v128.load(sums + column), exponential(score)));
    }
    shared += bytes;
    sums += bytes;
  }
}

function gradientItem(item: i32, _: i32): void {
  const tags = argument(TAGS),
    all = argument(STEPS),
    steps = load<i32>(addressArgument(LENGTHS) + (<usize>item << 2)),
    factor = load<f32>(addressArgument(DY) + (<usize>item << 2)),
    bytes = rowBytes(tags),
    stepBytes = <usize>tags << 2,
    shared = addressArgument(SHARED),
    transposed = shared + <usize>tags * bytes,
    ends = shared + (2 * <usize>tags + 1) * bytes,
    place = <usize>item * <usize>all * stepBytes,
    scores = addressArgument(EMISSIONS) + place,
    gradients = addressArgument(D_EMISSIONS) + place,
    dTransitions = addressArgument(D_TRANSITIONS) + <usize>item * <usize>tags * stepBytes,
    dEnds = addressArgument(D_ENDS) + <usize>item * stepBytes;
  const rows = shared + sharedBytes(tags) + <usize>threadIndex() * addressArgument(THREAD_BYTES),
    shifts = rows + <usize>all * bytes,
    after = shifts + (<usize>divideUp(all, 4) << 4),
    weighted = after + bytes,
    sums = weighted + bytes;
  memory.fill(gradients, 0, <usize>all * stepBytes);
  memory.fill(dTransitions, 0, <usize>tags * stepBytes);
  memory.fill(dEnds, 0, stepBytes);
  if (steps == 0) return;
  fillRow(sums, <usize>tags * bytes, 0);
  for (let step = 0; step < steps; step++) {
    const row = rows + <usize>step * bytes,
      shift = forwardStep(step > 0 ? row - bytes : 0, scores + <usize>step * stepBytes, row, tags, shared);
    store<f32>(shifts + (<usize>step << 2), shift);
  }
  memory.copy(after, ends, bytes);
  for (let step = steps - 1; step >= 0; step--) {
    const row = rows + <usize>step * bytes;
    addRows(row, after, weighted, bytes);
    const total = logSumRow(weighted, bytes);
    // no sequence is possible: nothing changes that
    if (total == -Infinity) return;
    storeShares(weighted, gradients + <usize>step * stepBytes, tags, total, factor);
    if (step == steps - 1) storeShares(weighted, dEnds, tags, total, factor);
    if (step == 0) break;
    fillRow(weighted, bytes, -Infinity);
    addScores(after, scores + <usize>step * stepBytes, weighted, tags);
    addPairs(row - bytes, weighted, sums, tags, shared, total + load<f32>(shifts + (<usize>step << 2)));
    logProduct(weighted, transposed, after, tags, bytes);
    shiftRow(after, bytes);
  }
  for (let from = 0; from < tags; from++) {
    const sum = sums + <usize>from * bytes,
      output = dTransitions + <usize>from * stepBytes;
    for (let left = tags; left > 0; left -= 4) {
      const offset = <usize>(tags - left) << 2;
      storePart(output + offset, f32x4.mul(v128.load(sum + offset), f32x4.splat(factor)), left);
    }
  }
}

/**
 * Gradients of {@link linearChain}, times `dy` `[batch]`: `dEmissions` `[batch, steps, tags]` (the probability of each tag
 * at each step, 0 behind an item's end), `dTransitions` `[batch, tags, tags]` and `dEnds` `[batch, tags]` of each item.
 * @param work {@link linearChainBytes} of `steps` steps
 */
export function linearChainGradient(
  dy: usize,
  emissions: usize,
  transitions: usize,
  start: usize,
  end: usize,
  lengths: usize,
  dEmissions: usize,
  dTransitions: usize,
  dEnds: usize,
  work: usize,
  batch: i32,
  steps: i32,
  tags: i32,
): void {
  prepare(transitions, start, end, tags, work);
  setArgument(EMISSIONS, emissions);
  setArgument(LENGTHS, lengths);
  setArgument(STEPS, steps);
  setArgument(TAGS, tags);
  setArgument(SHARED, work);
  setArgument(THREAD_BYTES, threadBytes(steps, tags));
  setArgument(DY, dy);
  setArgument(D_EMISSIONS, dEmissions);
  setArgument(D_TRANSITIONS, dTransitions);
  setArgument(D_ENDS, dEnds);
  forTasks(gradientItem, batch, 3 * <f32>batch * <f32>steps * <f32>tags * <f32>tags * PAIR_NANOSECONDS);
}
