import type { Tensor } from "@tensorflow/tfjs-core";
import { assertOptions } from "../../arguments.js";
import { DTypeError, InputError, ShapeError } from "../../errors.js";
import { tidy } from "../../memory.js";
import { assertTensor } from "../../ops/broadcast.js";
import { linear } from "../../ops/matmul.js";
import { reshape } from "../../ops/shape-ops.js";
import { formatShape, sameShape } from "../../shape.js";
import { quantizedLinearKernel } from "./quantized-linear-rows.js";
import { assertQuantizedWeight, dequantizeWeight, type QuantizedWeight } from "./quantized-weight.js";

/** Options of {@link quantizedLinear}. */
export interface QuantizedLinearOptions {
  /** `[outFeatures]` float32 */
  readonly bias?: Tensor;
  /**
   * 16 lets a device round activations to 2⁻¹⁵ of their row's largest where that is faster: `wasm` with few rows.
   * Elsewhere, and by default (32), they keep float32's digits.
   */
  readonly activationBits?: 32 | 16;
}

/**
 * A linear layer whose weight has 8 or 4 bits a number, `x · weightᵀ + bias`; activations stay float32. The result is that
 * of `linear` with {@link dequantizeWeight}'s matrix up to rounding. Gradients go to `x` and `bias`; the weight is constant.
 *
 * On `wasm`, few rows (16 for 8 bits, 8 for 4) read the small weight in place; what an element of `x` holds below 2⁻²⁹ of its row's largest
 * is rounded off there.
 * @param x `[..., inFeatures]` float32
 * @param weight `[outFeatures, inFeatures]`, as {@link quantizeWeight} gives it
 * @returns `[..., outFeatures]`
 * @throws ShapeError, DTypeError or InputError when the sizes or the parts of the weight do not fit.
 * @example
 * const y = quantizedLinear(x, quantizeWeight(weight), { bias }); // [batch, length, outFeatures]
 */
export function quantizedLinear(
  x: Tensor,
  weight: QuantizedWeight,
  options: QuantizedLinearOptions = {},
): Tensor {
  assertOptions("quantizedLinear", options, ["bias", "activationBits"]);
  const { bias, activationBits = 32 } = options;
  if (activationBits !== 32 && activationBits !== 16)
    throw new InputError(`quantizedLinear: expected activationBits 32 or 16, got ${String(activationBits)}`);
  assertQuantizedWeight("quantizedLinear", weight);
  for (const tensor of bias === undefined ? [x] : [x, bias]) {
    assertTensor("quantizedLinear", tensor);
    if (tensor.dtype !== "float32")
      throw new DTypeError(`quantizedLinear: expected float32 tensors, got ${tensor.dtype}; cast them first`);
  }
  const { values, scales, zeroPoints, bits, groupSize, shape } = weight;
  const [outFeatures, inFeatures] = shape;
  if (x.shape.length === 0 || x.shape[x.shape.length - 1] !== inFeatures)
    throw new ShapeError(
      `quantizedLinear: expected x with ${inFeatures} features in its last axis, got ${formatShape(x.shape)} for weight ${formatShape(shape)}`,
    );
  if (bias !== undefined && !sameShape(bias.shape, [outFeatures]))
    throw new ShapeError(
      `quantizedLinear: expected a bias [${outFeatures}], got ${formatShape(bias.shape)} for weight ${formatShape(shape)}`,
    );
  return tidy(() => {
    if (x.size === 0) return linear(x, dequantizeWeight(weight), bias);
    const rows = reshape(x, [x.size / inFeatures, inFeatures]); // [rows, inFeatures]
    const y = quantizedLinearKernel(
      { x: rows, values, scales, zeroPoints, bias },
      { bits, groupSize, inFeatures, activationBits },
    );
    return reshape(y, [...x.shape.slice(0, -1), outFeatures]); // [..., outFeatures]
  });
}
