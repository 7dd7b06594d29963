// Inverse circular, hyperbolic and inverse hyperbolic functions of four floats at once, in doubles good to 1e-11: what is
// left after rounding is the nearest float, but where the exact value lies that near to the middle of two.

/** Adding and subtracting 1.5 · 2⁵² rounds a double to an integer, which then lies in the low bits. */
const ROUNDER: f64 = 6755399441055744;
const LN2: f64 = 0.69314718055994531;
const HALF_PI: f64 = 1.5707963267948966;
const TAN_OF_EIGHTH: f64 = 0.41421356237309503;
/** Beyond every float, and its products with others stay finite. */
const LARGE: f64 = 1e100;
/** Below this size the inverse hyperbolic functions are their series: the logarithm would lose digits. */
const SMALL: f64 = 0.0078125;

const ARC_SINE: i32 = 0;
const ARC_COSINE: i32 = 1;
const ARC_TANGENT: i32 = 2;
const SINE: i32 = 3;
const COSINE: i32 = 4;
const AREA_SINE: i32 = 5;
const AREA_COSINE: i32 = 6;

/** `coefficient + x · sum`. */
// @ts-ignore: decorator
@inline
function step(sum: v128, x: v128, coefficient: f64): v128 {
  return f64x2.add(f64x2.mul(sum, x), f64x2.splat(coefficient));
}

// @ts-ignore: decorator
@inline
function signOf(x: v128): v128 {
  return v128.and(x, i64x2.splat(<i64>0x8000000000000000));
}

/**
 * The angle of the points (x, y): by the smaller size over the larger, from which an eighth of the circle is taken where
 * it is above tan π/8. The odd polynomial is our Chebyshev fit, 1e-12 relative.
 */
function angle(y: v128, x: v128): v128 {
  const limit = f64x2.splat(LARGE), // the quotient of two infinities is 1
    sizeY = f64x2.pmin(f64x2.abs(y), limit),
    sizeX = f64x2.pmin(f64x2.abs(x), limit),
    isSteep = f64x2.lt(sizeX, sizeY),
    large = v128.bitselect(sizeY, sizeX, isSteep),
    small = v128.bitselect(sizeX, sizeY, isSteep);
  const isMiddle = f64x2.gt(small, f64x2.mul(large, f64x2.splat(TAN_OF_EIGHTH))),
    over = v128.bitselect(f64x2.sub(small, large), small, isMiddle),
    under = v128.bitselect(f64x2.add(small, large), large, isMiddle),
    t = f64x2.div(over, v128.bitselect(f64x2.splat(1), under, f64x2.eq(under, f64x2.splat(0)))),
    z = f64x2.mul(t, t);
  let p = step(f64x2.splat(-0.03765510398039884), z, 0.06974197572950082);
  p = step(p, z, -0.08992552881323691);
  p = step(p, z, 0.11103456906275044);
  p = step(p, z, -0.14285386553605578);
  p = step(p, z, 0.1999999305355202);
  p = step(p, z, -0.33333333276922456);
  p = step(p, z, 0.9999999999992447);
  let result = f64x2.add(f64x2.mul(t, p), v128.and(f64x2.splat(HALF_PI / 2), isMiddle));
  result = v128.bitselect(f64x2.sub(f64x2.splat(HALF_PI), result), result, isSteep);
  const upper = i32x4.shr_s(x, 31),
    isLeft = v128.shuffle<i32>(upper, upper, 1, 1, 3, 3);
  result = v128.bitselect(f64x2.sub(f64x2.splat(2 * HALF_PI), result), result, isLeft);
  return v128.or(result, signOf(y));
}

/** √(1 − x²). */
// @ts-ignore: decorator
@inline
function otherSide(x: v128): v128 {
  const one = f64x2.splat(1);
  return f64x2.sqrt(f64x2.mul(f64x2.sub(one, x), f64x2.add(one, x)));
}

