import type { Tensor } from "@tensorflow/tfjs-core";
import type { GradientContext } from "../kernels/define-kernel.js";
import { sigmoidGradKernel, tanhGradKernel } from "../ops/activation-gradients.js";
import { add, div, mul, sub } from "../ops/arithmetic.js";
import { NO_ATTRIBUTES, type NoAttributes, type UnaryInputs } from "../ops/broadcast.js";
import { greaterEqual, lessEqual, logicalAnd, where } from "../ops/compare.js";
import { cos, cosh, sin, sinh } from "../ops/trigonometry.js";
import { exp, neg, rsqrt, sign, square } from "../ops/unary.js";

type Context = GradientContext<UnaryInputs, NoAttributes>;

/** Step functions: zeros. */
export function zeroGradient() {
  return {};
}

export function negGradient({ dy }: Context) {
  return { x: () => neg(dy) };
}

export function absGradient({ dy, saved: { x } }: Context) {
  return { x: () => mul(dy, sign(x)) };
}

export function expGradient(context: Context) {
  return { x: () => mul(context.dy, context.output) };
}

export function expm1Gradient(context: Context) {
  return { x: () => mul(context.dy, add(context.output, 1)) };
}

export function logGradient({ dy, saved: { x } }: Context) {
  return { x: () => div(dy, x) };
}

export function log1pGradient({ dy, saved: { x } }: Context) {
  return { x: () => div(dy, add(x, 1)) };
}

export function sqrtGradient(context: Context) {
  return { x: () => div(context.dy, mul(context.output, 2)) };
}

export function rsqrtGradient(context: Context) {
  return { x: () => mul(mul(context.dy, -0.5), mul(square(context.output), context.output)) };
}

export function squareGradient({ dy, saved: { x } }: Context) {
  return { x: () => mul(dy, mul(x, 2)) };
}

export function reciprocalGradient(context: Context) {
  return { x: () => neg(mul(context.dy, square(context.output))) };
}

export function sinGradient({ dy, saved: { x } }: Context) {
  return { x: () => mul(dy, cos(x)) };
}

export function cosGradient({ dy, saved: { x } }: Context) {
  return { x: () => neg(mul(dy, sin(x))) };
}

export function tanGradient(context: Context) {
  return { x: () => mul(context.dy, add(square(context.output), 1)) };
}

export function asinGradient({ dy, saved: { x } }: Context) {
  return { x: () => mul(dy, rsqrt(sub(1, square(x)))) };
}

export function acosGradient({ dy, saved: { x } }: Context) {
  return { x: () => neg(mul(dy, rsqrt(sub(1, square(x))))) };
}

export function atanGradient({ dy, saved: { x } }: Context) {
  return { x: () => div(dy, add(square(x), 1)) };
}

export function sinhGradient({ dy, saved: { x } }: Context) {
  return { x: () => mul(dy, cosh(x)) };
}

export function coshGradient({ dy, saved: { x } }: Context) {
  return { x: () => mul(dy, sinh(x)) };
}

export function tanhGradient(context: Context) {
  return { x: (): Tensor => tanhGradKernel({ dy: context.dy, y: context.output }, NO_ATTRIBUTES) };
}

export function asinhGradient({ dy, saved: { x } }: Context) {
  return { x: () => mul(dy, rsqrt(add(square(x), 1))) };
}

export function acoshGradient({ dy, saved: { x } }: Context) {
  return { x: () => mul(dy, rsqrt(sub(square(x), 1))) };
}

export function atanhGradient({ dy, saved: { x } }: Context) {
  return { x: () => div(dy, sub(1, square(x))) };
}

export function erfGradient({ dy, saved: { x } }: Context) {
  return { x: () => mul(mul(dy, 2 / Math.sqrt(Math.PI)), exp(neg(square(x)))) };
}

export function sigmoidGradient(context: Context) {
  return { x: (): Tensor => sigmoidGradKernel({ dy: context.dy, y: context.output }, NO_ATTRIBUTES) };
}

export function clipGradient({
  dy,
  saved: { x },
  attrs: { min, max },
}: GradientContext<UnaryInputs, { min: number; max: number }>) {
  return { x: () => where(logicalAnd(greaterEqual(x, min), lessEqual(x, max)), dy, 0) };
}
