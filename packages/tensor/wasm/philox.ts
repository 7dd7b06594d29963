// Random numbers by Philox 4x32-10, the very words of src/philox.ts: four blocks of a stream at once, one a lane.
import { scratch } from "./layout";
import { addressArgument, argument, forRange, setArgument } from "./threads";

const MULTIPLIER_0: i32 = 0xd2511f53;
const MULTIPLIER_1: i32 = 0xcd9e8d57;
const WEYL_0: i32 = 0x9e3779b9;
const WEYL_1: i32 = 0xbb67ae85;
/** Words of four blocks. */
const GROUP: i32 = 16;
/** Elements that a thread draws words for at a time: with those of a group that it skips they fill 4 KiB. */
export const BATCH: i32 = 1008;

// Places of the arguments. A stream takes six, from COUNTER on or from where another job has room for it.
const OUTPUT: i32 = 0;
export const COUNTER: i32 = 1;
const STREAM: i32 = 2;
const KEY: i32 = 4;
const THRESHOLD: i32 = 7;
const MIN: i32 = 8;
const RANGE: i32 = 10;
const MAX: i32 = 12;

export function setWide(index: i32, value: u64): void {
  setArgument(index, <usize>value);
  setArgument(index + 1, <usize>(value >> 32));
}

// @ts-ignore: decorator
@inline
function wideArgument(index: i32): u64 {
  return <u64>addressArgument(index) | (<u64>addressArgument(index + 1) << 32);
}

// @ts-ignore: decorator
@inline
export function doubleArgument(index: i32): f64 {
  return reinterpret<f64>(wideArgument(index));
}

/** The 16 words of `block` and the three that follow it, of the stream whose arguments start at `stream`. */
function drawGroup(place: usize, block: u64, stream: i32): void {
  const first = i32x4.splat(<i32>block),
    multiplier0 = i32x4.splat(MULTIPLIER_0),
    multiplier1 = i32x4.splat(MULTIPLIER_1),
    weyl0 = i32x4.splat(WEYL_0),
    weyl1 = i32x4.splat(WEYL_1);
  let c0 = i32x4.add(first, i32x4(0, 1, 2, 3)),
    // a lane that went over 2^32 carries: the comparison is −1 there
    c1 = i32x4.sub(i32x4.splat(<i32>(block >> 32)), i32x4.lt_u(c0, first)),
    c2 = i32x4.splat(argument(stream + STREAM)),
    c3 = i32x4.splat(argument(stream + STREAM + 1)),
    k0 = i32x4.splat(argument(stream + KEY)),
    k1 = i32x4.splat(argument(stream + KEY + 1));
  for (let round = 0; round < 10; round++) {
    const a = i64x2.extmul_low_i32x4_u(c0, multiplier0),
      b = i64x2.extmul_high_i32x4_u(c0, multiplier0),
      c = i64x2.extmul_low_i32x4_u(c2, multiplier1),
      d = i64x2.extmul_high_i32x4_u(c2, multiplier1);
    // lower halves of the products are the even words, upper halves the odd ones
    c0 = v128.xor(v128.xor(v128.shuffle<i32>(c, d, 1, 3, 5, 7), c1), k0);
    c1 = v128.shuffle<i32>(c, d, 0, 2, 4, 6);
    c2 = v128.xor(v128.xor(v128.shuffle<i32>(a, b, 1, 3, 5, 7), c3), k1);
    c3 = v128.shuffle<i32>(a, b, 0, 2, 4, 6);
    k0 = i32x4.add(k0, weyl0);
    k1 = i32x4.add(k1, weyl1);
  }
  const evenLow = v128.shuffle<i32>(c0, c1, 0, 4, 1, 5),
    evenHigh = v128.shuffle<i32>(c0, c1, 2, 6, 3, 7),
    oddLow = v128.shuffle<i32>(c2, c3, 0, 4, 1, 5),
    oddHigh = v128.shuffle<i32>(c2, c3, 2, 6, 3, 7);
  v128.store(place, v128.shuffle<i64>(evenLow, oddLow, 0, 2));
  v128.store(place, v128.shuffle<i64>(evenLow, oddLow, 1, 3), 16);
  v128.store(place, v128.shuffle<i64>(evenHigh, oddHigh, 0, 2), 32);
  v128.store(place, v128.shuffle<i64>(evenHigh, oddHigh, 1, 3), 48);
}

/**
 * Draws words `[from, from + count)` after the start of the stream whose arguments stand at `stream`.
 * @param place Room for the words, and for those of a group that lie before and behind them: 76 bytes more.
 * @returns the address of the first
 */
export function drawWords(stream: i32, from: u64, count: i32, place: usize): usize {
  const position = wideArgument(stream) + from,
    skipped = <i32>(position & 3);
  let block = position >> 2,
    target = place;
  for (let drawn = -skipped; drawn < count; drawn += GROUP) {
    drawGroup(target, block, stream);
    target += GROUP << 2;
    block += 4;
  }
  return place + (<usize>skipped << 2);
}

