// Elementary functions on four floats at once, good to about two units in the last place over the whole range:
// NaN stays NaN, infinities and denormals come out right. Each `min(x, limit)` is a pmin in the order that keeps NaN.

// @ts-ignore: decorator
@inline
export function horizontalSum(v: v128): f32 {
  return (
    f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1) + (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3))
  );
}

/** The sum of two pairs of doubles. */
// @ts-ignore: decorator
@inline
export function horizontalSumDouble(v: v128): f64 {
  return f64x2.extract_lane(v, 0) + f64x2.extract_lane(v, 1);
}

/** `sum · x + coefficient`, one step of Horner's rule. */
// @ts-ignore: decorator
@inline
function horner(sum: v128, x: v128, coefficient: f32): v128 {
  return f32x4.add(f32x4.mul(sum, x), f32x4.splat(coefficient));
}

/** Adding and subtracting 1.5 · 2²³ rounds a float to an integer, which then lies in the low bits. */
const ROUNDER: f32 = 12582912;

/** e^x. Polynomial and the split of ln 2: Cephes (Moshier, 1992), expf. */
// @ts-ignore: decorator
@inline
export function exponential(x: v128): v128 {
  // beyond these arguments the result is 0 or infinity
  const clamped = f32x4.pmin(f32x4.pmax(x, f32x4.splat(-104)), f32x4.splat(89));
  const shifted = f32x4.add(f32x4.mul(clamped, f32x4.splat(1.44269504088896341)), f32x4.splat(ROUNDER));
  const n = f32x4.sub(shifted, f32x4.splat(ROUNDER));
  let r = f32x4.sub(clamped, f32x4.mul(n, f32x4.splat(0.693359375)));
  r = f32x4.add(r, f32x4.mul(n, f32x4.splat(2.12194440e-4)));
  let p = horner(f32x4.splat(1.9875691500e-4), r, 1.3981999507e-3);
  p = horner(p, r, 8.3334519073e-3);
  p = horner(p, r, 4.1665795894e-2);
  p = horner(p, r, 1.6666665459e-1);
  p = horner(p, r, 5.0000001201e-1);
  p = f32x4.add(f32x4.add(f32x4.mul(p, f32x4.mul(r, r)), r), f32x4.splat(1));
  // 2^n in two factors, so that overflow and denormals round as a product does
  const power = i32x4.sub(shifted, f32x4.splat(ROUNDER));
  const half = i32x4.shr_s(power, 1);
  const bias = i32x4.splat(127);
  const first = i32x4.shl(i32x4.add(half, bias), 23);
  const second = i32x4.shl(i32x4.add(i32x4.sub(power, half), bias), 23);
  return f32x4.mul(f32x4.mul(p, first), second);
}

/** The natural logarithm. Polynomial: Cephes, logf. */
// @ts-ignore: decorator
@inline
export function logarithm(x: v128): v128 {
  const denormal = f32x4.lt(x, f32x4.splat(1.17549435e-38));
  const scaled = v128.bitselect(f32x4.mul(x, f32x4.splat(33554432)), x, denormal); // 2^25
  let exponent = i32x4.sub(i32x4.shr_u(scaled, 23), i32x4.splat(126));
  exponent = i32x4.sub(exponent, v128.and(denormal, i32x4.splat(25)));
  let m = v128.or(v128.and(scaled, i32x4.splat(0x007fffff)), i32x4.splat(0x3f000000)); // [0.5, 1)
  const low = f32x4.lt(m, f32x4.splat(0.707106781186547524));
  m = f32x4.sub(f32x4.add(m, v128.and(m, low)), f32x4.splat(1));
  const e = f32x4.sub(f32x4.convert_i32x4_s(exponent), v128.and(f32x4.splat(1), low));
  const z = f32x4.mul(m, m);
  let p = horner(f32x4.splat(7.0376836292e-2), m, -1.1514610310e-1);
  p = horner(p, m, 1.1676998740e-1);
  p = horner(p, m, -1.2420140846e-1);
  p = horner(p, m, 1.4249322787e-1);
  p = horner(p, m, -1.6668057665e-1);
  p = horner(p, m, 2.0000714765e-1);
  p = horner(p, m, -2.4999993993e-1);
  p = horner(p, m, 3.3333331174e-1);
  let y = f32x4.mul(f32x4.mul(p, m), z);
  y = f32x4.sub(y, f32x4.mul(e, f32x4.splat(2.12194440e-4)));
  y = f32x4.sub(y, f32x4.mul(z, f32x4.splat(0.5)));
  y = f32x4.add(f32x4.add(m, y), f32x4.mul(e, f32x4.splat(0.693359375)));
  y = v128.bitselect(y, x, f32x4.lt(x, f32x4.splat(Infinity))); // infinity and NaN give themselves
  y = v128.bitselect(f32x4.splat(-Infinity), y, f32x4.eq(x, f32x4.splat(0)));
  return v128.bitselect(f32x4.splat(NaN), y, f32x4.lt(x, f32x4.splat(0)));
}

