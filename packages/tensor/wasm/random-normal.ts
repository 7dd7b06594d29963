// Normal random numbers by Box and Muller, the very numbers of src/random.ts: +, −, × and ÷ on doubles in its order.
import { BATCH, COUNTER, doubleArgument, draw, setStream, setWide } from "./philox";
import { addressArgument, forRange, setArgument } from "./threads";

// Places of the arguments, beside those of the stream.
const OUTPUT: i32 = 0;
const MEAN: i32 = 8;
const DEVIATION: i32 = 10;

const TWO_POW_32: f64 = 4294967296;
/** Adding and subtracting 1.5 · 2⁵² rounds a double to an integer, which then lies in the low bits. */
const ROUNDER: f64 = 6755399441055744;
// src/philox.ts
const LN2_HIGH: f64 = 0.6931471803691238;
const LN2_LOW: f64 = 1.9082149292705877e-10;
const ROOT_HALF: f64 = 0.7071067811865476;
const HALF_PI: f64 = 1.5707963267948966;

/** `coefficient + x · sum`. */
// @ts-ignore: decorator
@inline
function step(sum: v128, x: v128, coefficient: f64): v128 {
  return f64x2.add(f64x2.splat(coefficient), f64x2.mul(x, sum));
}

/** `portableLog` of two doubles in (0, 1]: the mantissa is in [√½, √2]. */
// @ts-ignore: decorator
@inline
function portableLogarithm(x: v128): v128 {
  const one = f64x2.splat(1);
  let m = v128.or(v128.and(x, i64x2.splat(0x000fffffffffffff)), i64x2.splat(0x3fe0000000000000)), // [0.5, 1)
    e = f64x2.sub(
      v128.or(i64x2.shr_u(x, 52), i64x2.splat(0x4330000000000000)),
      f64x2.splat(4503599627370496.0 + 1022.0),
    );
  const isLow = f64x2.lt(m, f64x2.splat(ROOT_HALF));
  m = f64x2.mul(m, v128.bitselect(f64x2.splat(2), one, isLow));
  e = f64x2.sub(e, v128.and(one, isLow));
  const s = f64x2.div(f64x2.sub(m, one), f64x2.add(m, one)),
    square = f64x2.mul(s, s);
  let series = f64x2.add(f64x2.splat(1.0 / 19.0), f64x2.div(square, f64x2.splat(21)));
  series = step(step(series, square, 1.0 / 17.0), square, 1.0 / 15.0);
  series = step(step(series, square, 1.0 / 13.0), square, 1.0 / 11.0);
  series = step(step(series, square, 1.0 / 9.0), square, 1.0 / 7.0);
  series = step(step(step(series, square, 1.0 / 5.0), square, 1.0 / 3.0), square, 1);
  const fraction = f64x2.mul(f64x2.mul(f64x2.splat(2), s), series);
  return f64x2.add(f64x2.mul(e, f64x2.splat(LN2_HIGH)), f64x2.add(fraction, f64x2.mul(e, f64x2.splat(LN2_LOW))));
}