/** The words of elements `[from, from + count)`, at most {@link BATCH}, in working memory. */
// @ts-ignore: decorator
@inline
export function draw(from: i32, count: i32): usize {
  return drawWords(COUNTER, <u64>from, count, scratch());
}

/** 1 where the upper 24 bits of a word lie below the threshold. */
function maskFloats(words: usize, output: usize, count: i32): void {
  const threshold = argument(THRESHOLD),
    limit = i32x4.splat(threshold),
    one = f32x4.splat(1);
  let i = 0;
  for (; i + 4 <= count; i += 4) {
    const offset = <usize>i << 2;
    const value = i32x4.shr_u(v128.load(words + offset), 8);
    v128.store(output + offset, v128.and(i32x4.lt_s(value, limit), one));
  }
  for (; i < count; i++) {
    const offset = <usize>i << 2;
    store<f32>(output + offset, <i32>(load<u32>(words + offset) >> 8) < threshold ? 1 : 0);
  }
}

function maskBytes(words: usize, output: usize, count: i32): void {
  const threshold = argument(THRESHOLD),
    limit = i32x4.splat(threshold),
    one = i8x16.splat(1);
  let i = 0;
  for (; i + 16 <= count; i += 16) {
    const p = words + (<usize>i << 2);
    const low = i16x8.narrow_i32x4_s(
      i32x4.lt_s(i32x4.shr_u(v128.load(p), 8), limit),
      i32x4.lt_s(i32x4.shr_u(v128.load(p, 16), 8), limit),
    );
    const high = i16x8.narrow_i32x4_s(
      i32x4.lt_s(i32x4.shr_u(v128.load(p, 32), 8), limit),
      i32x4.lt_s(i32x4.shr_u(v128.load(p, 48), 8), limit),
    );
    v128.store(output + <usize>i, v128.and(i8x16.narrow_i16x8_s(low, high), one));
  }
  for (; i < count; i++)
    store<u8>(output + <usize>i, <i32>(load<u32>(words + (<usize>i << 2)) >> 8) < threshold ? 1 : 0);
}

function floatsPart(from: i32, to: i32): void {
  for (; from < to; from += BATCH) {
    const count = min(BATCH, to - from);
    maskFloats(draw(from, count), addressArgument(OUTPUT) + (<usize>from << 2), count);
  }
}

function bytesPart(from: i32, to: i32): void {
  for (; from < to; from += BATCH) {
    const count = min(BATCH, to - from);
    maskBytes(draw(from, count), addressArgument(OUTPUT) + <usize>from, count);
  }
}

/**
 * Ones and zeros, element `i` out of word `counter + i` of a stream; float32, or truth values of one byte.
 * @param threshold Of the 2^24 values of a word's upper bits, those below it give 1.
 */
export function bernoulli(
  output: usize,
  count: i32,
  counterLow: i32,
  counterHigh: i32,
  streamLow: i32,
  streamHigh: i32,
  keyLow: i32,
  keyHigh: i32,
  threshold: i32,
  isBool: i32,
): void {
  setArgument(OUTPUT, output);
  setStream(COUNTER, counterLow, counterHigh, streamLow, streamHigh, keyLow, keyHigh);
  setArgument(THRESHOLD, threshold);
  if (isBool) forRange(bytesPart, count, 64, 2.5);
  else forRange(floatsPart, count, 64, 2.5);
}

/** Sets the six arguments of a stream. */
export function setStream(
  place: i32,
  counterLow: i32,
  counterHigh: i32,
  streamLow: i32,
  streamHigh: i32,
  keyLow: i32,
  keyHigh: i32,
): void {
  setArgument(place, counterLow);
  setArgument(place + 1, counterHigh);
  setArgument(place + STREAM, streamLow);
  setArgument(place + STREAM + 1, streamHigh);
  setArgument(place + KEY, keyLow);
  setArgument(place + KEY + 1, keyHigh);
}

/** Two doubles `minimum + range·u`. */
// @ts-ignore: decorator
@inline
function scaled(words: v128, minimum: v128, range: v128): v128 {
  const unit = f64x2.mul(f64x2.convert_low_i32x4_u(i32x4.shr_u(words, 8)), f64x2.splat(1.0 / 16777216.0));
  return f64x2.add(minimum, f64x2.mul(range, unit));
}

function uniformFloats(words: usize, output: usize, count: i32): void {
  const minimum = f64x2.splat(doubleArgument(MIN)),
    range = f64x2.splat(doubleArgument(RANGE)),
    limit = f64x2.splat(doubleArgument(MAX)),
    smallest = f32x4.splat(<f32>doubleArgument(MIN));
  // rounding to float32 can reach the limit, which is excluded; what is drawn after the last element is not stored
  for (let i = 0; i < count; i += 2) {
    const offset = <usize>i << 2;
    const value = f32x4.demote_f64x2_zero(scaled(v128.load_zero<u64>(words + offset), minimum, range));
    const reached = f64x2.ge(f64x2.promote_low_f32x4(value), limit);
    const result = v128.bitselect(smallest, value, v128.shuffle<i32>(reached, reached, 0, 2, 0, 2));
    if (i + 1 < count) store<u64>(output + offset, i64x2.extract_lane(result, 0));
    else store<f32>(output + offset, f32x4.extract_lane(result, 0));
  }
}

