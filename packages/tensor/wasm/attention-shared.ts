// What attention and its gradient share: the arguments, and what is done to a row of scores.
import { divideUp } from "./layout";
import { multiplyTile } from "./micro-kernel";
import { packMatrixA } from "./pack";
import { drawWords, setStream } from "./philox";
import { addressArgument, argument, floatArgument, setArgument, setFloatArgument } from "./threads";

// Arguments of a job; those of one direction start at OWN.
export const QUERY: i32 = 0;
export const KEY: i32 = 1;
export const VALUE: i32 = 2;
const MASK: i32 = 3;
/** Factors of the weights; 0 none, {@link DRAWN} where they are drawn. */
const DROPOUT: i32 = 4;
const HEADS: i32 = 5;
export const QUERIES: i32 = 6;
export const KEYS: i32 = 7;
export const DIM: i32 = 8;
export const VALUE_DIM: i32 = 9;
export const SCALE: i32 = 10;
export const CAUSAL: i32 = 11;
/** 0 none, 1 booleans, 2 floats that are added. */
const MASK_KIND: i32 = 12;
/** Strides of the mask in elements: batch, head, query, key. */
const MASK_STRIDES: i32 = 13;
export const WORK: i32 = 17;
export const OWN: i32 = 20;
/** Factor of the weights that dropout keeps, the stream it draws from, and below what a word keeps one. */
const KEPT: i32 = 54;
const THRESHOLD: i32 = 55;
const STREAM: i32 = 56;
const DRAWN: i32 = 1;
/** Bytes of working memory that the factors of a row take. */
export const FACTOR_BYTES: usize = 384;

/** Queries and keys of a block: the scores are 16 KiB, and tiles of this depth hide the cost of adding to sums. */
export const QUERY_BLOCK: i32 = 64;
export const KEY_BLOCK: i32 = 64;
/** Bytes of a row of scores. */
export const SCORE_STRIDE: usize = 256;
export const OPERATIONS: f32 = 30;

/** Sets the inputs of {@link attention} and of its gradient; mask and dropout at address 0 are absent. */
export function setAttention(
  query: usize,
  key: usize,
  value: usize,
  mask: usize,
  dropout: usize,
  heads: i32,
  queries: i32,
  keys: i32,
  dim: i32,
  valueDim: i32,
  scale: f64,
  causal: i32,
  maskKind: i32,
  strideBatch: i32,
  strideHead: i32,
  strideQuery: i32,
  strideKey: i32,
): void {
  setArgument(QUERY, query);
  setArgument(KEY, key);
  setArgument(VALUE, value);
  setArgument(MASK, mask);
  setArgument(DROPOUT, dropout);
  setArgument(HEADS, heads);
  setArgument(QUERIES, queries);
  setArgument(KEYS, keys);
  setArgument(DIM, dim);
  setArgument(VALUE_DIM, valueDim);
  setFloatArgument(SCALE, <f32>scale);
  setArgument(CAUSAL, causal);
  setArgument(MASK_KIND, maskKind);
  setArgument(MASK_STRIDES, strideBatch);
  setArgument(MASK_STRIDES + 1, strideHead);
  setArgument(MASK_STRIDES + 2, strideQuery);
  setArgument(MASK_STRIDES + 3, strideKey);
}

/** Address of the rows of one head of `[batch · heads, length, dim]`. */
// @ts-ignore: decorator
@inline
export function headOf(tensor: usize, head: i32, length: i32, dim: i32): usize {
  return tensor + ((<usize>head * <usize>length * <usize>dim) << 2);
}

/** `rows × columns` tiles `c = a · b` of packed panels; `stepsB` steps of each panel of B lie in a row. */
export function multiplyPanels(
  a: usize,
  b: usize,
  c: usize,
  rows: i32,
  columns: i32,
  depth: i32,
  stepsB: i32,
  strideC: usize,
  mode: i32,
): void {
  for (let row = 0; row < rows; row += 4) {
    let panel = b,
      target = c;
    for (let column = 0; column < columns; column += 8) {
      multiplyTile(depth, a, panel, target, strideC, mode, 0);
      panel += <usize>stepsB << 5;
      target += 32;
    }
    a += <usize>depth << 4;
    c += strideC << 2;
  }
}

/** Packs rows of a head for the left side, multiplied by `factor`. */
export function packScaled(source: usize, rows: i32, dim: i32, factor: f32, output: usize): void {
  packMatrixA(source, <usize>dim << 2, 0, 0, rows, 0, dim, output);
  const factors = f32x4.splat(factor),
    end = output + ((<usize>divideUp(rows, 4) * <usize>dim) << 4);
  for (; output < end; output += 16) v128.store(output, f32x4.mul(v128.load(output), factors));
}

