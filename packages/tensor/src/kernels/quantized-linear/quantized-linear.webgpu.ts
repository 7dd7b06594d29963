import type { TensorInfo } from "@tensorflow/tfjs-core";
import { dispatch, u32 } from "../../backends/webgpu/dispatch.js";
import type { KernelCall } from "../define-kernel.js";
import type { QuantizedAttributes } from "./quantized-linear-rows.js";

export function dequantizeWebgpu({
  inputs,
  attrs: { bits, groupSize, inFeatures },
  backend,
}: KernelCall<QuantizedAttributes>): TensorInfo | null {
  const { values, scales, zeroPoints } = inputs;
  const [rows, words]: readonly number[] = values.shape;
  if (rows * inFeatures === 0) return null;
  const [, groups]: readonly number[] = scales.shape;
  const zero = zeroPoints === undefined ? "0" : "zeroPoints[place]";
  const [weights] = dispatch(backend, {
    name: "DequantizeWeight",
    variant: `${bits}${zero}`,
    inputs: zeroPoints === undefined ? { values, scales } : { values, scales, zeroPoints },
    outputs: { weights: { shape: [rows, inFeatures], dtype: "float32" } },
    uniforms: {
      words: u32(words),
      groups: u32(groups),
      groupSize: u32(groupSize),
      inFeatures: u32(inFeatures),
    },
    threads: rows * inFeatures,
    body: () => `
let row = index / uniforms.inFeatures;
let column = index % uniforms.inFeatures;
let place = row * uniforms.groups + column / uniforms.groupSize;
let word = values[row * uniforms.words + column / ${32 / bits}u];
let offset = (column % ${32 / bits}u) * ${bits}u;
let number = ${bits === 8 ? "extractBits(word, offset, 8u)" : "i32(extractBits(bitcast<u32>(word), offset, 4u)) - 8"};
weights[index] = f32(number - ${zero}) * scales[place];`,
  });
  return weights;
}
