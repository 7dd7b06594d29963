import type { Tensor } from "@tensorflow/tfjs-core";
import { convFusedWasm } from "../backends/wasm/ops/conv.js";
import { InputError } from "../errors.js";
import { defineKernel } from "../kernels/define-kernel.js";
import { gelu } from "../kernels/gelu/gelu.js";
import { hardSwish, leakyRelu, relu, relu6, silu } from "./activations.js";
import { add } from "./arithmetic.js";
import { convolveGroups } from "./conv-grouped.js";
import { type ConvAttributes, convolve, depthwise } from "./conv-kernels.js";
import { reshape } from "./shape-ops.js";
import { sigmoid, tanh } from "./unary.js";

/** What a convolution may apply to its result, by name: our functions with their defaults. */
const ACTIVATIONS = {
  relu,
  relu6,
  gelu: (x: Tensor) => gelu(x),
  "gelu-tanh": (x: Tensor) => gelu(x, { approximate: "tanh" }),
  silu,
  "hard-swish": hardSwish,
  "leaky-relu": (x: Tensor) => leakyRelu(x),
  sigmoid,
  tanh,
} as const;

/** An activation that a convolution applies to its result; `gelu-tanh` is GELU's approximation by tanh, `leaky-relu` has slope 0.01. */
export type ConvActivation = keyof typeof ACTIVATIONS;

/** @internal */
export function assertConvActivation(operation: string, activation: unknown): void {
  if (activation !== undefined && !Object.hasOwn(ACTIVATIONS, activation as string))
    throw new InputError(
      `${operation}: expected activation as one of ${Object.keys(ACTIVATIONS).join(", ")}, got ${String(activation)}; apply others to the result`,
    );
}

/** @internal */
export function activate(y: Tensor, activation: ConvActivation): Tensor {
  return ACTIVATIONS[activation](y);
}

export type FusedConvAttributes = ConvAttributes & { groups: number; activation?: ConvActivation };

type FusedConvInputs = { x: Tensor; filter: Tensor; bias?: Tensor };

/** A convolution of x `[batch, height, width, in]` by `[kernelHeight, kernelWidth, in/groups, out]`, bias and activation apart. */
export function convolveAny(
  x: Tensor,
  filter: Tensor,
  { groups, ...attributes }: ConvAttributes & { groups: number },
): Tensor {
  if (groups === 1) return convolve(x, filter, attributes);
  const channels = x.shape[3] as number;
  const [height, width, perGroup, out] = filter.shape;
  if (perGroup > 1) return convolveGroups(x, filter, { ...attributes, groups });
  return depthwise(x, reshape(filter, [height, width, channels, out / groups]), attributes);
}

/** The same with `bias` `[out]` and an activation in one pass, where nothing is recorded for a gradient. */
const fusedKernel = /* @__PURE__ */ defineKernel<FusedConvInputs, FusedConvAttributes>({
  name: "FusedConv2D",
  reference({ x, filter, bias }, { activation, strides, padding, dilations, groups }) {
    const product = convolveAny(x, filter, { strides, padding, dilations, groups });
    const y = bias === undefined ? product : add(product, bias);
    return activation === undefined ? y : activate(y, activation);
  },
  implementations: { wasm: convFusedWasm },
});

/** @internal */
export function convolveFused(inputs: FusedConvInputs, attributes: FusedConvAttributes): Tensor {
  return fusedKernel(inputs, attributes);
}
