import { TRIGONOMETRY } from "./wgsl-trigonometry.js";

/** A WGSL function and the functions that it calls. */
export interface WgslFunction {
  readonly needs?: readonly string[];
  readonly code: string;
}

/**
 * Functions that are right to a few units in the last place on every GPU, NaN and infinities included: WGSL's own may
 * assume that neither exists, and promise little (tanh and sin are good to 1e-5 absolute, log is wrong at 0).
 * NaN is looked for in the bits, since `x != x` may be folded to false; constants such as ∞ come from bits at run time.
 */
const FUNCTIONS: Readonly<Record<string, WgslFunction>> = {
  isNanBits: {
    code: "fn isNanBits(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }",
  },
  isInfBits: {
    code: "fn isInfBits(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) == 0x7f800000u; }",
  },
  isNegativeBits: { code: "fn isNegativeBits(x: f32) -> bool { return (bitcast<u32>(x) >> 31u) == 1u; }" },
  nan: { code: "fn nan() -> f32 { var bits = 0x7fc00000u; return bitcast<f32>(bits); }" },
  infinity: { code: "fn infinity() -> f32 { var bits = 0x7f800000u; return bitcast<f32>(bits); }" },
  withSign: {
    code: `fn withSign(size: f32, sign: f32) -> f32 {
  return bitcast<f32>((bitcast<u32>(size) & 0x7fffffffu) | (bitcast<u32>(sign) & 0x80000000u));
}`,
  },
  powerOfTwo: {
    // two factors reach every exponent from subnormals to 2¹²⁸
    code: `fn scaleByPowerOfTwo(x: f32, exponent: i32) -> f32 {
  let half = exponent / 2;
  return x * bitcast<f32>(u32(half + 127) << 23u) * bitcast<f32>(u32(exponent - half + 127) << 23u);
}`,
  },
  expSeries: {
    // exp(r) − 1 for |r| ≤ ln2/2, Taylor to the 8th power
    code: `fn expSeries(r: f32) -> f32 {
  let tail = 1.0 / 6.0 + r * (1.0 / 24.0 + r * (1.0 / 120.0 + r * (1.0 / 720.0 + r * (1.0 / 5040.0 + r / 40320.0))));
  return r + r * r * (0.5 + r * tail);
}`,
  },
  exp: {
    needs: ["isNanBits", "infinity", "powerOfTwo", "expSeries"],
    // x = k·ln2 + r, with ln2 in two parts of which the first has so few bits that k times it is exact
    code: `fn expOf(x: f32) -> f32 {
  if (isNanBits(x)) { return x; }
  if (x > 88.72284) { return infinity(); }
  if (x < -103.97208) { return 0.0; }
  let k = round(x * 1.4426950408889634);
  let r = (x - k * 0.693145751953125) - k * 1.428606765330187e-6;
  return scaleByPowerOfTwo(1.0 + expSeries(r), i32(k));
}`,
  },
  expm1: {
    needs: ["exp", "expSeries"],
    code: `fn expm1Of(x: f32) -> f32 {
  if (abs(x) < 0.34657359) { return expSeries(x); }
  return expOf(x) - 1.0;
}`,
  },
  logSeries: {
    // log(1 + f) for √½ − 1 ≤ f ≤ √2 − 1: with s = f/(2+f), f − s·(f − s²·(2/3 + 2/5·s² + …))
    code: `fn logSeries(f: f32) -> f32 {
  let s = f / (2.0 + f);
  let z = s * s;
  let tail = z * (2.0 / 3.0 + z * (0.4 + z * (2.0 / 7.0 + z * (2.0 / 9.0 + z * (2.0 / 11.0)))));
  return f - s * (f - tail);
}`,
  },
  log: {
    needs: ["isNanBits", "isInfBits", "nan", "infinity", "logSeries"],
    code: `fn logOf(x: f32) -> f32 {
  if (isNanBits(x)) { return x; }
  if (x == 0.0) { return -infinity(); }
  if (x < 0.0) { return nan(); }
  if (isInfBits(x)) { return x; }
  var scaled = x;
  var exponent = -127;
  if (x < 1.17549435e-38) { scaled = x * 8388608.0; exponent = -150; }
  let shifted = bitcast<u32>(scaled) + 0x004afb0du; // so that the mantissa runs from √½ to √2
  exponent += i32(shifted >> 23u);
  let mantissa = bitcast<f32>((shifted & 0x007fffffu) + 0x3f3504f3u);
  let k = f32(exponent);
  return k * 0.693145751953125 + (logSeries(mantissa - 1.0) + k * 1.428606765330187e-6);
}`,
  },
  log1p: {
    needs: ["log", "logSeries"],
    code: `fn log1pOf(x: f32) -> f32 {
  if (x > -0.29289 && x < 0.41421) { return logSeries(x); }
  if (isNanBits(x)) { return x; }
  return logOf(1.0 + x);
}`,
  },
  tanh: {
    needs: ["expm1", "withSign", "isNanBits"],
    code: `fn tanhOf(x: f32) -> f32 {
  if (isNanBits(x)) { return x; }
  let t = expm1Of(2.0 * min(abs(x), 10.0));
  return withSign(t / (t + 2.0), x);
}`,
  },
  sinh: {
    needs: ["expm1", "exp", "withSign", "isNanBits"],
    code: `fn sinhOf(x: f32) -> f32 {
  if (isNanBits(x)) { return x; }
  let size = abs(x);
  if (size > 80.0) { let half = expOf(0.5 * size); return withSign((0.5 * half) * half, x); }
  let t = expm1Of(size);
  return withSign(0.5 * (t + t / (t + 1.0)), x);
}`,
  },
  cosh: {
    needs: ["exp", "isNanBits"],
    code: `fn coshOf(x: f32) -> f32 {
  if (isNanBits(x)) { return x; }
  let size = abs(x);
  if (size > 80.0) { let half = expOf(0.5 * size); return (0.5 * half) * half; }
  let e = expOf(size);
  return 0.5 * (e + 1.0 / e);
}`,
  },
  asinh: {
    needs: ["log1p", "withSign", "isNanBits"],
    code: `fn asinhOf(x: f32) -> f32 {
  if (isNanBits(x)) { return x; }
  let size = abs(x);
  if (size > 1e9) { return withSign(logOf(size) + 0.6931471805599453, x); }
  return withSign(log1pOf(size + size * size / (1.0 + sqrt(size * size + 1.0))), x);
}`,
  },
  acosh: {
    needs: ["log1p", "isNanBits", "nan"],
    code: `fn acoshOf(x: f32) -> f32 {
  if (isNanBits(x)) { return x; }
  if (x < 1.0) { return nan(); }
  if (x > 1e9) { return logOf(x) + 0.6931471805599453; }
  let t = x - 1.0;
  return log1pOf(t + sqrt(2.0 * t + t * t));
}`,
  },
  atanh: {
    needs: ["log1p", "withSign", "isNanBits", "nan", "infinity"],
    code: `fn atanhOf(x: f32) -> f32 {
  if (isNanBits(x)) { return x; }
  let size = abs(x);
  if (size > 1.0) { return nan(); }
  if (size == 1.0) { return withSign(infinity(), x); }
  return withSign(0.5 * log1pOf(2.0 * size / (1.0 - size)), x);
}`,
  },
  ...TRIGONOMETRY,
  erf: {
    needs: ["exp", "withSign", "isNanBits"],
    // below 1 the Taylor series; above, 1 − erfc by the Chebyshev fit of Numerical Recipes (relative error 1.2e-7)
    code: `fn erfOf(x: f32) -> f32 {
  if (isNanBits(x)) { return x; }
  let size = abs(x);
  if (size < 1.0) {
    let z = x * x;
    var sum = 0.0;
    for (var n = 11; n >= 0; n--) { sum = 1.0 / f32(2 * n + 1) - z / f32(n + 1) * sum; }
    return 1.1283791670955126 * x * sum;
  }
  if (size > 4.0) { return withSign(1.0, x); }
  let t = 1.0 / (1.0 + 0.5 * size);
  let p = t * (1.00002368 + t * (0.37409196 + t * (0.09678418 + t * (-0.18628806 + t * (0.27886807
    + t * (-1.13520398 + t * (1.48851587 + t * (-0.82215223 + t * 0.17087277))))))));
  return withSign(1.0 - t * expOf(p - 1.26551223 - size * size), x);
}`,
  },
  sqrt: {
    needs: ["isNanBits", "isInfBits", "nan"],
    code: `fn sqrtOf(x: f32) -> f32 {
  if (isNanBits(x) || (isInfBits(x) && x > 0.0)) { return x; }
  if (x < 0.0) { return nan(); }
  return sqrt(x);
}`,
  },
  rsqrt: {
    needs: ["sqrt", "infinity", "withSign"],
    code: `fn rsqrtOf(x: f32) -> f32 {
  if (x == 0.0) { return withSign(infinity(), x); }
  return 1.0 / sqrtOf(x);
}`,
  },
  sigmoid: {
    needs: ["exp"],
    code: `fn sigmoidOf(x: f32) -> f32 {
  let e = expOf(-abs(x));
  if (isNanBits(x)) { return x; }
  return select(e, 1.0, x >= 0.0) / (1.0 + e);
}`,
  },
  softplus: {
    needs: ["exp", "log1p", "maxOf"],
    code: "fn softplusOf(x: f32) -> f32 { return maxOf(x, 0.0) + log1pOf(expOf(-abs(x))); }",
  },
  maxOf: {
    needs: ["isNanBits"],
    code: `fn maxOf(a: f32, b: f32) -> f32 {
  if (isNanBits(a)) { return a; }
  if (isNanBits(b)) { return b; }
  return select(b, a, a > b);
}`,
  },
  minOf: {
    needs: ["isNanBits"],
    code: `fn minOf(a: f32, b: f32) -> f32 {
  if (isNanBits(a)) { return a; }
  if (isNanBits(b)) { return b; }
  return select(b, a, a < b);
}`,
  },
  remainderExact: {
    // C's fmod, bit by bit on the mantissas: WGSL's % loses bits when the quotient is large
    needs: ["isNanBits", "isInfBits", "nan", "withSign"],
    code: `fn remainderExact(a: f32, b: f32) -> f32 {
  if (isNanBits(a)) { return a; }
  if (isNanBits(b)) { return b; }
  if (isInfBits(a) || b == 0.0) { return nan(); }
  if (isInfBits(b) || abs(a) < abs(b)) { return a; }
  let aBits = bitcast<u32>(a) & 0x7fffffffu;
  let bBits = bitcast<u32>(b) & 0x7fffffffu;
  var rest = (aBits & 0x007fffffu) | select(0u, 0x00800000u, aBits >= 0x00800000u);
  var divisor = (bBits & 0x007fffffu) | select(0u, 0x00800000u, bBits >= 0x00800000u);
  var steps = max(i32(aBits >> 23u), 1) - max(i32(bBits >> 23u), 1);
  let exponent = max(i32(bBits >> 23u), 1);
  for (; steps > 0; steps--) {
    if (rest >= divisor) { rest -= divisor; }
    rest <<= 1u;
    if (divisor < 0x00800000u) { rest = rest % divisor; }
  }
  rest = rest % divisor;
  // rest·2^(exponent − 150), the factor in two halves
  let half = (exponent - 150) / 2;
  let size = f32(rest) * bitcast<f32>(u32(half + 127) << 23u) * bitcast<f32>(u32(exponent - 150 - half + 127) << 23u);
  return withSign(size, a);
}`,
  },
  floorDivide: {
    needs: ["remainderExact", "nan"],
    code: `fn floorDivideOf(a: f32, b: f32) -> f32 {
  if (b == 0.0 || isNanBits(a) || isNanBits(b)) { return a / b; }
  if (isInfBits(a)) { return nan(); }
  let rest = remainderExact(a, b);
  var quotient = (a - rest) / b;
  if (rest != 0.0 && (b < 0.0) != (rest < 0.0)) { quotient -= 1.0; }
  if (quotient == 0.0) { return withSign(0.0, a / b); }
  let floored = floor(quotient);
  return select(floored, floored + 1.0, quotient - floored > 0.5);
}`,
  },
  remainder: {
    needs: ["remainderExact"],
    code: `fn remainderOf(a: f32, b: f32) -> f32 {
  let rest = remainderExact(a, b);
  if (isNanBits(rest) || rest == 0.0 || (b < 0.0) == (rest < 0.0)) { return rest; }
  return rest + b;
}`,
  },
  floorDivideInt: {
    code: `fn floorDivideInt(a: i32, b: i32) -> i32 {
  if (b == 0) { return 0; }
  let quotient = a / b;
  return select(quotient, quotient - 1, a % b != 0 && (a < 0) != (b < 0));
}`,
  },
  remainderInt: {
    code: `fn remainderInt(a: i32, b: i32) -> i32 {
  if (b == 0) { return 0; }
  let rest = a % b;
  return select(rest, rest + b, rest != 0 && (rest < 0) != (b < 0));
}`,
  },
  powInt: {
    code: `fn powInt(a: i32, b: i32) -> i32 {
  if (b < 0) {
    if (a == 1) { return 1; }
    if (a == -1) { return select(1, -1, (b & 1) == 1); }
    return 0;
  }
  var result = 1;
  var base = a;
  for (var power = b; power > 0; power >>= 1u) {
    if ((power & 1) == 1) { result *= base; }
    base *= base;
  }
  return result;
}`,
  },
  pow: {
    needs: ["exp", "isInfBits", "nan", "logSeries", "withSign", "isNegativeBits"],
    // aᵇ = 2^(b·e)·exp(b·log m) with a = 2ᵉ·m; b·e is taken in two exact parts, so that large powers keep their bits
    code: `fn powOf(a: f32, b: f32) -> f32 {
  if (b == 0.0 || a == 1.0) { return 1.0; }
  if (isNanBits(a)) { return a; }
  if (isNanBits(b)) { return b; }
  if (b == 1.0) { return a; }
  if (b == 2.0) { return a * a; }
  let size = abs(a);
  let whole = isInfBits(b) || floor(b) == b;
  let odd = whole && abs(b) < 16777216.0 && (i32(b) & 1) == 1;
  let sign = select(1.0, -1.0, odd && isNegativeBits(a));
  if (isInfBits(b)) {
    if (size == 1.0) { return 1.0; }
    return select(0.0, infinity(), (size > 1.0) == (b > 0.0));
  }
  if (size == 0.0 || isInfBits(a)) { return withSign(select(infinity(), 0.0, (size == 0.0) == (b > 0.0)), sign); }
  if (a < 0.0 && !whole) { return nan(); }
  var scaled = size;
  var exponent = -127;
  if (size < 1.17549435e-38) { scaled = size * 8388608.0; exponent = -150; }
  let shifted = bitcast<u32>(scaled) + 0x004afb0du;
  exponent += i32(shifted >> 23u);
  let mantissa = bitcast<f32>((shifted & 0x007fffffu) + 0x3f3504f3u);
  let e = f32(exponent);
  let high = bitcast<f32>(bitcast<u32>(b) & 0xfffff000u);
  let low = b - high;
  let inMantissa = b * logSeries(mantissa - 1.0);
  if (abs(b * e) > 1000.0 || abs(inMantissa) > 1000.0) {
    return withSign(select(0.0, infinity(), b * e + inMantissa * 1.4426950408889634 > 0.0), sign);
  }
  let k = round(high * e);
  let rest = ((high * e - k) + low * e) * 0.6931471805599453 + inMantissa;
  let n = round(rest * 1.4426950408889634);
  let r = (rest - n * 0.693145751953125) - n * 1.428606765330187e-6;
  let total = k + n;
  if (total > 129.0) { return withSign(infinity(), sign); }
  if (total < -151.0) { return withSign(0.0, sign); }
  return withSign(scaleByPowerOfTwo(1.0 + expSeries(r), i32(total)), sign);
}`,
  },
};

/** The source of the named functions and of all that they call, each once. */
export function wgslFunctions(names: readonly string[]): string {
  const done = new Set<string>();
  const parts: string[] = [];
  const visit = (name: string): void => {
    if (done.has(name)) return;
    done.add(name);
    const entry = FUNCTIONS[name];
    entry.needs?.forEach(visit);
    parts.push(entry.code);
  };
  names.forEach(visit);
  return parts.join("\n");
}
