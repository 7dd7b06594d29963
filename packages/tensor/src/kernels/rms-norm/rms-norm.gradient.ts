import type { Tensor } from "@tensorflow/tfjs-core";
import { defineKernel, type GradientContext } from "../define-kernel.js";
import type { RmsNormAttributes, RmsNormInputs } from "./rms-norm.js";
import { rmsNormInputGradientReference, rmsNormWeightGradientReference } from "./rms-norm.reference.js";
import { rmsNormInputGradientWasm, rmsNormWeightGradientWasm } from "./rms-norm.wasm.js";
import { rmsNormInputGradientWebgpu, rmsNormWeightGradientWebgpu } from "./rms-norm.webgpu.js";

/** Without gradients of their own: second derivatives go through the references. */
export const rmsNormInputGradientKernel = /* @__PURE__ */ defineKernel<
  { dy: Tensor; x: Tensor; weight?: Tensor },
  RmsNormAttributes
>({
  name: "RMSNormInputGradient",
  reference: rmsNormInputGradientReference,
  implementations: { wasm: rmsNormInputGradientWasm, webgpu: rmsNormInputGradientWebgpu },
});

export const rmsNormWeightGradientKernel = /* @__PURE__ */ defineKernel<
  { dy: Tensor; x: Tensor },
  RmsNormAttributes
>({
  name: "RMSNormWeightGradient",
  reference: rmsNormWeightGradientReference,
  implementations: { wasm: rmsNormWeightGradientWasm, webgpu: rmsNormWeightGradientWebgpu },
});

export function rmsNormGradient({ dy, saved, attrs }: GradientContext<RmsNormInputs, RmsNormAttributes>) {
  const { x, weight } = saved;
  return {
    x: () => rmsNormInputGradientKernel({ dy, x, weight }, attrs),
    weight: () => rmsNormWeightGradientKernel({ dy, x }, attrs),
  };
}
