import type { Tensor } from "@tensorflow/tfjs-core";
import { floorDivide, mul, remainder, sub } from "../../ops/arithmetic.js";
import { cast } from "../../ops/cast.js";
import { greaterEqual } from "../../ops/compare.js";
import { gather } from "../../ops/indexing.js";
import { linear } from "../../ops/matmul.js";
import { expandDims, reshape } from "../../ops/shape-ops.js";
import { narrow } from "../../ops/slice.js";
import { fromValues, tensor } from "../../tensor.js";
import {
  dequantizeKernel,
  type QuantizedAttributes,
  type QuantizedInputs,
  type QuantizedLinearInputs,
} from "./quantized-linear-rows.js";

/** Weights as floats by plain ops. @returns `[outFeatures, inFeatures]` */
export function dequantizeReference(
  { values, scales, zeroPoints }: QuantizedInputs,
  { bits, groupSize, inFeatures }: QuantizedAttributes,
): Tensor {
  const [rows, words]: readonly number[] = values.shape;
  const each = 32 / bits;
  const range = 2 ** bits;
  const powers = tensor(Int32Array.from({ length: each }, (_, i) => range ** i));
  const digits = remainder(floorDivide(expandDims(values, 2), powers), range); // [rows, words, each]
  const signed =
    bits === 8 ? sub(digits, mul(cast(greaterEqual(digits, 128), "int32"), 256)) : sub(digits, 8);
  const all = reshape(signed, [rows, words * each]);
  const numbers = narrow(all, { axis: 1, start: 0, length: inFeatures }); // [rows, inFeatures]
  const groupOf = Int32Array.from({ length: inFeatures }, (_, i) => Math.floor(i / groupSize));
  const groups = fromValues(groupOf, [inFeatures], "int32");
  const shifted = zeroPoints === undefined ? numbers : sub(numbers, gather(zeroPoints, groups, { axis: 1 }));
  return mul(cast(shifted, "float32"), gather(scales, groups, { axis: 1 }));
}

/** The product by plain ops. @returns `[rows, outFeatures]` */
export function quantizedLinearReference(
  { x, values, scales, zeroPoints, bias }: QuantizedLinearInputs,
  attributes: QuantizedAttributes,
): Tensor {
  return linear(x, dequantizeKernel({ values, scales, zeroPoints }, attributes), bias);
}
