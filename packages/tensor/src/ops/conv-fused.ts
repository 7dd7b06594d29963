import type { Tensor } from "@tensorflow/tfjs-core";
import { convFusedWasm } from "../backends/wasm/ops/conv.js";
import { defineKernel } from "../kernels/define-kernel.js";
import { add } from "./arithmetic.js";
import { convolveGroups } from "./conv-grouped.js";
import { type ConvAttributes, convolve, depthwise } from "./conv-kernels.js";
import { activate, type FusedActivation } from "./fused-activations.js";
import { reshape } from "./shape-ops.js";

export type FusedConvAttributes = ConvAttributes & { groups: number; activation?: FusedActivation };

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
