// Powers, quotients rounded down and remainders of floats, by the rules of C and of Python.

/** Adding and subtracting 1.5 · 2⁵² rounds a double to an integer, which then lies in the low bits. */
const ROUNDER: f64 = 6755399441055744;
/** 2⁵²: what a small integer in the low bits of a double is added to. */
const WHOLE: i64 = 0x4330000000000000;
const MANTISSA: i64 = 0x000fffffffffffff;
const ONE: i64 = 0x3ff0000000000000;

/** `constant + slope · x`. */
// @ts-ignore: decorator
@inline
function pair(constant: f64, slope: f64, x: v128): v128 {
  return f64x2.add(f64x2.splat(constant), f64x2.mul(f64x2.splat(slope), x));
}

/** log₂ of two doubles of at least 0 that were floats: `e + 2/ln 2 · artanh((m − 1) / (m + 1))` of `m · 2^e`. */
// @ts-ignore: decorator
@inline
function binaryLogarithm(x: v128): v128 {
  const one = f64x2.splat(1),
    whole = i64x2.splat(WHOLE);
  let m = v128.or(v128.and(x, i64x2.splat(MANTISSA)), i64x2.splat(ONE)), // [1, 2)
    e = f64x2.sub(v128.or(i64x2.shr_u(x, 52), whole), f64x2.splat(4503599627370496.0 + 1023.0));
  const isHigh = f64x2.gt(m, f64x2.splat(1.4142135623730951));
  m = f64x2.mul(m, v128.bitselect(f64x2.splat(0.5), one, isHigh));
  e = f64x2.add(e, v128.and(one, isHigh));
  const s = f64x2.div(f64x2.sub(m, one), f64x2.add(m, one)),
    z = f64x2.mul(s, s);
  // summed in pairs: a row of eight steps would wait for each
  const z2 = f64x2.mul(z, z),
    low = f64x2.add(pair(1, 1.0 / 3.0, z), f64x2.mul(z2, pair(1.0 / 5.0, 1.0 / 7.0, z))),
    high = f64x2.add(pair(1.0 / 9.0, 1.0 / 11.0, z), f64x2.mul(z2, pair(1.0 / 13.0, 1.0 / 15.0, z))),
    p = f64x2.add(low, f64x2.mul(f64x2.mul(z2, z2), high));
  const value = f64x2.add(e, f64x2.mul(p, f64x2.mul(s, f64x2.splat(2.8853900817779268))));
  const finite = v128.bitselect(value, x, f64x2.lt(x, f64x2.splat(Infinity))); // infinity and NaN give themselves
  return v128.bitselect(f64x2.splat(-Infinity), finite, f64x2.eq(x, f64x2.splat(0)));
}

/** 2^y of two doubles: the polynomial is the series of e^(f ln 2). */
// @ts-ignore: decorator
@inline
function binaryExponential(y: v128): v128 {
  const rounder = f64x2.splat(ROUNDER);
  // beyond these exponents a float is 0 or infinite
  const clamped = f64x2.pmin(f64x2.pmax(y, f64x2.splat(-300)), f64x2.splat(300));
  const shifted = f64x2.add(clamped, rounder),
    f = f64x2.sub(clamped, f64x2.sub(shifted, rounder));
  const f2 = f64x2.mul(f, f),
    f4 = f64x2.mul(f2, f2),
    low = f64x2.add(pair(1, 6.9314718055994531e-1, f), f64x2.mul(f2, pair(2.4022650695910072e-1, 5.550410866482158e-2, f))),
    middle = f64x2.add(
      pair(9.6181291076284772e-3, 1.3333558146428443e-3, f),
      f64x2.mul(f2, pair(1.5403530393381609e-4, 1.5252733804059841e-5, f)),
    ),
    high = pair(1.3215486790144307e-6, 1.0178086009239699e-7, f),
    p = f64x2.add(low, f64x2.mul(f4, f64x2.add(middle, f64x2.mul(f4, high))));
  return f64x2.mul(p, i64x2.shl(i64x2.add(shifted, i64x2.splat(1023)), 52));
}

/** |a|^b of the lower two lanes. */
function powerOfSizes(a: v128, b: v128): v128 {
  const logarithm = binaryLogarithm(f64x2.promote_low_f32x4(a));
  return f32x4.demote_f64x2_zero(binaryExponential(f64x2.mul(f64x2.promote_low_f32x4(b), logarithm)));
}

/** `a^b` as C's powf: 1 where b is 0 or a is 1, NaN included; a negative base needs a whole power. */
export function power(a: v128, b: v128): v128 {
  const size = f32x4.abs(a),
    one = f32x4.splat(1),
    infinity = f32x4.splat(Infinity),
    half = f32x4.mul(b, f32x4.splat(0.5));
  const low = powerOfSizes(size, b),
    high = powerOfSizes(v128.shuffle<i32>(size, size, 2, 3, 2, 3), v128.shuffle<i32>(b, b, 2, 3, 2, 3));
  let value = v128.shuffle<i32>(low, high, 0, 1, 4, 5);
  const isWhole = f32x4.eq(b, f32x4.trunc(b)),
    isOdd = v128.and(isWhole, f32x4.ne(half, f32x4.trunc(half)));
  value = v128.or(value, v128.and(v128.and(a, i32x4.splat(<i32>0x80000000)), isOdd));
  const isNegative = v128.and(f32x4.lt(a, f32x4.splat(0)), f32x4.lt(size, infinity));
  value = v128.bitselect(f32x4.splat(NaN), value, v128.andnot(isNegative, isWhole));
  const isOne = v128.or(
    v128.or(f32x4.eq(b, f32x4.splat(0)), f32x4.eq(a, one)),
    v128.and(f32x4.eq(size, one), f32x4.eq(f32x4.abs(b), infinity)),
  );
  return v128.bitselect(one, value, isOne);
}

/** What is left of `a` after whole multiples of `b` towards 0, exactly; it has the sign of `a`. */
function restOf(a: f32, b: f32): f64 {
  const x = <f64>a,
    y = <f64>b,
    quotient = trunc(x / y);
  // 29 bits times 24 are exact in a double
  if (!(abs(quotient) < 536870912.0) || abs(y) == Infinity) return <f64>(a % b);
  let rest = x - quotient * y;
  if (rest != 0 && rest < 0 != x < 0) rest += x < 0 == y < 0 ? y : -y; // the quotient was rounded up
  return copysign<f64>(rest, x);
}

/** `a − b·⌊a / b⌋`: it has the sign of `b`. */
export function remainder(a: f32, b: f32): f32 {
  const rest = restOf(a, b);
  return <f32>(rest != 0 && b < 0 != rest < 0 ? rest + <f64>b : rest);
}

/** `⌊a / b⌋` by PyTorch's steps: exact where `a / b` itself would round up to the next integer. */
export function floorDivide(a: f32, b: f32): f32 {
  const x = <f64>a,
    y = <f64>b;
  if (y == 0) return <f32>(x / y);
  const rest = restOf(a, b);
  let quotient = (x - rest) / y;
  if (rest != 0 && y < 0 != rest < 0) quotient -= 1;
  if (quotient == 0) return <f32>((x / y) * 0);
  const floored = floor(quotient);
  return <f32>(quotient - floored > 0.5 ? floored + 1 : floored);
}
