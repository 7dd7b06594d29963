import type { Tensor, TensorInfo } from "@tensorflow/tfjs-core";
import type { WasmBackend } from "../backends/wasm/backend.js";
import { linearWasm } from "../backends/wasm/ops/linear.js";
import { InputError } from "../errors.js";
import { defineKernel, type KernelCall } from "../kernels/define-kernel.js";
import { gelu } from "../kernels/gelu/gelu.js";
import { relu, relu6, silu } from "./activations.js";
import { type LinearInputs, linear } from "./matmul.js";
import { sigmoid, tanh } from "./unary.js";

const ACTIVATIONS = {
  relu,
  relu6,
  gelu: (x: Tensor) => gelu(x),
  "gelu-tanh": (x: Tensor) => gelu(x, { approximate: "tanh" }),
  silu,
  sigmoid,
  tanh,
} satisfies Record<string, (x: Tensor) => Tensor>;

/** Activations that {@link linear} can apply in the same pass; `gelu-tanh` is GELU's approximation by tanh. */
export type LinearActivation = keyof typeof ACTIVATIONS;

type LinearActivationAttributes = { activation: LinearActivation };

/** While a gradient is recorded the two ops are separate: the activation's gradient needs what it was given. */
const linearActivationKernel = /* @__PURE__ */ defineKernel<LinearInputs, LinearActivationAttributes>({
  name: "LinearActivation",
  reference: ({ x, weight, bias }, { activation }) => activate(linear(x, weight, bias), activation),
  implementations: {
    wasm: ({ inputs, attrs, backend }: KernelCall<LinearActivationAttributes>): TensorInfo | null =>
      linearWasm(backend as WasmBackend, inputs, attrs.activation),
  },
});

/** @throws InputError for an activation that is not known. */
export function activate(x: Tensor, activation: LinearActivation): Tensor {
  assertActivation(activation);
  return ACTIVATIONS[activation](x);
}

function assertActivation(activation: LinearActivation): void {
  if (typeof activation !== "string" || !Object.hasOwn(ACTIVATIONS, activation))
    throw new InputError(
      `linear: expected activation to be one of ${Object.keys(ACTIVATIONS).join(", ")}, got ${String(activation)}; apply others yourself`,
    );
}

/** `activation(x · weightᵀ + bias)` for rows. x `[rows, inFeatures]` */
export function linearActivation(inputs: LinearInputs, activation: LinearActivation): Tensor {
  assertActivation(activation);
  return linearActivationKernel(inputs, { activation });
}