/** Four normal numbers out of four words: two pairs. */
// @ts-ignore: decorator
@inline
function four(words: v128, mean: v128, deviation: v128): v128 {
  const first = f64x2.convert_low_i32x4_u(v128.shuffle<i32>(words, words, 0, 2, 0, 2)),
    second = f64x2.convert_low_i32x4_u(v128.shuffle<i32>(words, words, 1, 3, 1, 3));
  const unit = f64x2.div(f64x2.add(first, f64x2.splat(1)), f64x2.splat(TWO_POW_32)),
    radius = f64x2.sqrt(f64x2.mul(f64x2.splat(-2), portableLogarithm(unit)));
  const x = f64x2.mul(f64x2.splat(4), f64x2.div(second, f64x2.splat(TWO_POW_32))),
    quadrant = f64x2.floor(f64x2.add(x, f64x2.splat(0.5))),
    angle = f64x2.mul(f64x2.sub(x, quadrant), f64x2.splat(HALF_PI)),
    z = f64x2.neg(f64x2.mul(angle, angle));
  let cosine = f64x2.add(f64x2.splat(1.0 / 87178291200.0), f64x2.div(z, f64x2.splat(20922789888000)));
  cosine = step(cosine, z, 1.0 / 479001600.0);
  cosine = step(step(step(cosine, z, 1.0 / 3628800.0), z, 1.0 / 40320.0), z, 1.0 / 720.0);
  cosine = step(step(step(cosine, z, 1.0 / 24.0), z, 0.5), z, 1);
  let sine = f64x2.add(f64x2.splat(1.0 / 1307674368000.0), f64x2.div(z, f64x2.splat(355687428096000)));
  sine = step(sine, z, 1.0 / 6227020800.0);
  sine = step(step(step(sine, z, 1.0 / 39916800.0), z, 1.0 / 362880.0), z, 1.0 / 5040.0);
  sine = step(step(step(sine, z, 1.0 / 120.0), z, 1.0 / 6.0), z, 1);
  sine = f64x2.mul(sine, angle);
  // odd quadrants change places, the second and third turn the cosine's sign, the third and fourth the sine's
  const quarter = f64x2.add(quadrant, f64x2.splat(ROUNDER)),
    next = i64x2.add(quarter, i64x2.splat(1)),
    isOdd = i64x2.eq(v128.and(quarter, i64x2.splat(1)), i64x2.splat(1));
  const c = v128.xor(v128.bitselect(sine, cosine, isOdd), i64x2.shl(v128.and(next, i64x2.splat(2)), 62)),
    s = v128.xor(v128.bitselect(cosine, sine, isOdd), i64x2.shl(v128.and(quarter, i64x2.splat(2)), 62));
  const low = f64x2.add(mean, f64x2.mul(deviation, f64x2.mul(radius, c))),
    high = f64x2.add(mean, f64x2.mul(deviation, f64x2.mul(radius, s)));
  return v128.shuffle<i32>(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 4, 1, 5);
}

/** Element `from` is the first of a pair. What is drawn after the last element is not stored. */
function normalRun(words: usize, output: usize, count: i32): void {
  const mean = f64x2.splat(doubleArgument(MEAN)),
    deviation = f64x2.splat(doubleArgument(DEVIATION));
  for (; count >= 4; count -= 4) {
    v128.store(output, four(v128.load(words), mean, deviation));
    words += 16;
    output += 16;
  }
  if (count <= 0) return;
  const rest = four(v128.load(words), mean, deviation);
  if (count > 1) store<u64>(output, i64x2.extract_lane(rest, 0));
  else store<f32>(output, f32x4.extract_lane(rest, 0));
  if (count > 2) store<f32>(output, f32x4.extract_lane(rest, 2), 8);
}

function normalPart(from: i32, to: i32): void {
  for (; from < to; from += BATCH) {
    const count = min(BATCH, to - from),
      even = (count + 1) & ~1; // a pair takes both of its words
    normalRun(draw(from, even), addressArgument(OUTPUT) + (<usize>from << 2), count);
  }
}

/** Float32 numbers `mean + deviation · n`; elements `2i` and `2i + 1` out of words `counter + 2i` and the next. */
export function randomNormal(
  output: usize,
  count: i32,
  counterLow: i32,
  counterHigh: i32,
  streamLow: i32,
  streamHigh: i32,
  keyLow: i32,
  keyHigh: i32,
  mean: f64,
  deviation: f64,
): void {
  setArgument(OUTPUT, output);
  setStream(COUNTER, counterLow, counterHigh, streamLow, streamHigh, keyLow, keyHigh);
  setWide(MEAN, reinterpret<u64>(mean));
  setWide(DEVIATION, reinterpret<u64>(deviation));
  forRange(normalPart, count, 64, 12);
}
