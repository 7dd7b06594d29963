// The gradient of attention: weights are computed again from the saved ln Σ e^score, a block at a time.
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
  packScaled,
  scaleRow,
} from "./attention-shared";
import { divideUp, scratch } from "./layout";
import { exponential } from "./math";
import { ACCUMULATE } from "./micro-kernel";
import { packMatrixA, packMatrixB } from "./pack";
import { dotRow } from "./reduce";
import { addressArgument, argument, floatArgument, forTasks, setArgument, threadIndex } from "./threads";

const OUTPUT: i32 = OWN;
const LOG_SUMS: i32 = OWN + 1;
const D_OUTPUT: i32 = OWN + 2;
const D_LOG_SUMS: i32 = OWN + 3;
const D_QUERY: i32 = OWN + 4;
const D_KEY: i32 = OWN + 5;
const D_VALUE: i32 = OWN + 6;
// Offsets of the parts of a head's working memory.
const REGION: i32 = OWN + 8;
const QUERY_RIGHT: i32 = OWN + 9;
const D_LEFT: i32 = OWN + 10;
const D_RIGHT: i32 = OWN + 11;
const KEY_TURNED: i32 = OWN + 12;
const KEY_RIGHT: i32 = OWN + 13;
const VALUE_TURNED: i32 = OWN + 14;
const QUERY_SUMS: i32 = OWN + 15;
const SHIFTS: i32 = OWN + 16;

/** With fewer heads than this, blocks are tasks too, and the weights are computed twice. */
const FEW_HEADS: i32 = 8;

// Working memory of a task.
const SLOPES: usize = 16384;
const WEIGHTS_TURNED: usize = 32768;
const SLOPES_TURNED: usize = 49152;
const SLOPES_LEFT: usize = 65536;
const FACTORS: usize = 81920;
const KEY_SUMS: usize = FACTORS + FACTOR_BYTES;

// @ts-ignore: decorator
@inline
function wide(size: i32): i32 {
  return (size + 7) & ~7;
}

/** Sets where the parts of a head's working memory lie. @returns bytes of all of it */
function plan(): usize {
  const queries = argument(QUERIES),
    rows = (queries + 3) & ~3,
    keys = argument(KEYS),
    dim = argument(DIM),
    valueDim = argument(VALUE_DIM);
  let at = (<usize>rows * <usize>dim) << 2;
  setArgument(QUERY_RIGHT, at);
  at += (<usize>wide(dim) * <usize>queries) << 2;
  setArgument(D_LEFT, at);
  at += (<usize>rows * <usize>valueDim) << 2;
  setArgument(D_RIGHT, at);
  at += (<usize>wide(valueDim) * <usize>queries) << 2;
  setArgument(KEY_TURNED, at);
  at += (<usize>wide(keys) * <usize>dim) << 2;
  setArgument(KEY_RIGHT, at);
  at += (<usize>wide(dim) * <usize>keys) << 2;
  setArgument(VALUE_TURNED, at);
  at += (<usize>wide(keys) * <usize>valueDim) << 2;
  setArgument(QUERY_SUMS, at);
  at += (<usize>rows * <usize>wide(dim)) << 2;
  setArgument(SHIFTS, at);
  at += <usize>rows << 2;
  at = (at + 63) & ~63;
  setArgument(REGION, at);
  return at;
}

/** Bytes of working memory of {@link attentionGradient} for what {@link setAttention} set. */
export function attentionGradientBytes(batchHeads: i32, threads: i32): usize {
  return plan() * <usize>(batchHeads < FEW_HEADS ? batchHeads : threads);
}

// @ts-ignore: decorator
@inline
function region(head: i32, isOwn: bool): usize {
  return addressArgument(WORK) + <usize>(isOwn ? threadIndex() : head) * addressArgument(REGION);
}

