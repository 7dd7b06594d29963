import type { Tensor } from "@tensorflow/tfjs-core";
import { convFusedWasm } from "../backends/wasm/ops/conv.js";
import { convBiasGradient, convReluGradient } from "../gradients/conv-fused.js";
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

/** The same with `bias` `[out]` and an activation in one pass; while a gradient is recorded the ops are apart. */
const fusedKernel = /* @__PURE__ */ defineKernel<FusedConvInputs, FusedConvAttributes>({
  name: "FusedConv2D",
  reference: convolveApart,
  implementations: { wasm: convFusedWasm },
});

/** A bias alone, in one pass while a gradient is recorded too. One group. */
const biasKernel = /* @__PURE__ */ defineKernel<FusedConvInputs, FusedConvAttributes>({
  name: "ConvBias2D",
  reference: convolveApart,
  implementations: { wasm: convFusedWasm },
  saves: ["x", "filter"],
  gradient: convBiasGradient,
});

/** A ReLU likewise: its gradient needs the result only. One group. */
const reluKernel = /* @__PURE__ */ defineKernel<FusedConvInputs, FusedConvAttributes>({
  name: "ConvRelu2D",
  reference: convolveApart,
  implementations: { wasm: convFusedWasm },
  saves: ["x", "filter", "output"],
  gradient: convReluGradient,
});

function convolveApart({ x, filter, bias }: FusedConvInputs, attributes: FusedConvAttributes): Tensor {
  const { activation, ...rest } = attributes;
  const product = convolveAny(x, filter, rest);
  const y = bias === undefined ? product : add(product, bias);
  return activation === undefined ? y : activate(y, activation);
}

/** @internal */
export function convolveFused(inputs: FusedConvInputs, attributes: FusedConvAttributes): Tensor {
  const { groups, activation } = attributes;
  if (groups === 1 && activation === undefined) return biasKernel(inputs, attributes);
  if (groups === 1 && activation === "relu") return reluKernel(inputs, attributes);
  return fusedKernel(inputs, attributes);
}
