import type { Tensor } from "@tensorflow/tfjs-core";
import { assertOptions } from "../arguments.js";
import { activationWasm } from "../backends/wasm/ops/activations.js";
import { elementwiseWebgpu } from "../backends/webgpu/kernels/elementwise.js";
import { InputError } from "../errors.js";
import * as gradients from "../gradients/activations.js";
import { defineKernel } from "../kernels/define-kernel.js";
import { tidy } from "../memory.js";
import { add, div, maximum, minimum, mul, sub } from "./arithmetic.js";
import {
  assertTensor,
  floatUnary,
  type NoAttributes,
  numericUnary,
  toDType,
  type UnaryInputs,
} from "./broadcast.js";
import { greater, where } from "./compare.js";
import { abs, clip, exp, expm1, log1p, neg, sigmoid, tanh } from "./unary.js";

/** Scale and slope of SELU, from the paper's appendix. */
export const SELU_SCALE = 1.0507009873554805;
export const SELU_ALPHA = 1.6732632423543772;

const reluKernel = /* @__PURE__ */ defineKernel<UnaryInputs, NoAttributes>({
  name: "Relu",
  implementations: { webgpu: (call) => elementwiseWebgpu(call, "Relu") },
  stock: "Relu",
  saves: ["output"],
  gradient: gradients.reluGradient,
});

const relu6Kernel = /* @__PURE__ */ defineKernel<UnaryInputs, NoAttributes>({
  name: "Relu6",
  implementations: { webgpu: (call) => elementwiseWebgpu(call, "Relu6") },
  stock: "Relu6",
  saves: ["x"],
  gradient: gradients.relu6Gradient,
});

const eluKernel = /* @__PURE__ */ defineKernel<UnaryInputs, { alpha: number; scale: number }>({
  name: "Elu",
  implementations: {
    wasm: (call) => activationWasm(call, "Elu", call.attrs.alpha, call.attrs.scale),
    webgpu: (call) => elementwiseWebgpu(call, "Elu"),
  },
  reference: ({ x }, { alpha, scale }) => {
    const curve = where(greater(x, 0), x, mul(expm1(minimum(x, 0)), alpha));
    return scale === 1 ? curve : mul(curve, scale);
  },
  saves: ["x"],
  gradient: gradients.eluGradient,
});

const leakyReluKernel = /* @__PURE__ */ defineKernel<UnaryInputs, { negativeSlope: number }>({
  name: "LeakyRelu",
  implementations: { webgpu: (call) => elementwiseWebgpu(call, "LeakyRelu") },
  stock: { kernel: "LeakyRelu", attrs: ({ negativeSlope }) => ({ alpha: negativeSlope }) },
  saves: ["x"],
  gradient: gradients.leakyReluGradient,
});

const softplusKernel = /* @__PURE__ */ defineKernel<UnaryInputs, { beta: number; threshold: number }>({
  name: "Softplus",
  implementations: {
    wasm: (call) => activationWasm(call, "Softplus", call.attrs.beta, call.attrs.threshold),
    webgpu: (call) => elementwiseWebgpu(call, "Softplus"),
  },
  reference: ({ x }, { beta, threshold }) => {
    const scaled = beta === 1 ? x : mul(x, beta);
    const curve = add(maximum(scaled, 0), log1p(exp(neg(abs(scaled)))));
    return where(greater(scaled, threshold), x, beta === 1 ? curve : div(curve, beta));
  },
  saves: ["x"],
  gradient: gradients.softplusGradient,
});

const logSigmoidKernel = /* @__PURE__ */ defineKernel<UnaryInputs, NoAttributes>({
  name: "LogSigmoid",
  implementations: {
    wasm: (call) => activationWasm(call, "LogSigmoid"),
    webgpu: (call) => elementwiseWebgpu(call, "LogSigmoid"),
  },
  reference: ({ x }) => sub(minimum(x, 0), log1p(exp(neg(abs(x))))),
  saves: ["x"],
  gradient: gradients.logSigmoidGradient,
});

const siluKernel = /* @__PURE__ */ defineKernel<UnaryInputs, NoAttributes>({
  name: "Silu",
  implementations: {
    wasm: (call) => activationWasm(call, "Silu"),
    webgpu: (call) => elementwiseWebgpu(call, "Silu"),
  },
  reference: ({ x }) => mul(x, sigmoid(x)),
  saves: ["x"],
  gradient: gradients.siluGradient,
});

const mishKernel = /* @__PURE__ */ defineKernel<UnaryInputs, NoAttributes>({
  name: "Mish",
  implementations: {
    wasm: (call) => activationWasm(call, "Mish"),
    webgpu: (call) => elementwiseWebgpu(call, "Mish"),
  },
  reference: ({ x }) => mul(x, tanh(softplus(x))),
  saves: ["x"],
  gradient: gradients.mishGradient,
});

const hardSwishKernel = /* @__PURE__ */ defineKernel<UnaryInputs, NoAttributes>({
  name: "HardSwish",
  implementations: {
    wasm: (call) => activationWasm(call, "HardSwish"),
    webgpu: (call) => elementwiseWebgpu(call, "HardSwish"),
  },
  reference: ({ x }) => div(mul(x, clip(add(x, 3), { min: 0, max: 6 })), 6),
  saves: ["x"],
  gradient: gradients.hardSwishGradient,
});

