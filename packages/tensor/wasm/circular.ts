// Sine, cosine and tangent of four floats at once, in doubles: a result near a zero or a pole keeps its digits.

const SINE: i32 = 0;
const COSINE: i32 = 1;

/** Adding and subtracting 1.5 · 2⁵² rounds a double to an integer, which then lies in the low bits. */
const ROUNDER: f64 = 6755399441055744;
const TWO_OVER_PI: f64 = 0.63661977236758134;
/** π/2 with its lower 20 bits zero, so that its products with the turns of an angle below {@link LARGE} are exact. */
const HALF_PI_HIGH: f64 = 1.5707963267341256;
/** π/2 − HALF_PI_HIGH. */
const HALF_PI_LOW: f64 = 6.0771005065061922e-11;
/** Angles above lose digits that way. */
const LARGE: f32 = 1048576;

// @ts-ignore: decorator
@inline
function horner(sum: v128, z: v128, coefficient: f64): v128 {
  return f64x2.add(f64x2.mul(sum, z), f64x2.splat(coefficient));
}

/** The function of two doubles `r + quarter · π/2` for |r| ≤ π/4, by the series of sine and cosine. */
// @ts-ignore: decorator
@inline
function ofReduced(kind: i32, r: v128, quarter: v128): v128 {
  const z = f64x2.mul(r, r),
    one = i64x2.splat(1);
  let s = horner(f64x2.splat(-1.0 / 39916800.0), z, 1.0 / 362880.0);
  s = horner(s, z, -1.0 / 5040.0);
  s = horner(s, z, 1.0 / 120.0);
  s = horner(s, z, -1.0 / 6.0);
  s = f64x2.add(f64x2.mul(f64x2.mul(s, z), r), r);
  s = v128.or(s, v128.and(r, i64x2.splat(<i64>0x8000000000000000))); // −0 stays −0
  let c = horner(f64x2.splat(1.0 / 479001600.0), z, -1.0 / 3628800.0);
  c = horner(c, z, 1.0 / 40320.0);
  c = horner(c, z, -1.0 / 720.0);
  c = horner(c, z, 1.0 / 24.0);
  c = horner(c, z, -0.5);
  c = horner(c, z, 1);
  const isOdd = i64x2.eq(v128.and(quarter, one), one);
  if (kind != SINE && kind != COSINE) {
    const quotient = f64x2.div(v128.bitselect(c, s, isOdd), v128.bitselect(s, c, isOdd));
    return v128.xor(quotient, i64x2.shl(v128.and(quarter, one), 63));
  }
  const turned = kind == SINE ? quarter : i64x2.add(quarter, one),
    value = kind == SINE ? v128.bitselect(c, s, isOdd) : v128.bitselect(s, c, isOdd);
  return v128.xor(value, i64x2.shl(v128.and(turned, i64x2.splat(2)), 62));
}

/** The function of two doubles of a size below {@link LARGE}. */
// @ts-ignore: decorator
@inline
function ofTwo(kind: i32, x: v128): v128 {
  const rounder = f64x2.splat(ROUNDER),
    shifted = f64x2.add(f64x2.mul(x, f64x2.splat(TWO_OVER_PI)), rounder),
    n = f64x2.sub(shifted, rounder);
  const near = f64x2.sub(x, f64x2.mul(n, f64x2.splat(HALF_PI_HIGH))),
    r = f64x2.sub(near, f64x2.mul(n, f64x2.splat(HALF_PI_LOW)));
  return f32x4.demote_f64x2_zero(ofReduced(kind, r, shifted));
}

/** 64 bits of 2/π, after 64 zeros. */
function bitsOfTwoOverPi(index: i32): u64 {
  switch (index) {
    case 0:
      return 0;
    case 1:
      return 0xa2f9836e4e441529;
    case 2:
      return 0xfc2757d1f534ddc0;
    case 3:
      return 0xdb6295993c439041;
    default:
      return 0xfe5163abdebbc561;
  }
}

/**
 * The function of one angle of any size: a float is m · 2^e, and of m · 2^e · 2/π only what is left modulo 4 counts, so
 * that 96 bits of 2/π do. Payne, Hanek (1983), https://doi.org/10.1145/1057600.1057602
 */
function ofLarge(kind: i32, x: f32): f32 {
  const bits = reinterpret<u32>(x),
    exponent = <i32>((bits >> 23) & 0xff);
  if (exponent == 0xff) return NaN;
  const mantissa = <u64>((bits & 0x7fffff) | 0x800000),
    start = exponent - 150 + 62,
    index = start >> 6,
    shift = <u64>(start & 63);
  let high = bitsOfTwoOverPi(index) << shift,
    low = bitsOfTwoOverPi(index + 1) << shift;
  if (shift) {
    high |= bitsOfTwoOverPi(index + 1) >> (64 - shift);
    low |= bitsOfTwoOverPi(index + 2) >> (64 - shift);
  }
  const turns = mantissa * high + ((mantissa * (low >> 32)) >> 32), // two bits before the point, 62 behind
    quarter = (turns + (<u64>1 << 61)) >> 62,
    rest = <f64>(<i64>(turns - (quarter << 62))) * (1.5707963267948966 / 4611686018427387904.0),
    isNegative = (bits >> 31) != 0;
  const result = ofReduced(
    kind,
    f64x2.splat(isNegative ? -rest : rest),
    i64x2.splat(isNegative ? -(<i64>quarter) : <i64>quarter),
  );
  return <f32>f64x2.extract_lane(result, 0);
}

function ofAny(kind: i32, x: v128, known: v128): v128 {
  const limit = LARGE;
  let result = known;
  const x0 = f32x4.extract_lane(x, 0),
    x1 = f32x4.extract_lane(x, 1),
    x2 = f32x4.extract_lane(x, 2),
    x3 = f32x4.extract_lane(x, 3);
  if (abs(x0) > limit) result = f32x4.replace_lane(result, 0, ofLarge(kind, x0));
  if (abs(x1) > limit) result = f32x4.replace_lane(result, 1, ofLarge(kind, x1));
  if (abs(x2) > limit) result = f32x4.replace_lane(result, 2, ofLarge(kind, x2));
  if (abs(x3) > limit) result = f32x4.replace_lane(result, 3, ofLarge(kind, x3));
  return result;
}

// @ts-ignore: decorator
@inline
function circular(kind: i32, x: v128): v128 {
  const low = ofTwo(kind, f64x2.promote_low_f32x4(x)),
    high = ofTwo(kind, f64x2.promote_low_f32x4(v128.shuffle<i32>(x, x, 2, 3, 2, 3))),
    result = v128.shuffle<i32>(low, high, 0, 1, 4, 5);
  if (v128.any_true(f32x4.gt(f32x4.abs(x), f32x4.splat(LARGE)))) return ofAny(kind, x, result);
  return result;
}

export function sine(x: v128): v128 {
  return circular(SINE, x);
}

export function cosine(x: v128): v128 {
  return circular(COSINE, x);
}

export function tangent(x: v128): v128 {
  return circular(2, x);
}