/** Packs a head's tensors for the five products, and takes `Σ dOutput · output − dLogSum` of each query. */
function packHead(head: i32, home: usize): void {
  const queries = argument(QUERIES),
    keys = argument(KEYS),
    dim = argument(DIM),
    valueDim = argument(VALUE_DIM),
    strideDim = <usize>dim << 2,
    strideValue = <usize>valueDim << 2,
    query = headOf(addressArgument(QUERY), head, queries, dim),
    key = headOf(addressArgument(KEY), head, keys, dim),
    value = headOf(addressArgument(VALUE), head, keys, valueDim);
  let dOutput = headOf(addressArgument(D_OUTPUT), head, queries, valueDim),
    output = headOf(addressArgument(OUTPUT), head, queries, valueDim);
  packScaled(query, queries, dim, floatArgument(SCALE), home);
  packMatrixB(query, strideDim, 0, dim, 0, queries, 0, divideUp(dim, 8), home + addressArgument(QUERY_RIGHT));
  packMatrixA(dOutput, strideValue, 0, 0, queries, 0, valueDim, home + addressArgument(D_LEFT));
  packMatrixB(dOutput, strideValue, 0, valueDim, 0, queries, 0, divideUp(valueDim, 8), home + addressArgument(D_RIGHT));
  packMatrixB(key, strideDim, 1, keys, 0, dim, 0, divideUp(keys, 8), home + addressArgument(KEY_TURNED));
  packMatrixB(key, strideDim, 0, dim, 0, keys, 0, divideUp(dim, 8), home + addressArgument(KEY_RIGHT));
  packMatrixB(value, strideValue, 1, keys, 0, valueDim, 0, divideUp(keys, 8), home + addressArgument(VALUE_TURNED));
  memory.fill(
    home + addressArgument(QUERY_SUMS),
    0,
    (<usize>((queries + 3) & ~3) * <usize>wide(dim)) << 2,
  );
  const dLogSums = addressArgument(D_LOG_SUMS);
  let shift = home + addressArgument(SHIFTS);
  for (let row = 0; row < queries; row++) {
    let sum = <f32>dotRow(dOutput, output, valueDim);
    if (dLogSums) sum -= load<f32>(dLogSums + ((<usize>head * <usize>queries + <usize>row) << 2));
    store<f32>(shift, sum);
    dOutput += strideValue;
    output += strideValue;
    shift += 4;
  }
}

/** Weights `e^(score − logSum)`, dropped where asked, and slopes `weight · (dWeight − shift)` of one query, in place. */
function slopeRow(scores: usize, slopes: usize, dropout: usize, count: i32, logSum: f32, shift: f32): void {
  const logSums = f32x4.splat(logSum),
    shifts = f32x4.splat(shift);
  // rows of scores have room for whole vectors
  for (let j = 0; j < count; j += 4) {
    const weight = exponential(f32x4.sub(v128.load(scores), logSums));
    let dWeight = v128.load(slopes),
      kept = weight;
    if (dropout) {
      const factor = loadFactors(dropout, count - j);
      dWeight = f32x4.mul(dWeight, factor);
      kept = f32x4.mul(weight, factor);
      dropout += 16;
    }
    v128.store(scores, kept);
    v128.store(slopes, f32x4.mul(weight, f32x4.sub(dWeight, shifts)));
    scores += 16;
    slopes += 16;
  }
}

function loadFactors(p: usize, left: i32): v128 {
  if (left >= 4) return v128.load(p);
  let value = v128.load_zero<f32>(p);
  if (left > 1) value = f32x4.replace_lane(value, 1, load<f32>(p, 4));
  if (left > 2) value = f32x4.replace_lane(value, 2, load<f32>(p, 8));
  return value;
}

