import type { Tensor } from "@tensorflow/tfjs-core";
import type { GradientContext } from "../kernels/define-kernel.js";
import { reluGradKernel, siluGradKernel } from "../ops/activation-gradients.js";
import { softplus } from "../ops/activations.js";
import { add, div, mul, sub } from "../ops/arithmetic.js";
import { NO_ATTRIBUTES, type NoAttributes, type UnaryInputs } from "../ops/broadcast.js";
import { greater, greaterEqual, less, lessEqual, logicalAnd, logicalOr, where } from "../ops/compare.js";
import { exp, neg, sigmoid, square, tanh } from "../ops/unary.js";

type Context = GradientContext<UnaryInputs, NoAttributes>;

export function reluGradient(context: Context) {
  return { x: () => reluGradKernel({ dy: context.dy, y: context.output }, NO_ATTRIBUTES) };
}

/** ReLU is linear almost everywhere: the second derivative with respect to its input is zero. */
export function reluGradGradient({ dy, saved }: GradientContext<{ dy: Tensor; y: Tensor }, NoAttributes>) {
  return { dy: (): Tensor => reluGradKernel({ dy, y: saved.y }, NO_ATTRIBUTES) };
}

export function relu6Gradient({ dy, saved: { x } }: Context) {
  return { x: () => where(logicalOr(lessEqual(x, 0), greaterEqual(x, 6)), 0, dy) };
}

export function eluGradient({
  dy,
  saved: { x },
  attrs: { alpha, scale },
}: GradientContext<UnaryInputs, { alpha: number; scale: number }>) {
  return {
    x: () => {
      const upper = scale === 1 ? dy : mul(dy, scale);
      const below = lessEqual(x, 0);
      // where keeps the exponential of large x, which is not used, from overflowing
      return where(below, mul(mul(dy, exp(where(below, x, 0))), alpha * scale), upper);
    },
  };
}

export function leakyReluGradient({
  dy,
  saved: { x },
  attrs: { negativeSlope },
}: GradientContext<UnaryInputs, { negativeSlope: number }>) {
  return { x: () => where(greater(x, 0), dy, mul(dy, negativeSlope)) };
}

export function softplusGradient({
  dy,
  saved: { x },
  attrs: { beta, threshold },
}: GradientContext<UnaryInputs, { beta: number; threshold: number }>) {
  return {
    x: () => {
      const scaled = beta === 1 ? x : mul(x, beta);
      return where(greater(scaled, threshold), dy, mul(dy, sigmoid(scaled)));
    },
  };
}

export function logSigmoidGradient({ dy, saved: { x } }: Context) {
  return { x: () => mul(dy, sigmoid(neg(x))) };
}

export function siluGradient({ dy, saved: { x } }: Context) {
  return { x: (): Tensor => siluGradKernel({ dy, x }, NO_ATTRIBUTES) };
}

export function mishGradient({ dy, saved: { x } }: Context) {
  return {
    x: () => {
      const bend = tanh(softplus(x));
      return mul(dy, add(bend, mul(mul(x, sigmoid(x)), sub(1, square(bend)))));
    },
  };
}

export function hardSwishGradient({ dy, saved: { x } }: Context) {
  return {
    x: () => {
      const inside = mul(dy, add(div(x, 3), 0.5));
      return where(lessEqual(x, -3), 0, where(less(x, 3), inside, dy));
    },
  };
}

export function hardSigmoidGradient({ dy, saved: { x } }: Context) {
  return { x: () => where(logicalAnd(greater(x, -3), less(x, 3)), div(dy, 6), 0) };
}
