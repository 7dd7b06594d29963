import type { WgslFunction } from "./wgsl.js";

/** Sine, cosine, tangent and their inverses in WGSL, of which the built-in ones are good to 2⁻¹¹ absolute only. */
export const TRIGONOMETRY: Readonly<Record<string, WgslFunction>> = {
  quarterTurns: {
    // Payne and Hanek: x·2/π modulo 4 from 96 bits of 2/π, those above the window being whole turns.
    // Gives the distance to the nearest quarter turn, in turns of π/2, and the number of that quarter.
    code: `fn product(a: u32, b: u32) -> vec2<u32> {
  let low = (a & 0xffffu) * (b & 0xffffu);
  let left = (a >> 16u) * (b & 0xffffu);
  let right = (a & 0xffffu) * (b >> 16u);
  let middle = (low >> 16u) + (left & 0xffffu) + (right & 0xffffu);
  let high = (a >> 16u) * (b >> 16u) + (left >> 16u) + (right >> 16u) + (middle >> 16u);
  return vec2<u32>(high, (low & 0xffffu) | (middle << 16u));
}
fn shiftedLeft(high: u32, low: u32, count: u32) -> u32 {
  if (count == 0u) { return high; }
  return (high << count) | (low >> (32u - count));
}
fn quarterTurns(x: f32) -> vec2<f32> {
  var twoOverPi = array<u32, 8>(0xa2f9836eu, 0x4e441529u, 0xfc2757d1u, 0xf534ddc0u, 0xdb629599u, 0x3c439041u, 0xfe5163abu, 0xdebbc561u);
  let bits = bitcast<u32>(x);
  let mantissa = (bits & 0x007fffffu) | 0x00800000u;
  let exponent = i32((bits >> 23u) & 0xffu) - 150;
  let start = u32(max(exponent - 2, 0));
  let word = start / 32u;
  let offset = start % 32u;
  let a = product(mantissa, shiftedLeft(twoOverPi[word], twoOverPi[word + 1u], offset));
  let b = product(mantissa, shiftedLeft(twoOverPi[word + 1u], twoOverPi[word + 2u], offset));
  let c = product(mantissa, shiftedLeft(twoOverPi[word + 2u], twoOverPi[word + 3u], offset));
  let second = b.y + c.x;
  let carry = select(0u, 1u, second < b.y);
  let third = a.y + b.x;
  let fourth = a.x + select(0u, 1u, third < a.y) + select(0u, 1u, third + carry < third);
  let down = u32(max(2 - exponent, 0)); // the product has two bits before the point after this shift
  let whole = shiftedLeft(fourth, third + carry, 32u - down);
  let high = select(whole, third + carry, down == 0u);
  let low = select(shiftedLeft(third + carry, second, 32u - down), second, down == 0u);
  let last = select(shiftedLeft(second, c.y, 32u - down), c.y, down == 0u);
  var quarter = high >> 30u;
  var fraction = vec2<u32>((high << 2u) | (low >> 30u), (low << 2u) | (last >> 30u));
  var sign = 1.0;
  if (fraction.x >= 0x80000000u) {
    quarter += 1u;
    sign = -1.0;
    fraction = vec2<u32>(~fraction.x + select(0u, 1u, fraction.y == 0u), ~fraction.y + 1u);
  }
  let empty = countLeadingZeros(fraction.x);
  var size = 0.0;
  if (empty < 32u) { size = f32(shiftedLeft(fraction.x, fraction.y, empty)) * bitcast<f32>((95u - empty) << 23u); }
  else { size = f32(fraction.y) * 5.421010862427522e-20; }
  return select(vec2<f32>(sign * size, f32(quarter)), vec2<f32>(-sign * size, -f32(quarter)), x < 0.0);
}`,
  },
  trigonometry: {
    needs: ["isNanBits", "isInfBits", "nan", "quarterTurns"],
    // x = q·π/2 + r with π/2 in three parts whose products with q are exact, up to 2¹³
    code: `fn sineAndCosine(x: f32) -> vec2<f32> {
  if (isNanBits(x) || isInfBits(x)) { return vec2<f32>(nan(), nan()); }
  var q = round(x * 0.6366197723675814);
  var r = ((x - q * 1.5703125) - q * 4.837512969970703125e-4) - q * 7.54978995489188e-8;
  if (abs(x) > 8192.0) {
    let turns = quarterTurns(x);
    r = turns.x * 1.5707963267948966;
    q = turns.y;
  }
  let z = r * r;
  let s = r + r * z * (-1.0 / 6.0 + z * (1.0 / 120.0 + z * (-1.0 / 5040.0 + z / 362880.0)));
  let c = 1.0 - 0.5 * z + z * z * (1.0 / 24.0 + z * (-1.0 / 720.0 + z * (1.0 / 40320.0 - z / 3628800.0)));
  switch (i32(q) & 3) {
    case 1 { return vec2<f32>(c, -s); }
    case 2 { return vec2<f32>(-s, -c); }
    case 3 { return vec2<f32>(-c, s); }
    default { return vec2<f32>(s, c); }
  }
}`,
  },
  tan: {
    needs: ["trigonometry"],
    code: "fn tanOf(x: f32) -> f32 { let sc = sineAndCosine(x); return sc.x / sc.y; }",
  },
  asinSeries: {
    // asin for |x| ≤ ½ (Cephes' polynomial)
    code: `fn asinSeries(x: f32) -> f32 {
  let z = x * x;
  let p = (((4.2163199048e-2 * z + 2.4181311049e-2) * z + 4.5470025998e-2) * z + 7.4953002686e-2) * z + 1.6666752422e-1;
  return x + x * z * p;
}`,
  },
  asin: {
    needs: ["asinSeries", "withSign", "isNanBits", "nan"],
    code: `fn asinOf(x: f32) -> f32 {
  if (isNanBits(x)) { return x; }
  let size = abs(x);
  if (size > 1.0) { return nan(); }
  if (size <= 0.5) { return asinSeries(x); }
  return withSign(1.5707963267948966 - 2.0 * asinSeries(sqrt(0.5 * (1.0 - size))), x);
}`,
  },
  acos: {
    needs: ["asinSeries", "isNanBits", "nan"],
    code: `fn acosOf(x: f32) -> f32 {
  if (isNanBits(x)) { return x; }
  if (abs(x) > 1.0) { return nan(); }
  if (x > 0.5) { return 2.0 * asinSeries(sqrt(0.5 * (1.0 - x))); }
  if (x < -0.5) { return 3.141592653589793 - 2.0 * asinSeries(sqrt(0.5 * (1.0 + x))); }
  return 1.5707963267948966 - asinSeries(x);
}`,
  },
  atan: {
    needs: ["withSign", "isNanBits", "isInfBits"],
    // Cephes' polynomial for |x| ≤ tan(π/8), after moving x there
    code: `fn atanOf(x: f32) -> f32 {
  if (isNanBits(x)) { return x; }
  var size = abs(x);
  var base = 0.0;
  if (isInfBits(x)) { return withSign(1.5707963267948966, x); }
  if (size > 2.414213562373095) { base = 1.5707963267948966; size = -1.0 / size; }
  else if (size > 0.4142135623730950) { base = 0.7853981633974483; size = (size - 1.0) / (size + 1.0); }
  let z = size * size;
  let p = ((8.05374449538e-2 * z - 1.38776856032e-1) * z + 1.99777106478e-1) * z - 3.33329491539e-1;
  return withSign(base + (size + size * z * p), x);
}`,
  },
  atan2: {
    needs: ["atan", "isNegativeBits"],
    code: `fn atan2Of(y: f32, x: f32) -> f32 {
  if (isNanBits(x)) { return x; }
  if (isNanBits(y)) { return y; }
  let width = abs(x);
  let height = abs(y);
  var angle = 0.0;
  if (isInfBits(x) && isInfBits(y)) { angle = 0.7853981633974483; }
  else if (isInfBits(y)) { angle = 1.5707963267948966; }
  else if (isInfBits(x) || height == 0.0) { angle = 0.0; }
  else if (height > width) { angle = 1.5707963267948966 - atanOf(width / height); }
  else { angle = atanOf(height / width); }
  if (isNegativeBits(x)) { angle = 3.141592653589793 - angle; }
  return withSign(angle, y);
}`,
  },
};