// @ts-ignore: decorator
@inline
function signOf(x: v128): v128 {
  return v128.and(x, i32x4.splat(<i32>0x80000000));
}

/** tanh x: an odd polynomial (Cephes, tanhf) near 0, else 1 − 2 / (e^2|x| + 1). */
// @ts-ignore: decorator
@inline
export function hyperbolicTangent(x: v128): v128 {
  const size = f32x4.abs(x);
  const e = exponential(f32x4.add(size, size));
  const far = f32x4.sub(f32x4.splat(1), f32x4.div(f32x4.splat(2), f32x4.add(e, f32x4.splat(1))));
  const z = f32x4.mul(x, x);
  let p = horner(f32x4.splat(-5.70498872745e-3), z, 2.06390887954e-2);
  p = horner(p, z, -5.37397155531e-2);
  p = horner(p, z, 1.33314422036e-1);
  p = horner(p, z, -3.33332819422e-1);
  const near = f32x4.add(f32x4.mul(f32x4.mul(p, z), x), x);
  return v128.or(v128.bitselect(near, far, f32x4.lt(size, f32x4.splat(0.625))), signOf(x)); // −0 stays −0
}

/** 1 / (1 + e^−x), from e^−|x| so that the small side keeps its digits. */
// @ts-ignore: decorator
@inline
export function logistic(x: v128): v128 {
  const e = exponential(f32x4.neg(f32x4.abs(x)));
  const numerator = v128.bitselect(e, f32x4.splat(1), f32x4.lt(x, f32x4.splat(0)));
  return f32x4.div(numerator, f32x4.add(f32x4.splat(1), e));
}

/** The slope of {@link logistic} where it has this value. */
// @ts-ignore: decorator
@inline
export function slopeOfLogistic(value: v128): v128 {
  return f32x4.mul(value, f32x4.sub(f32x4.splat(1), value));
}

/** The slope of {@link hyperbolicTangent} where it has this value. */
// @ts-ignore: decorator
@inline
export function slopeOfTangent(value: v128): v128 {
  return f32x4.sub(f32x4.splat(1), f32x4.mul(value, value));
}

/** erf x for |x| ≤ 1: x · P(x²), our minimax fit, 1.2e-9 relative. */
// @ts-ignore: decorator
@inline
function errorFunctionNear(x: v128): v128 {
  const z = f32x4.mul(x, x);
  let p = horner(f32x4.splat(7.853857823647559e-5), z, -0.0008010192541405559);
  p = horner(p, z, 0.005188327748328447);
  p = horner(p, z, -0.026853810995817184);
  p = horner(p, z, 0.1128358542919159);
  p = horner(p, z, -0.3761262595653534);
  p = horner(p, z, 1.1283791065216064);
  return f32x4.mul(p, x);
}

/** 1 − erf x for 1 ≤ x: e^(−x²) · t · P(t), t = 1 / (1 + x/2), our minimax fit, 1.2e-8 relative. */
// @ts-ignore: decorator
@inline
function complementFar(x: v128): v128 {
  const t = f32x4.div(f32x4.splat(1), f32x4.add(f32x4.splat(1), f32x4.mul(x, f32x4.splat(0.5))));
  let p = horner(f32x4.splat(0.09307630360126495), t, -0.2250940054655075);
  p = horner(p, t, 0.08109484612941742);
  p = horner(p, t, 0.06185779348015785);
  p = horner(p, t, 0.17847251892089844);
  p = horner(p, t, 0.2470274418592453);
  p = horner(p, t, 0.28203263878822327);
  p = horner(p, t, 0.2820987105369568);
  return f32x4.mul(f32x4.mul(p, t), exponential(f32x4.neg(f32x4.mul(x, x))));
}

/** The error function. */
// @ts-ignore: decorator
@inline
export function errorFunction(x: v128): v128 {
  const size = f32x4.abs(x);
  const far = v128.or(f32x4.sub(f32x4.splat(1), complementFar(size)), signOf(x));
  return v128.bitselect(errorFunctionNear(x), far, f32x4.lt(size, f32x4.splat(1)));
}

/** Φ(x), the standard normal distribution, without cancellation for negative x. */
// @ts-ignore: decorator
@inline
export function normalDistribution(x: v128): v128 {
  const scaled = f32x4.mul(x, f32x4.splat(0.70710678118654752));
  const size = f32x4.abs(scaled);
  const half = f32x4.splat(0.5);
  const near = f32x4.add(half, f32x4.mul(half, errorFunctionNear(scaled)));
  const tail = f32x4.mul(half, complementFar(size));
  const far = v128.bitselect(tail, f32x4.sub(f32x4.splat(1), tail), f32x4.lt(x, f32x4.splat(0)));
  return v128.bitselect(near, far, f32x4.lt(size, f32x4.splat(1)));
}

/** φ(x), the standard normal density. */
// @ts-ignore: decorator
@inline
export function normalDensity(x: v128): v128 {
  return f32x4.mul(
    exponential(f32x4.mul(f32x4.mul(x, x), f32x4.splat(-0.5))),
    f32x4.splat(0.3989422804014327),
  );
}
