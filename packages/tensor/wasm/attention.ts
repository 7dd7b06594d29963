// Attention without a matrix of scores in memory. A task takes a block of queries of one head and goes over the keys in
// blocks; when a larger score comes, what it has is rescaled.
// Milakov, Gimelshein (2018), https://arxiv.org/abs/1805.02867; Dao et al. (2022), https://arxiv.org/abs/2205.14135
import {
  CAUSAL,
  DIM,
  FACTOR_BYTES,
  KEY,
  KEYS,
  KEY_BLOCK,
  OPERATIONS,
  OWN,
  QUERIES,
  QUERY,
  QUERY_BLOCK,
  SCALE,
  SCORE_STRIDE,
  VALUE,
  VALUE_DIM,
  WORK,
  dropoutNanoseconds,
  dropoutRow,
  headOf,
  maskRow,
  multiplyPanels,
  multiplyRow,
  packScaled,
  scaleRow,
} from "./attention-shared";
import { divideUp, scratch } from "./layout";
import { exponential, horizontalSum, logarithm } from "./math";
import { ACCUMULATE, multiplyAdd } from "./micro-kernel";
import { packMatrixA, packMatrixB } from "./pack";
import { exponentialRow, maxRow } from "./reduce";
import { addressArgument, argument, floatArgument, forTasks, setArgument } from "./threads";

/** Below this many queries packing keys and values costs more than it gains. */
const FEW_QUERIES: i32 = 4;

const OUTPUT: i32 = OWN;
const LOG_SUMS: i32 = OWN + 1;

// @ts-ignore: decorator
@inline
function packedKeys(): usize {
  return <usize>((argument(KEYS) + 7) & ~7) * <usize>argument(DIM);
}

// @ts-ignore: decorator
@inline
function packedValues(): usize {
  return <usize>((argument(VALUE_DIM) + 7) & ~7) * <usize>argument(KEYS);
}

/** Bytes of working memory of {@link attention} for what is set. */
export function attentionBytes(batchHeads: i32): usize {
  if (argument(QUERIES) < FEW_QUERIES) return 0;
  return (<usize>batchHeads * (packedKeys() + packedValues())) << 2;
}

function packTask(head: i32, _: i32): void {
  const keys = argument(KEYS),
    dim = argument(DIM),
    valueDim = argument(VALUE_DIM);
  let output = addressArgument(WORK) + ((<usize>head * (packedKeys() + packedValues())) << 2);
  packMatrixB(headOf(addressArgument(KEY), head, keys, dim), <usize>dim << 2, 1, keys, 0, dim, 0, divideUp(keys, 8), output);
  output += packedKeys() << 2;
  const value = headOf(addressArgument(VALUE), head, keys, valueDim);
  packMatrixB(value, <usize>valueDim << 2, 0, valueDim, 0, keys, 0, divideUp(valueDim, 8), output);
}

// Working memory of a task: largest scores and sums of its rows, factors of dropout, scores, packed weights, packed queries,
// sums of values.
const SUMS: usize = 256;
const FACTORS: usize = 768;
const SCORES: usize = FACTORS + FACTOR_BYTES;
const WEIGHTS: usize = SCORES + 16384;
const QUERIES_PACKED: usize = WEIGHTS + 16384;

/** Turns the scores of one query into weights. @returns the factor of what was summed before */
function weighRow(work: usize, row: i32, head: i32, query: i32, first: i32, count: i32): f32 {
  const scores = work + SCORES + <usize>row * SCORE_STRIDE,
    place = work + (<usize>row << 2),
    sum = work + SUMS + (<usize>row << 3);
  maskRow(scores, head, query, first, count);
  const before = load<f32>(place),
    largest = max(before, maxRow(scores, count));
  if (largest == -Infinity) {
    clear(scores, <usize>count << 2);
    return 1;
  }
  store<f32>(place, largest);
  const factor: f32 = before == largest ? 1 : f32x4.extract_lane(exponential(f32x4.splat(before - largest)), 0);
  store<f64>(sum, load<f64>(sum) * <f64>factor + exponentialRow(scores, scores, count, largest, true));
  const dropout = dropoutRow(head, query, first, count, work + FACTORS);
  if (dropout) multiplyRow(scores, dropout, count);
  return factor;
}

