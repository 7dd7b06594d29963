import type { Tensor } from "@tensorflow/tfjs-core";
import { activationWasm } from "../backends/wasm/ops/activations.js";
import { outputGradientWasm } from "../backends/wasm/ops/elementwise.js";
import { elementwiseWebgpu } from "../backends/webgpu/kernels/elementwise.js";
import { reluGradGradient } from "../gradients/activations.js";
import { defineKernel } from "../kernels/define-kernel.js";
import { softplus } from "./activations.js";
import { add, div, mul, sub } from "./arithmetic.js";
import type { NoAttributes } from "./broadcast.js";
import { greater, greaterEqual, less, lessEqual, logicalAnd, logicalOr, where } from "./compare.js";
import { exp, sigmoid, square, tanh } from "./unary.js";

/** `dy` where a ReLU let its input through: its output `y` is not ≤ 0 (NaN lets through, as in PyTorch). */
export const reluGradKernel = /* @__PURE__ */ defineKernel<{ dy: Tensor; y: Tensor }, NoAttributes>({
  name: "ReluGrad",
  implementations: {
    wasm: (call) => outputGradientWasm(call, "Relu"),
    webgpu: (call) => elementwiseWebgpu(call, "ReluGrad"),
  },
  reference: ({ dy, y }) => where(lessEqual(y, 0), 0, dy),
  saves: ["y"],
  gradient: reluGradGradient,
});

/** `dy` through a sigmoid whose result was `y`. */
export const sigmoidGradKernel = /* @__PURE__ */ defineKernel<{ dy: Tensor; y: Tensor }, NoAttributes>({
  name: "SigmoidGrad",
  reference: ({ dy, y }) => mul(dy, mul(y, sub(1, y))),
  implementations: {
    wasm: (call) => outputGradientWasm(call, "Sigmoid"),
    webgpu: (call) => elementwiseWebgpu(call, "SigmoidGrad"),
  },
});

/** `dy` through a tanh whose result was `y`. */
export const tanhGradKernel = /* @__PURE__ */ defineKernel<{ dy: Tensor; y: Tensor }, NoAttributes>({
  name: "TanhGrad",
  reference: ({ dy, y }) => mul(dy, sub(1, square(y))),
  implementations: {
    wasm: (call) => outputGradientWasm(call, "Tanh"),
    webgpu: (call) => elementwiseWebgpu(call, "TanhGrad"),
  },
});

/** `dy` through a SiLU of `x`. */
export const siluGradKernel = /* @__PURE__ */ defineKernel<{ dy: Tensor; x: Tensor }, NoAttributes>({
  name: "SiluGrad",
  reference: ({ dy, x }) => {
    const gate = sigmoid(x);
    return mul(mul(dy, gate), add(mul(x, sub(1, gate)), 1));
  },
  implementations: {
    wasm: (call) => activationWasm(call, "Silu"),
    webgpu: (call) => elementwiseWebgpu(call, "SiluGrad"),
  },
});

type ByInput = { dy: Tensor; x: Tensor };

/** `dy` through a ReLU6 of `x`. */
export const relu6GradKernel = /* @__PURE__ */ defineKernel<ByInput, NoAttributes>({
  name: "Relu6Grad",
  reference: ({ dy, x }) => where(logicalOr(lessEqual(x, 0), greaterEqual(x, 6)), 0, dy),
  implementations: { wasm: (call) => activationWasm(call, "Relu6") },
});

/** `dy` through an ELU of `x`. */
export const eluGradKernel = /* @__PURE__ */ defineKernel<ByInput, { alpha: number; scale: number }>({
  name: "EluGrad",
  reference: ({ dy, x }, { alpha, scale }) => {
    const upper = scale === 1 ? dy : mul(dy, scale);
    const below = lessEqual(x, 0);
    // where keeps the exponential of large x, which is not used, from overflowing
    return where(below, mul(mul(dy, exp(where(below, x, 0))), alpha * scale), upper);
  },
  implementations: {
    wasm: (call) => activationWasm(call, "Elu", call.attrs.alpha, call.attrs.scale),
  },
});

/** `dy` through a leaky ReLU of `x`. */
export const leakyReluGradKernel = /* @__PURE__ */ defineKernel<ByInput, { negativeSlope: number }>({
  name: "LeakyReluGrad",
  reference: ({ dy, x }, { negativeSlope }) => where(greater(x, 0), dy, mul(dy, negativeSlope)),
  implementations: { wasm: (call) => activationWasm(call, "LeakyRelu", call.attrs.negativeSlope) },
});

/** `dy` through a softplus of `x`. */
export const softplusGradKernel = /* @__PURE__ */ defineKernel<ByInput, { beta: number; threshold: number }>({
  name: "SoftplusGrad",
  reference: ({ dy, x }, { beta, threshold }) => {
    const scaled = beta === 1 ? x : mul(x, beta);
    return where(greater(scaled, threshold), dy, mul(dy, sigmoid(scaled)));
  },
  implementations: {
    wasm: (call) => activationWasm(call, "Softplus", call.attrs.beta, call.attrs.threshold),
  },
});

/** `dy` through a Mish of `x`. */
export const mishGradKernel = /* @__PURE__ */ defineKernel<ByInput, NoAttributes>({
  name: "MishGrad",
  reference: ({ dy, x }) => {
    const bend = tanh(softplus(x));
    return mul(dy, add(bend, mul(mul(x, sigmoid(x)), sub(1, square(bend)))));
  },
  implementations: { wasm: (call) => activationWasm(call, "Mish") },
});

/** `dy` through a hard swish of `x`. */
export const hardSwishGradKernel = /* @__PURE__ */ defineKernel<ByInput, NoAttributes>({
  name: "HardSwishGrad",
  reference: ({ dy, x }) => {
    const inside = mul(dy, add(div(x, 3), 0.5));
    return where(lessEqual(x, -3), 0, where(less(x, 3), inside, dy));
  },
  implementations: { wasm: (call) => activationWasm(call, "HardSwish") },
});

/** `dy` through a hard sigmoid of `x`. */
export const hardSigmoidGradKernel = /* @__PURE__ */ defineKernel<ByInput, NoAttributes>({
  name: "HardSigmoidGrad",
  reference: ({ dy, x }) => where(logicalAnd(greater(x, -3), less(x, 3)), div(dy, 6), 0),
  implementations: { wasm: (call) => activationWasm(call, "HardSigmoid") },
});
