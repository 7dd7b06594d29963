import type { Tensor } from "@tensorflow/tfjs-core";
import { matMul } from "../../ops/matmul.js";
import { sum } from "../../ops/reduce.js";
import { defineKernel, type GradientContext } from "../define-kernel.js";
import { dequantizeReference, quantizedLinearReference } from "./quantized-linear.reference.js";
import { dequantizeWasm, quantizedLinearWasm } from "./quantized-linear.wasm.js";
import { dequantizeWebgpu } from "./quantized-linear.webgpu.js";

/** `values` `[outFeatures, words]` int32, `scales` float32 and `zeroPoints` int32 `[outFeatures, groups]` */
export type QuantizedInputs = { values: Tensor; scales: Tensor; zeroPoints?: Tensor };
export type QuantizedAttributes = { bits: 8 | 4; groupSize: number; inFeatures: number };
/** With 16 a device may round activations to 2⁻¹⁵ of their row's largest. */
export type QuantizedLinearAttributes = QuantizedAttributes & { activationBits: 32 | 16 };
/** `x` `[rows, inFeatures]`, `bias` `[outFeatures]` */
export type QuantizedLinearInputs = QuantizedInputs & { x: Tensor; bias?: Tensor };

/** Weights as floats, `[outFeatures, inFeatures]`. They are constants: no gradient. */
export const dequantizeKernel = /* @__PURE__ */ defineKernel<QuantizedInputs, QuantizedAttributes>({
  name: "DequantizeWeight",
  reference: dequantizeReference,
  implementations: { wasm: dequantizeWasm, webgpu: dequantizeWebgpu },
  gradient: () => ({}),
});

/** `x · weightᵀ + bias`, `[rows, outFeatures]`, with gradients of `x` and `bias`. */
export const quantizedLinearKernel = /* @__PURE__ */ defineKernel<
  QuantizedLinearInputs,
  QuantizedLinearAttributes
>({
  name: "QuantizedLinear",
  reference: quantizedLinearReference,
  implementations: { wasm: quantizedLinearWasm },
  saves: ["values", "scales", "zeroPoints"],
  gradient: ({
    dy,
    saved: { values, scales, zeroPoints },
    attrs,
  }: GradientContext<QuantizedLinearInputs, QuantizedLinearAttributes>) => ({
    x: () => matMul(dy, dequantizeKernel({ values, scales, zeroPoints }, attrs)),
    bias: () => sum(dy, { axes: 0 }),
  }),
});