const hardSigmoidKernel = /* @__PURE__ */ defineKernel<UnaryInputs, NoAttributes>({
  name: "HardSigmoid",
  implementations: {
    wasm: (call) => activationWasm(call, "HardSigmoid"),
    webgpu: (call) => elementwiseWebgpu(call, "HardSigmoid"),
  },
  reference: ({ x }) => div(clip(add(x, 3), { min: 0, max: 6 }), 6),
  saves: ["x"],
  gradient: gradients.hardSigmoidGradient,
});

/**
 * `max(x, 0)`; NaN stays NaN. Its gradient at 0 is 0.
 * @param x `[...]` @returns `[...]` of the same dtype (bool gives int32).
 */
export function relu(x: Tensor): Tensor {
  return numericUnary("relu", reluKernel, x);
}

/**
 * `min(max(x, 0), 6)`; NaN stays NaN. Its gradient at 0 and 6 is 0.
 * @param x `[...]` @returns `[...]` of the same dtype (bool gives int32).
 */
export function relu6(x: Tensor): Tensor {
  return numericUnary("relu6", relu6Kernel, x);
}

/**
 * Exponential linear unit: `x` above 0, `alpha·(eˣ − 1)` below.
 * @param x `[...]` @returns `[...]`, float32.
 * @see Clevert, Unterthiner, Hochreiter 2015, https://arxiv.org/abs/1511.07289
 */
export function elu(x: Tensor, options: { readonly alpha?: number } = {}): Tensor {
  assertOptions("elu", options, ["alpha"]);
  const { alpha = 1 } = options;
  assertTensor("elu", x);
  return tidy(() => eluKernel({ x: toDType(x, "float32") }, { alpha, scale: 1 }));
}

/**
 * `x` above 0, `negativeSlope·x` below (and the gradient at 0).
 * @param x `[...]` @returns `[...]`, float32.
 */
export function leakyRelu(x: Tensor, options: { readonly negativeSlope?: number } = {}): Tensor {
  assertOptions("leakyRelu", options, ["negativeSlope"]);
  const { negativeSlope = 0.01 } = options;
  assertTensor("leakyRelu", x);
  return tidy(() => leakyReluKernel({ x: toDType(x, "float32") }, { negativeSlope }));
}

/**
 * Scaled exponential linear unit `1.0507·(x above 0, 1.6733·(eˣ − 1) below)`, which keeps mean 0 and variance 1.
 * @param x `[...]` @returns `[...]`, float32.
 * @see Klambauer, Unterthiner, Mayr, Hochreiter 2017, https://arxiv.org/abs/1706.02515
 */
export function selu(x: Tensor): Tensor {
  assertTensor("selu", x);
  return tidy(() => eluKernel({ x: toDType(x, "float32") }, { alpha: SELU_ALPHA, scale: SELU_SCALE }));
}

/** Options of {@link softplus}. */
export interface SoftplusOptions {
  /** Sharpness of the bend, not 0. Default 1. */
  readonly beta?: number;
  /** Above this value of `beta·x` the function is `x` itself. Default 20. */
  readonly threshold?: number;
}

/**
 * A smooth ReLU: `ln(1 + exp(beta·x)) / beta`.
 * @param x `[...]` @returns `[...]`, float32.
 * @throws InputError when `beta` is 0 or not finite.
 */
export function softplus(x: Tensor, options: SoftplusOptions = {}): Tensor {
  assertOptions("softplus", options, ["beta", "threshold"]);
  const { beta = 1, threshold = 20 } = options;
  assertTensor("softplus", x);
  if (beta === 0 || !Number.isFinite(beta))
    throw new InputError(`softplus: expected a finite beta other than 0, got ${beta}`);
  return tidy(() => softplusKernel({ x: toDType(x, "float32") }, { beta, threshold }));
}

/**
 * `ln(sigmoid(x))`, without underflow for very negative `x`.
 * @param x `[...]` @returns `[...]`, float32.
 */
export function logSigmoid(x: Tensor): Tensor {
  return floatUnary("logSigmoid", logSigmoidKernel, x);
}

/**
 * `x · sigmoid(x)`, also called swish.
 * @param x `[...]` @returns `[...]`, float32.
 * @see Elfwing, Uchibe, Doya 2017, https://arxiv.org/abs/1702.03118
 */
export function silu(x: Tensor): Tensor {
  return floatUnary("silu", siluKernel, x);
}

/**
 * `x · tanh(softplus(x))`.
 * @param x `[...]` @returns `[...]`, float32.
 * @see Misra 2019, https://arxiv.org/abs/1908.08681
 */
export function mish(x: Tensor): Tensor {
  return floatUnary("mish", mishKernel, x);
}

/**
 * `x · min(max(x + 3, 0), 6) / 6`, a cheap {@link silu}.
 * @param x `[...]` @returns `[...]`, float32.
 * @see Howard et al. 2019, https://arxiv.org/abs/1905.02244
 */
export function hardSwish(x: Tensor): Tensor {
  return floatUnary("hardSwish", hardSwishKernel, x);
}

/**
 * `min(max(x + 3, 0), 6) / 6`, a cheap {@link sigmoid}. Its gradient at −3 and 3 is 0.
 * @param x `[...]` @returns `[...]`, float32.
 */
export function hardSigmoid(x: Tensor): Tensor {
  return floatUnary("hardSigmoid", hardSigmoidKernel, x);
}
