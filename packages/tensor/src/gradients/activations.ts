import type { Tensor } from "@tensorflow/tfjs-core";
import type { GradientContext } from "../kernels/define-kernel.js";
import {
  eluGradKernel,
  hardSigmoidGradKernel,
  hardSwishGradKernel,
  leakyReluGradKernel,
  mishGradKernel,
  relu6GradKernel,
  reluGradKernel,
  siluGradKernel,
  softplusGradKernel,
} from "../ops/activation-gradients.js";
import { mul } from "../ops/arithmetic.js";
import { NO_ATTRIBUTES, type NoAttributes, type UnaryInputs } from "../ops/broadcast.js";
import { neg, sigmoid } from "../ops/unary.js";

type Context = GradientContext<UnaryInputs, NoAttributes>;

export function reluGradient(context: Context) {
  return { x: () => reluGradKernel({ dy: context.dy, y: context.output }, NO_ATTRIBUTES) };
}

/** ReLU is linear almost everywhere: the second derivative with respect to its input is zero. */
export function reluGradGradient({ dy, saved }: GradientContext<{ dy: Tensor; y: Tensor }, NoAttributes>) {
  return { dy: (): Tensor => reluGradKernel({ dy, y: saved.y }, NO_ATTRIBUTES) };
}

export function relu6Gradient({ dy, saved: { x } }: Context) {
  return { x: (): Tensor => relu6GradKernel({ dy, x }, NO_ATTRIBUTES) };
}

export function eluGradient({
  dy,
  saved: { x },
  attrs,
}: GradientContext<UnaryInputs, { alpha: number; scale: number }>) {
  return { x: (): Tensor => eluGradKernel({ dy, x }, attrs) };
}

export function leakyReluGradient({
  dy,
  saved: { x },
  attrs,
}: GradientContext<UnaryInputs, { negativeSlope: number }>) {
  return { x: (): Tensor => leakyReluGradKernel({ dy, x }, attrs) };
}

export function softplusGradient({
  dy,
  saved: { x },
  attrs,
}: GradientContext<UnaryInputs, { beta: number; threshold: number }>) {
  return { x: (): Tensor => softplusGradKernel({ dy, x }, attrs) };
}

export function logSigmoidGradient({ dy, saved: { x } }: Context) {
  return { x: () => mul(dy, sigmoid(neg(x))) };
}

export function siluGradient({ dy, saved: { x } }: Context) {
  return { x: (): Tensor => siluGradKernel({ dy, x }, NO_ATTRIBUTES) };
}

export function mishGradient({ dy, saved: { x } }: Context) {
  return { x: (): Tensor => mishGradKernel({ dy, x }, NO_ATTRIBUTES) };
}

export function hardSwishGradient({ dy, saved: { x } }: Context) {
  return { x: (): Tensor => hardSwishGradKernel({ dy, x }, NO_ATTRIBUTES) };
}

export function hardSigmoidGradient({ dy, saved: { x } }: Context) {
  return { x: (): Tensor => hardSigmoidGradKernel({ dy, x }, NO_ATTRIBUTES) };
}