/** e^x for 0 ≤ x ≤ 128, by its series in what is left of x after whole multiples of ln 2. */
function exponentialOfTwo(x: v128): v128 {
  const rounder = f64x2.splat(ROUNDER),
    shifted = f64x2.add(f64x2.mul(x, f64x2.splat(1 / LN2)), rounder),
    r = f64x2.sub(x, f64x2.mul(f64x2.sub(shifted, rounder), f64x2.splat(LN2)));
  let p = step(f64x2.splat(1.0 / 362880.0), r, 1.0 / 40320.0);
  p = step(p, r, 1.0 / 5040.0);
  p = step(p, r, 1.0 / 720.0);
  p = step(p, r, 1.0 / 120.0);
  p = step(p, r, 1.0 / 24.0);
  p = step(p, r, 1.0 / 6.0);
  p = step(p, r, 0.5);
  p = step(step(p, r, 1), r, 1);
  return f64x2.mul(p, i64x2.shl(i64x2.add(shifted, i64x2.splat(1023)), 52));
}

/** ln x for 1 ≤ x, by the series of 2 artanh((m − 1) / (m + 1)) with the mantissa m in [√½, √2]; infinity and NaN stay. */
function logarithmOfTwo(x: v128): v128 {
  const one = f64x2.splat(1);
  let m = v128.or(v128.and(x, i64x2.splat(0x000fffffffffffff)), one), // [1, 2)
    e = f64x2.sub(v128.or(i64x2.shr_u(x, 52), i64x2.splat(0x4330000000000000)), f64x2.splat(4503599627370496.0 + 1023.0));
  const isHigh = f64x2.gt(m, f64x2.splat(1.4142135623730951));
  m = f64x2.mul(m, v128.bitselect(f64x2.splat(0.5), one, isHigh));
  e = f64x2.add(e, v128.and(one, isHigh));
  const s = f64x2.div(f64x2.sub(m, one), f64x2.add(m, one)),
    z = f64x2.mul(s, s);
  let p = step(f64x2.splat(1.0 / 13.0), z, 1.0 / 11.0);
  p = step(p, z, 1.0 / 9.0);
  p = step(p, z, 1.0 / 7.0);
  p = step(p, z, 1.0 / 5.0);
  p = step(p, z, 1.0 / 3.0);
  p = step(p, z, 1);
  const result = f64x2.add(f64x2.mul(e, f64x2.splat(LN2)), f64x2.mul(f64x2.add(s, s), p));
  return v128.bitselect(result, x, f64x2.lt(x, f64x2.splat(Infinity)));
}

/** sinh and cosh; sinh of a small angle by its series. */
// @ts-ignore: decorator
@inline
function hyperbolic(kind: i32, x: v128): v128 {
  const size = f64x2.abs(x),
    e = exponentialOfTwo(f64x2.pmin(size, f64x2.splat(128))), // beyond, no float holds the result
    inverse = f64x2.div(f64x2.splat(1), e),
    half = f64x2.splat(0.5);
  if (kind == COSINE) return f64x2.mul(half, f64x2.add(e, inverse));
  const z = f64x2.mul(x, x);
  let p = step(f64x2.splat(1.0 / 362880.0), z, 1.0 / 5040.0);
  p = step(step(step(p, z, 1.0 / 120.0), z, 1.0 / 6.0), z, 1);
  const far = f64x2.mul(half, f64x2.sub(e, inverse));
  return v128.or(v128.bitselect(f64x2.mul(size, p), far, f64x2.lt(size, half)), signOf(x));
}

/** arsinh x = ±ln(|x| + √(x² + 1)). */
// @ts-ignore: decorator
@inline
function areaSine(x: v128): v128 {
  const size = f64x2.abs(x),
    z = f64x2.mul(x, x),
    far = logarithmOfTwo(f64x2.add(size, f64x2.sqrt(f64x2.add(z, f64x2.splat(1))))),
    near = f64x2.mul(size, step(step(f64x2.splat(3.0 / 40.0), z, -1.0 / 6.0), z, 1));
  return v128.or(v128.bitselect(near, far, f64x2.lt(size, f64x2.splat(SMALL))), signOf(x));
}