/** One block of queries with one of keys: adds to the gradient of the queries and to those of keys and values. */
function block(head: i32, home: usize, first: i32, start: i32, forQueries: bool, forKeys: bool): void {
  const queries = argument(QUERIES),
    keys = argument(KEYS),
    dim = argument(DIM),
    valueDim = argument(VALUE_DIM),
    rows = min(QUERY_BLOCK, queries - first),
    count = min(KEY_BLOCK, keys - start),
    work = scratch();
  if (argument(CAUSAL) && start >= first + rows) return;
  const left = home + ((<usize>first * <usize>dim) << 2),
    dLeft = home + addressArgument(D_LEFT) + ((<usize>first * <usize>valueDim) << 2),
    keyTurned = home + addressArgument(KEY_TURNED) + ((<usize>start * <usize>dim) << 2),
    valueTurned = home + addressArgument(VALUE_TURNED) + ((<usize>start * <usize>valueDim) << 2);
  multiplyPanels(left, keyTurned, work, rows, count, dim, dim, SCORE_STRIDE, 0);
  multiplyPanels(dLeft, valueTurned, work + SLOPES, rows, count, valueDim, valueDim, SCORE_STRIDE, 0);
  for (let row = 0; row < rows; row++) {
    const scores = work + <usize>row * SCORE_STRIDE,
      query = first + row,
      at = <usize>query << 2,
      logSum = load<f32>(addressArgument(LOG_SUMS) + ((<usize>head * <usize>queries) << 2) + at),
      shift = load<f32>(home + addressArgument(SHIFTS) + at);
    maskRow(scores, head, query, start, count);
    const dropout = dropoutRow(head, query, start, count, work + FACTORS);
    slopeRow(scores, scores + SLOPES, dropout, count, logSum, shift);
  }
  if (forKeys) {
    const dKey = work + KEY_SUMS,
      dValue = dKey + ((<usize>KEY_BLOCK * <usize>wide(dim)) << 2),
      queryRight = home + addressArgument(QUERY_RIGHT) + (<usize>first << 5),
      dRight = home + addressArgument(D_RIGHT) + (<usize>first << 5);
    packMatrixA(work, SCORE_STRIDE, 1, 0, count, 0, rows, work + WEIGHTS_TURNED);
    packMatrixA(work + SLOPES, SCORE_STRIDE, 1, 0, count, 0, rows, work + SLOPES_TURNED);
    multiplyPanels(
      work + WEIGHTS_TURNED,
      dRight,
      dValue,
      count,
      valueDim,
      rows,
      queries,
      <usize>wide(valueDim) << 2,
      ACCUMULATE,
    );
    multiplyPanels(work + SLOPES_TURNED, queryRight, dKey, count, dim, rows, queries, <usize>wide(dim) << 2, ACCUMULATE);
  }
  if (forQueries) {
    const sums = home + addressArgument(QUERY_SUMS) + ((<usize>first * <usize>wide(dim)) << 2),
      keyRight = home + addressArgument(KEY_RIGHT) + (<usize>start << 5);
    packMatrixA(work + SLOPES, SCORE_STRIDE, 0, 0, rows, 0, count, work + SLOPES_LEFT);
    multiplyPanels(work + SLOPES_LEFT, keyRight, sums, rows, dim, count, keys, <usize>wide(dim) << 2, ACCUMULATE);
  }
}

function storeRows(sums: usize, output: usize, rows: i32, dim: i32, factor: f32): void {
  for (let row = 0; row < rows; row++) {
    scaleRow(sums, output, dim, factor);
    sums += <usize>wide(dim) << 2;
    output += <usize>dim << 2;
  }
}

function startKeys(): void {
  memory.fill(
    scratch() + KEY_SUMS,
    0,
    (<usize>KEY_BLOCK * <usize>(wide(argument(DIM)) + wide(argument(VALUE_DIM)))) << 2,
  );
}

function storeKeys(head: i32, start: i32): void {
  const keys = argument(KEYS),
    dim = argument(DIM),
    valueDim = argument(VALUE_DIM),
    count = min(KEY_BLOCK, keys - start),
    dKey = scratch() + KEY_SUMS,
    dValue = dKey + ((<usize>KEY_BLOCK * <usize>wide(dim)) << 2);
  const keyPlace = headOf(addressArgument(D_KEY), head, keys, dim) + ((<usize>start * <usize>dim) << 2),
    valuePlace = headOf(addressArgument(D_VALUE), head, keys, valueDim) + ((<usize>start * <usize>valueDim) << 2);
  storeRows(dKey, keyPlace, count, dim, floatArgument(SCALE));
  storeRows(dValue, valuePlace, count, valueDim, 1);
}

