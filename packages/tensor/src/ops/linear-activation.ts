import type { Tensor, TensorInfo } from "@tensorflow/tfjs-core";
import type { WasmBackend } from "../backends/wasm/backend.js";
import { linearWasm } from "../backends/wasm/ops/linear.js";
import { defineKernel, type KernelCall } from "../kernels/define-kernel.js";
import { activate, type FusedActivation } from "./fused-activations.js";
import { type LinearInputs, linear } from "./matmul.js";

type LinearActivationAttributes = { activation: FusedActivation };

/** While a gradient is recorded the two ops are separate: the activation's gradient needs what it was given. */
const linearActivationKernel = /* @__PURE__ */ defineKernel<LinearInputs, LinearActivationAttributes>({
  name: "LinearActivation",
  reference: ({ x, weight, bias }, { activation }) => activate(linear(x, weight, bias), activation),
  implementations: {
    wasm: ({ inputs, attrs, backend }: KernelCall<LinearActivationAttributes>): TensorInfo | null =>
      linearWasm(backend as WasmBackend, inputs, attrs.activation),
  },
});

/** `activation(x · weightᵀ + bias)` for rows. x `[rows, inFeatures]` */
export function linearActivation(inputs: LinearInputs, activation: FusedActivation): Tensor {
  return linearActivationKernel(inputs, { activation });
}