// @ts-ignore: decorator
@inline
function clear(target: usize, bytes: usize): void {
  memory.fill(target, 0, bytes);
}

/** Ends the rows of a task: divides the sums of values and keeps ln Σ e^score; 0 for a query that sees nothing. */
function finishRows(work: usize, sums: usize, strideSums: usize, head: i32, first: i32, rows: i32): void {
  const valueDim = argument(VALUE_DIM),
    queries = argument(QUERIES);
  let output = headOf(addressArgument(OUTPUT), head, queries, valueDim) + ((<usize>first * <usize>valueDim) << 2),
    logSum = addressArgument(LOG_SUMS) + ((<usize>head * <usize>queries + <usize>first) << 2);
  for (let row = 0; row < rows; row++) {
    const largest = load<f32>(work + (<usize>row << 2)),
      sum = load<f64>(work + SUMS + (<usize>row << 3)),
      isBlind = largest == -Infinity;
    scaleRow(sums, output, valueDim, isBlind ? 0 : <f32>(1 / sum));
    const rest = f32x4.extract_lane(logarithm(f32x4.splat(<f32>sum)), 0);
    store<f32>(logSum, isBlind ? 0 : largest + rest);
    sums += strideSums;
    output += <usize>valueDim << 2;
    logSum += 4;
  }
}

function startRows(work: usize): void {
  for (let row = 0; row < QUERY_BLOCK; row++) {
    store<f32>(work + (<usize>row << 2), -Infinity);
    store<f64>(work + SUMS + (<usize>row << 3), 0);
  }
}

function blockTask(task: i32, _: i32): void {
  const queries = argument(QUERIES),
    blocks = divideUp(queries, QUERY_BLOCK),
    head = task / blocks,
    first = (task % blocks) * QUERY_BLOCK,
    rows = min(QUERY_BLOCK, queries - first),
    dim = argument(DIM),
    valueDim = argument(VALUE_DIM),
    keys = argument(KEYS),
    end = argument(CAUSAL) ? min(keys, first + rows) : keys,
    wide = (valueDim + 7) & ~7,
    strideSums = <usize>wide << 2,
    work = scratch(),
    packedQuery = work + QUERIES_PACKED,
    sums = packedQuery + ((<usize>QUERY_BLOCK * <usize>dim) << 2),
    key = addressArgument(WORK) + ((<usize>head * (packedKeys() + packedValues())) << 2),
    value = key + (packedKeys() << 2),
    query = headOf(addressArgument(QUERY), head, queries, dim) + ((<usize>first * <usize>dim) << 2);
  startRows(work);
  packScaled(query, rows, dim, floatArgument(SCALE), packedQuery);
  memory.fill(sums, 0, <usize>QUERY_BLOCK * strideSums);
  for (let start = 0; start < end; start += KEY_BLOCK) {
    const count = min(KEY_BLOCK, end - start),
      panel = key + ((<usize>start * <usize>dim) << 2);
    multiplyPanels(packedQuery, panel, work + SCORES, rows, count, dim, dim, SCORE_STRIDE, 0);
    for (let row = 0; row < rows; row++) {
      const factor = weighRow(work, row, head, first + row, start, count);
      const total = sums + <usize>row * strideSums;
      if (factor != 1) scaleRow(total, total, wide, factor);
    }
    packMatrixA(work + SCORES, SCORE_STRIDE, 0, 0, rows, 0, count, work + WEIGHTS);
    const columns = value + (<usize>start << 5);
    multiplyPanels(work + WEIGHTS, columns, sums, rows, wide, count, keys, strideSums, ACCUMULATE);
  }
  finishRows(work, sums, strideSums, head, first, rows);
}

/** Scores of one query with `count` keys in rows. */
function dotRows(query: usize, key: usize, scores: usize, count: i32, dim: i32, scale: f32): void {
  for (; count > 0; count--) {
    let sum = f32x4.splat(0),
      rest: f32 = 0,
      d = 0,
      q = query;
    for (; d + 4 <= dim; d += 4) {
      sum = multiplyAdd(sum, v128.load(q), v128.load(key));
      q += 16;
      key += 16;
    }
    for (; d < dim; d++) {
      rest += load<f32>(q) * load<f32>(key);
      q += 4;
      key += 4;
    }
    store<f32>(scores, (horizontalSum(sum) + rest) * scale);
    scores += 4;
  }
}

