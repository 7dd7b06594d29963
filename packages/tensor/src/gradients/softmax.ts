import type { Tensor } from "@tensorflow/tfjs-core";
import { softmaxGradientWasm } from "../backends/wasm/ops/rows.js";
import { defineKernel, type GradientContext } from "../kernels/define-kernel.js";
import { mul, sub } from "../ops/arithmetic.js";
import type { NoAttributes, UnaryInputs } from "../ops/broadcast.js";
import { sum } from "../ops/reduce.js";
import { exp } from "../ops/unary.js";

type Context = GradientContext<UnaryInputs, NoAttributes>;
type GradientInputs = { dy: Tensor; output: Tensor };

/** From the output of the forward pass. Without a gradient of its own: second derivatives go through the reference. */
const softmaxGradientKernel = /* @__PURE__ */ defineKernel<GradientInputs, NoAttributes>({
  name: "SoftmaxGradient",
  reference: ({ dy, output }) => {
    const weighted = mul(dy, output);
    return sub(weighted, mul(output, sum(weighted, { axes: -1, keepDims: true })));
  },
  implementations: { wasm: (call) => softmaxGradientWasm(call, "softmaxGradient") },
});

/** Likewise. */
const logSoftmaxGradientKernel = /* @__PURE__ */ defineKernel<GradientInputs, NoAttributes>({
  name: "LogSoftmaxGradient",
  reference: ({ dy, output }) => sub(dy, mul(exp(output), sum(dy, { axes: -1, keepDims: true }))),
  implementations: { wasm: (call) => softmaxGradientWasm(call, "logSoftmaxGradient") },
});

export function softmaxGradient(context: Context) {
  return { x: () => softmaxGradientKernel({ dy: context.dy, output: context.output }, {}) };
}

export function logSoftmaxGradient(context: Context) {
  return { x: () => logSoftmaxGradientKernel({ dy: context.dy, output: context.output }, {}) };
}