function uniformPart(from: i32, to: i32): void {
  for (; from < to; from += BATCH) {
    const count = min(BATCH, to - from);
    uniformFloats(draw(from, count), addressArgument(OUTPUT) + (<usize>from << 2), count);
  }
}

/** Float32 numbers in [minimum, maximum), element `i` out of word `counter + i` of a stream. */
export function randomUniform(
  output: usize,
  count: i32,
  counterLow: i32,
  counterHigh: i32,
  streamLow: i32,
  streamHigh: i32,
  keyLow: i32,
  keyHigh: i32,
  minimum: f64,
  maximum: f64,
): void {
  setArgument(OUTPUT, output);
  setStream(COUNTER, counterLow, counterHigh, streamLow, streamHigh, keyLow, keyHigh);
  setWide(MIN, reinterpret<u64>(minimum));
  setWide(RANGE, reinterpret<u64>(maximum - minimum));
  setWide(MAX, reinterpret<u64>(maximum));
  forRange(uniformPart, count, 64, 3);
}

// Places of the arguments of random integers, beside those of the stream.
const LOWEST: i32 = 7;
const SPAN: i32 = 8;
const LIMIT: i32 = 10;
const REJECTED: i32 = 12;

/** Two integers, as doubles: `lowest` and what a word leaves when it is divided by `span`. */
// @ts-ignore: decorator
@inline
function remainders(words: v128, span: v128, lowest: v128): v128 {
  // a quotient of two integers below 2³² never rounds up to a whole number
  const quotient = f64x2.floor(f64x2.div(words, span));
  return f64x2.add(lowest, f64x2.sub(words, f64x2.mul(quotient, span)));
}

/** @returns whether a word was at or above the limit. */
function integersRun(words: usize, output: usize, count: i32): bool {
  const span = f64x2.splat(doubleArgument(SPAN)),
    limit = f64x2.splat(doubleArgument(LIMIT)),
    lowest = f64x2.splat(<f64>argument(LOWEST));
  let rejected = f64x2.splat(0);
  for (let i = 0; i < count; i += 2) {
    const offset = <usize>i << 2,
      bits = v128.load_zero<u64>(words + offset),
      drawn = f64x2.convert_low_i32x4_u(i + 1 < count ? bits : v128.and(bits, i64x2.splat(0xffffffff)));
    rejected = v128.or(rejected, f64x2.ge(drawn, limit));
    const result = i32x4.trunc_sat_f64x2_s_zero(remainders(drawn, span, lowest));
    if (i + 1 < count) store<u64>(output + offset, i64x2.extract_lane(result, 0));
    else store<i32>(output + offset, i32x4.extract_lane(result, 0));
  }
  return v128.any_true(rejected);
}

function integersPart(from: i32, to: i32): void {
  for (; from < to; from += BATCH) {
    const count = min(BATCH, to - from);
    // every thread that writes here writes the same
    if (integersRun(draw(from, count), addressArgument(OUTPUT) + (<usize>from << 2), count)) setArgument(REJECTED, 1);
  }
}

/** Takes the words below the limit. @returns how many they were */
function acceptedRun(words: usize, output: usize, count: i32): i32 {
  const span = <u64>doubleArgument(SPAN),
    limit = <u64>doubleArgument(LIMIT),
    lowest = argument(LOWEST);
  let taken = 0;
  for (let i = 0; i < count; i++) {
    const drawn = <u64>load<u32>(words + (<usize>i << 2));
    if (drawn >= limit) continue;
    store<i32>(output + (<usize>taken << 2), lowest + <i32>(drawn % span));
    taken++;
  }
  return taken;
}

/**
 * `count` integers `lowest + (word mod span)`. A word at or above `limit`, the largest multiple of `span` up to 2³², would
 * favour some of them and is passed over: then one thread does it all again.
 * @returns how many words were drawn
 */
export function randomIntegers(
  output: usize,
  count: i32,
  counterLow: i32,
  counterHigh: i32,
  streamLow: i32,
  streamHigh: i32,
  keyLow: i32,
  keyHigh: i32,
  lowest: i32,
  span: f64,
  limit: f64,
): f64 {
  setArgument(OUTPUT, output);
  setStream(COUNTER, counterLow, counterHigh, streamLow, streamHigh, keyLow, keyHigh);
  setArgument(LOWEST, lowest);
  setWide(SPAN, reinterpret<u64>(span));
  setWide(LIMIT, reinterpret<u64>(limit));
  setArgument(REJECTED, 0);
  forRange(integersPart, count, 64, 4);
  if (!argument(REJECTED)) return <f64>count;
  let drawn: u64 = 0;
  for (let done = 0; done < count; ) {
    const wanted = min(BATCH, count - done);
    done += acceptedRun(drawWords(COUNTER, drawn, wanted, scratch()), output + (<usize>done << 2), wanted);
    drawn += wanted;
  }
  return <f64>drawn;
}
