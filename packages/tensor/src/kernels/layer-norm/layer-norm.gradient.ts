import type { Tensor } from "@tensorflow/tfjs-core";
import { defineKernel, type GradientContext } from "../define-kernel.js";
import type { LayerNormAttributes, LayerNormInputs } from "./layer-norm.js";
import {
  layerNormInputGradientReference,
  layerNormParameterGradientReference,
} from "./layer-norm.reference.js";
import { layerNormInputGradientWasm, layerNormParameterGradientWasm } from "./layer-norm.wasm.js";
import { layerNormInputGradientWebgpu, layerNormParameterGradientWebgpu } from "./layer-norm.webgpu.js";

/** Without gradients of their own: second derivatives go through the references. */
export const layerNormInputGradientKernel = /* @__PURE__ */ defineKernel<
  { dy: Tensor; x: Tensor; weight?: Tensor },
  LayerNormAttributes
>({
  name: "LayerNormInputGradient",
  reference: layerNormInputGradientReference,
  implementations: { wasm: layerNormInputGradientWasm, webgpu: layerNormInputGradientWebgpu },
});

export const layerNormParameterGradientKernel = /* @__PURE__ */ defineKernel<
  { dy: Tensor; x: Tensor },
  LayerNormAttributes
>({
  name: "LayerNormParameterGradient",
  reference: layerNormParameterGradientReference,
  implementations: { wasm: layerNormParameterGradientWasm, webgpu: layerNormParameterGradientWebgpu },
});

export function layerNormGradient({
  dy,
  saved,
  attrs,
}: GradientContext<LayerNormInputs, LayerNormAttributes>) {
  const { x, weight } = saved;
  let parameters: Tensor[] | undefined;
  const parameterGradients = (): Tensor[] => {
    parameters ??= layerNormParameterGradientKernel.multiple({ dy, x }, attrs);
    return parameters;
  };
  return {
    x: () => layerNormInputGradientKernel({ dy, x, weight }, attrs),
    weight: () => parameterGradients()[0],
    bias: () => parameterGradients()[1],
  };
}