/** Adds the mask to `count` scores of one query, from key `first` on; hidden ones become −∞. */
export function maskRow(scores: usize, head: i32, query: i32, first: i32, count: i32): void {
  const kind = argument(MASK_KIND);
  if (kind) {
    const heads = argument(HEADS),
      strideKey = argument(MASK_STRIDES + 3);
    const element =
      (head / heads) * argument(MASK_STRIDES) +
      (head % heads) * argument(MASK_STRIDES + 1) +
      query * argument(MASK_STRIDES + 2) +
      first * strideKey;
    if (kind == 1) hideRow(scores, addressArgument(MASK) + <usize>element, strideKey, count);
    else addRow(scores, addressArgument(MASK) + (<usize>element << 2), strideKey, count);
  }
  if (argument(CAUSAL))
    for (let j = max(0, query - first + 1); j < count; j++) store<f32>(scores + (<usize>j << 2), -Infinity);
}

function hideRow(scores: usize, mask: usize, stride: i32, count: i32): void {
  let j = 0;
  if (stride == 1)
    for (; j + 4 <= count; j += 4) {
      const bytes = v128.load32_zero(mask),
        hidden = i32x4.eq(i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(bytes)), i32x4.splat(0));
      v128.store(scores, v128.bitselect(f32x4.splat(-Infinity), v128.load(scores), hidden));
      scores += 16;
      mask += 4;
    }
  for (; j < count; j++) {
    if (!load<u8>(mask)) store<f32>(scores, -Infinity);
    scores += 4;
    mask += stride;
  }
}

function addRow(scores: usize, mask: usize, stride: i32, count: i32): void {
  let j = 0;
  if (stride == 1)
    for (; j + 4 <= count; j += 4) {
      v128.store(scores, f32x4.add(v128.load(scores), v128.load(mask)));
      scores += 16;
      mask += 16;
    }
  for (; j < count; j++) {
    store<f32>(scores, load<f32>(scores) + load<f32>(mask));
    scores += 4;
    mask += <usize>stride << 2;
  }
}

/**
 * Has dropout draw its factors where they are used, instead of reading a matrix of them: the weight of query `i` and key
 * `j` of a head takes the word that element `[head, i, j]` of {@link bernoulli}'s mask would.
 */
export function setAttentionDropout(
  counterLow: i32,
  counterHigh: i32,
  streamLow: i32,
  streamHigh: i32,
  keyLow: i32,
  keyHigh: i32,
  threshold: i32,
  factor: f64,
): void {
  setArgument(DROPOUT, DRAWN);
  setStream(STREAM, counterLow, counterHigh, streamLow, streamHigh, keyLow, keyHigh);
  setArgument(THRESHOLD, threshold);
  setFloatArgument(KEPT, <f32>factor);
}

/** Nanoseconds that dropout adds to a weight. */
export function dropoutNanoseconds(): f32 {
  return addressArgument(DROPOUT) == DRAWN ? 2.5 : 0;
}

/**
 * Address of the dropout factors of one query from key `first` on; 0 without dropout.
 * @param place {@link FACTOR_BYTES} of working memory.
 */
export function dropoutRow(head: i32, query: i32, first: i32, count: i32, place: usize): usize {
  const factors = addressArgument(DROPOUT);
  if (!factors) return 0;
  const element =
    (<u64>head * <u64>argument(QUERIES) + <u64>query) * <u64>argument(KEYS) + <u64>first;
  if (factors != DRAWN) return factors + (<usize>element << 2);
  const words = drawWords(STREAM, element, count, place),
    limit = i32x4.splat(argument(THRESHOLD)),
    kept = f32x4.splat(floatArgument(KEPT)),
    end = words + (<usize>count << 2);
  for (let p = words; p < end; p += 16)
    v128.store(p, v128.and(i32x4.lt_s(i32x4.shr_u(v128.load(p), 8), limit), kept));
  return words;
}

export function multiplyRow(x: usize, factors: usize, count: i32): void {
  for (; count >= 4; count -= 4) {
    v128.store(x, f32x4.mul(v128.load(x), v128.load(factors)));
    x += 16;
    factors += 16;
  }
  for (; count > 0; count--) {
    store<f32>(x, load<f32>(x) * load<f32>(factors));
    x += 4;
    factors += 4;
  }
}

/** `output = x · factor`. */
export function scaleRow(x: usize, output: usize, count: i32, factor: f32): void {
  const factors = f32x4.splat(factor);
  for (; count >= 4; count -= 4) {
    v128.store(output, f32x4.mul(v128.load(x), factors));
    x += 16;
    output += 16;
  }
  for (; count > 0; count--) {
    store<f32>(output, load<f32>(x) * factor);
    x += 4;
    output += 4;
  }
}
