import type { Tensor } from "@tensorflow/tfjs-core";
import { outputGradientWasm } from "../backends/wasm/ops/elementwise.js";
import { elementwiseWebgpu } from "../backends/webgpu/kernels/elementwise.js";
import { reluGradGradient } from "../gradients/activations.js";
import { defineKernel } from "../kernels/define-kernel.js";
import { add, mul, sub } from "./arithmetic.js";
import type { NoAttributes } from "./broadcast.js";
import { lessEqual, where } from "./compare.js";
import { sigmoid, square } from "./unary.js";

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
  implementations: { webgpu: (call) => elementwiseWebgpu(call, "SiluGrad") },
});
