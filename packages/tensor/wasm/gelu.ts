import { hyperbolicTangent, normalDensity, normalDistribution } from "./math";
import { addressArgument, argument, forRange, setArgument } from "./threads";

/** Time of an element on one thread, roughly. */
const GELU_NANOSECONDS: f32 = 2;

/** √(2/π) and 0.044715: the tanh approximation of Hendrycks and Gimpel (2016). */
const SCALE: f32 = 0.7978845608028654;
const CUBIC: f32 = 0.044715;

/** ½(1 + tanh(√(2/π)(x + 0.044715 x³))). */
// @ts-ignore: decorator
@inline
function tanhDistribution(x: v128): v128 {
  const cubic = f32x4.add(f32x4.splat(1), f32x4.mul(f32x4.mul(x, x), f32x4.splat(CUBIC)));
  const tangent = hyperbolicTangent(f32x4.mul(f32x4.mul(x, f32x4.splat(SCALE)), cubic));
  return f32x4.add(f32x4.splat(0.5), f32x4.mul(f32x4.splat(0.5), tangent));
}

/** `x · Φ(x)` of four floats. */
// @ts-ignore: decorator
@inline
export function gelu(x: v128): v128 {
  return f32x4.mul(x, normalDistribution(x));
}

/** The tanh approximation of four floats. */
// @ts-ignore: decorator
@inline
export function geluTanh(x: v128): v128 {
  return f32x4.mul(x, tanhDistribution(x));
}

// @ts-ignore: decorator
@inline
function value(x: v128, approximate: bool): v128 {
  return approximate ? geluTanh(x) : gelu(x);
}

// @ts-ignore: decorator
@inline
function slope(x: v128, approximate: bool): v128 {
  if (!approximate) return f32x4.add(normalDistribution(x), f32x4.mul(x, normalDensity(x)));
  const p = tanhDistribution(x);
  const inner = f32x4.mul(
    f32x4.splat(2 * SCALE),
    f32x4.add(f32x4.splat(1), f32x4.mul(f32x4.mul(x, x), f32x4.splat(3 * CUBIC))),
  );
  return f32x4.add(p, f32x4.mul(f32x4.mul(x, inner), f32x4.mul(p, f32x4.sub(f32x4.splat(1), p))));
}

// @ts-ignore: decorator
@inline
function forward(x: usize, output: usize, count: i32, approximate: bool): void {
  for (; count >= 4; count -= 4) {
    v128.store(output, value(v128.load(x), approximate));
    x += 16;
    output += 16;
  }
  for (; count > 0; count--) {
    store<f32>(output, f32x4.extract_lane(value(v128.load_splat<f32>(x), approximate), 0));
    x += 4;
    output += 4;
  }
}

// @ts-ignore: decorator
@inline
function backward(dy: usize, x: usize, dx: usize, count: i32, approximate: bool): void {
  for (; count >= 4; count -= 4) {
    v128.store(dx, f32x4.mul(v128.load(dy), slope(v128.load(x), approximate)));
    dy += 16;
    x += 16;
    dx += 16;
  }
  for (; count > 0; count--) {
    store<f32>(dx, load<f32>(dy) * f32x4.extract_lane(slope(v128.load_splat<f32>(x), approximate), 0));
    dy += 4;
    x += 4;
    dx += 4;
  }
}

function forwardPart(from: i32, to: i32): void {
  const offset = <usize>from << 2,
    x = addressArgument(0) + offset,
    output = addressArgument(1) + offset;
  if (argument(2)) forward(x, output, to - from, true);
  else forward(x, output, to - from, false);
}

/** `x · Φ(x)`; with `approximate` 1 by tanh. */
export function geluForward(x: usize, output: usize, count: i32, approximate: i32): void {
  setArgument(0, x);
  setArgument(1, output);
  setArgument(2, approximate);
  forRange(forwardPart, count, 64, GELU_NANOSECONDS);
}

function backwardPart(from: i32, to: i32): void {
  const offset = <usize>from << 2,
    dy = addressArgument(0) + offset,
    x = addressArgument(1) + offset,
    dx = addressArgument(2) + offset;
  if (argument(3)) backward(dy, x, dx, to - from, true);
  else backward(dy, x, dx, to - from, false);
}

/** `dy · (Φ(x) + x φ(x))`, or the derivative of the approximation. */
export function geluGradient(dy: usize, x: usize, dx: usize, count: i32, approximate: i32): void {
  setArgument(0, dy);
  setArgument(1, x);
  setArgument(2, dx);
  setArgument(3, approximate);
  forRange(backwardPart, count, 64, 2 * GELU_NANOSECONDS);
}