/** Adds `count` weighted rows of values. */
function addWeighted(weights: usize, value: usize, sums: usize, count: i32, dim: i32): void {
  const stride = <usize>dim << 2;
  let d = 0;
  for (; d + 16 <= dim; d += 16) {
    let s0 = v128.load(sums),
      s1 = v128.load(sums, 16),
      s2 = v128.load(sums, 32),
      s3 = v128.load(sums, 48),
      p = value;
    for (let j = 0; j < count; j++) {
      const weight = v128.load_splat<f32>(weights + (<usize>j << 2));
      s0 = multiplyAdd(s0, weight, v128.load(p));
      s1 = multiplyAdd(s1, weight, v128.load(p, 16));
      s2 = multiplyAdd(s2, weight, v128.load(p, 32));
      s3 = multiplyAdd(s3, weight, v128.load(p, 48));
      p += stride;
    }
    v128.store(sums, s0);
    v128.store(sums, s1, 16);
    v128.store(sums, s2, 32);
    v128.store(sums, s3, 48);
    sums += 64;
    value += 64;
  }
  for (; d < dim; d++) {
    let sum = load<f32>(sums),
      p = value;
    for (let j = 0; j < count; j++) {
      sum += load<f32>(weights + (<usize>j << 2)) * load<f32>(p);
      p += stride;
    }
    store<f32>(sums, sum);
    sums += 4;
    value += 4;
  }
}

/** A head with few queries, as in generating token by token: keys and values are read where they lie. */
function fewTask(head: i32, _: i32): void {
  const queries = argument(QUERIES),
    dim = argument(DIM),
    valueDim = argument(VALUE_DIM),
    keys = argument(KEYS),
    work = scratch(),
    sums = work + QUERIES_PACKED,
    stride = <usize>valueDim << 2,
    query = headOf(addressArgument(QUERY), head, queries, dim),
    key = headOf(addressArgument(KEY), head, keys, dim),
    value = headOf(addressArgument(VALUE), head, keys, valueDim);
  startRows(work);
  memory.fill(sums, 0, <usize>queries * stride);
  for (let row = 0; row < queries; row++) {
    const end = argument(CAUSAL) ? min(keys, row + 1) : keys,
      scores = work + SCORES + <usize>row * SCORE_STRIDE,
      total = sums + <usize>row * stride;
    for (let start = 0; start < end; start += KEY_BLOCK) {
      const count = min(KEY_BLOCK, end - start),
        from = <usize>start << 2;
      dotRows(query + ((<usize>row * <usize>dim) << 2), key + from * <usize>dim, scores, count, dim, floatArgument(SCALE));
      const factor = weighRow(work, row, head, row, start, count);
      if (factor != 1) scaleRow(total, total, valueDim, factor);
      addWeighted(scores, value + from * <usize>valueDim, total, count, valueDim);
    }
  }
  finishRows(work, sums, stride, head, 0, queries);
}

/**
 * `softmax(scale · query · keyᵀ + mask) · value` of what {@link setAttention} set, `[batch · heads, queries, valueDim]`.
 * @param logSums ln Σ e^score of each query, `[batch · heads, queries]`: what the gradient starts from.
 * @param work Room for {@link attentionBytes}.
 */
export function attention(batchHeads: i32, output: usize, logSums: usize, work: usize): void {
  const queries = argument(QUERIES),
    pairs = <f32>queries * <f32>argument(KEYS),
    sizes = <f32>argument(DIM) + <f32>argument(VALUE_DIM);
  let cost = <f32>batchHeads * pairs * (sizes * 2 / OPERATIONS + 2 + dropoutNanoseconds());
  if (argument(CAUSAL)) cost *= 0.5;
  setArgument(OUTPUT, output);
  setArgument(LOG_SUMS, logSums);
  setArgument(WORK, work);
  if (queries < FEW_QUERIES) {
    forTasks(fewTask, batchHeads, cost);
    return;
  }
  forTasks(packTask, batchHeads, <f32>batchHeads * <f32>argument(KEYS) * sizes * 0.5);
  forTasks(blockTask, batchHeads * divideUp(queries, QUERY_BLOCK), cost);
}