function storeQueries(head: i32, home: usize, first: i32, rows: i32): void {
  const queries = argument(QUERIES),
    dim = argument(DIM),
    sums = home + addressArgument(QUERY_SUMS) + ((<usize>first * <usize>wide(dim)) << 2),
    output = headOf(addressArgument(D_QUERY), head, queries, dim) + ((<usize>first * <usize>dim) << 2);
  storeRows(sums, output, rows, dim, floatArgument(SCALE));
}

function headTask(head: i32, _: i32): void {
  const queries = argument(QUERIES),
    keys = argument(KEYS),
    home = region(head, true);
  packHead(head, home);
  for (let start = 0; start < keys; start += KEY_BLOCK) {
    startKeys();
    for (let first = 0; first < queries; first += QUERY_BLOCK) block(head, home, first, start, true, true);
    storeKeys(head, start);
  }
  storeQueries(head, home, 0, queries);
}

function packTask(head: i32, _: i32): void {
  packHead(head, region(head, false));
}

function queryTask(task: i32, _: i32): void {
  const queries = argument(QUERIES),
    blocks = divideUp(queries, QUERY_BLOCK),
    head = task / blocks,
    first = (task % blocks) * QUERY_BLOCK,
    home = region(head, false);
  for (let start = 0; start < argument(KEYS); start += KEY_BLOCK) block(head, home, first, start, true, false);
  storeQueries(head, home, first, min(QUERY_BLOCK, queries - first));
}

function keyTask(task: i32, _: i32): void {
  const queries = argument(QUERIES),
    blocks = divideUp(argument(KEYS), KEY_BLOCK),
    head = task / blocks,
    start = (task % blocks) * KEY_BLOCK,
    home = region(head, false);
  startKeys();
  for (let first = 0; first < queries; first += QUERY_BLOCK) block(head, home, first, start, false, true);
  storeKeys(head, start);
}

/**
 * Gradients of query, key and value of what {@link setAttention} set, from the result, its `logSums` and their gradients;
 * `dLogSums` may be absent. A sum goes over the blocks in order, whichever thread takes them.
 * @param work Room for {@link attentionGradientBytes}.
 */
export function attentionGradient(
  batchHeads: i32,
  output: usize,
  logSums: usize,
  dOutput: usize,
  dLogSums: usize,
  dQuery: usize,
  dKey: usize,
  dValue: usize,
  work: usize,
): void {
  const queries = argument(QUERIES),
    keys = argument(KEYS),
    dim = <f32>argument(DIM),
    valueDim = <f32>argument(VALUE_DIM);
  let pairs = <f32>batchHeads * <f32>queries * <f32>keys;
  if (argument(CAUSAL)) pairs *= 0.5;
  plan();
  setArgument(WORK, work);
  setArgument(OUTPUT, output);
  setArgument(LOG_SUMS, logSums);
  setArgument(D_OUTPUT, dOutput);
  setArgument(D_LOG_SUMS, dLogSums);
  setArgument(D_QUERY, dQuery);
  setArgument(D_KEY, dKey);
  setArgument(D_VALUE, dValue);
  const both = (dim + valueDim) * (2 / OPERATIONS) + 3 + dropoutNanoseconds();
  if (batchHeads >= FEW_HEADS) {
    forTasks(headTask, batchHeads, pairs * (both + (2 * dim + valueDim) * (2 / OPERATIONS)));
    return;
  }
  forTasks(packTask, batchHeads, <f32>batchHeads * <f32>(queries + keys) * (dim + valueDim));
  forTasks(queryTask, batchHeads * divideUp(queries, QUERY_BLOCK), pairs * (both + dim * (2 / OPERATIONS)));
  forTasks(keyTask, batchHeads * divideUp(keys, KEY_BLOCK), pairs * (both + (dim + valueDim) * (2 / OPERATIONS)));
}