/** arcosh x = ln(x + √(x² − 1)). */
// @ts-ignore: decorator
@inline
function areaCosine(x: v128): v128 {
  const one = f64x2.splat(1),
    root = f64x2.sqrt(f64x2.mul(f64x2.sub(x, one), f64x2.add(x, one)));
  return v128.bitselect(f64x2.splat(NaN), logarithmOfTwo(f64x2.add(x, root)), f64x2.lt(x, one));
}

/** artanh x = ±½ ln((1 + |x|) / (1 − |x|)). */
// @ts-ignore: decorator
@inline
function areaTangent(x: v128): v128 {
  const one = f64x2.splat(1),
    size = f64x2.abs(x),
    z = f64x2.mul(x, x),
    ln = logarithmOfTwo(f64x2.div(f64x2.add(one, size), f64x2.sub(one, size))),
    far = v128.bitselect(f64x2.splat(NaN), f64x2.mul(ln, f64x2.splat(0.5)), f64x2.gt(size, one)),
    near = f64x2.mul(size, step(step(step(f64x2.splat(1.0 / 7.0), z, 1.0 / 5.0), z, 1.0 / 3.0), z, 1));
  return v128.or(v128.bitselect(near, far, f64x2.lt(size, f64x2.splat(SMALL))), signOf(x));
}

// @ts-ignore: decorator
@inline
function ofTwo(kind: i32, x: v128): v128 {
  switch (kind) {
    case ARC_SINE:
      return angle(x, otherSide(x));
    case ARC_COSINE:
      return angle(otherSide(x), x);
    case ARC_TANGENT:
      return angle(x, f64x2.splat(1));
    case SINE:
    case COSINE:
      return hyperbolic(kind, x);
    case AREA_SINE:
      return areaSine(x);
    case AREA_COSINE:
      return areaCosine(x);
    default:
      return areaTangent(x);
  }
}

// @ts-ignore: decorator
@inline
function upperHalf(x: v128): v128 {
  return f64x2.promote_low_f32x4(v128.shuffle<i32>(x, x, 2, 3, 2, 3));
}

// @ts-ignore: decorator
@inline
function ofFour(kind: i32, x: v128): v128 {
  const low = f32x4.demote_f64x2_zero(ofTwo(kind, f64x2.promote_low_f32x4(x))),
    high = f32x4.demote_f64x2_zero(ofTwo(kind, upperHalf(x)));
  return v128.shuffle<i32>(low, high, 0, 1, 4, 5);
}

export function arcSine(x: v128): v128 {
  return ofFour(ARC_SINE, x);
}

export function arcCosine(x: v128): v128 {
  return ofFour(ARC_COSINE, x);
}

export function arcTangent(x: v128): v128 {
  return ofFour(ARC_TANGENT, x);
}

/** The angle of the points (x, y), in [−π, π]. */
export function arcTangent2(y: v128, x: v128): v128 {
  const low = angle(f64x2.promote_low_f32x4(y), f64x2.promote_low_f32x4(x)),
    high = angle(upperHalf(y), upperHalf(x));
  return v128.shuffle<i32>(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 1, 4, 5);
}

export function hyperbolicSine(x: v128): v128 {
  return ofFour(SINE, x);
}

export function hyperbolicCosine(x: v128): v128 {
  return ofFour(COSINE, x);
}

export function areaHyperbolicSine(x: v128): v128 {
  return ofFour(AREA_SINE, x);
}

export function areaHyperbolicCosine(x: v128): v128 {
  return ofFour(AREA_COSINE, x);
}

export function areaHyperbolicTangent(x: v128): v128 {
  return ofFour(-1, x);
}
