import type { Tensor } from "@tensorflow/tfjs-core";
import { add, mul, sub } from "../../ops/arithmetic.js";
import { mean, sum } from "../../ops/reduce.js";
import { rsqrt, square } from "../../ops/unary.js";
import type { RmsNormAttributes, RmsNormInputs } from "./rms-norm.js";

/** @param x `[rows, dim]` @returns `[rows, 1]` */
function inverseRootMeanSquare(x: Tensor, epsilon: number): Tensor {
  return rsqrt(add(mean(square(x), { axes: 1, keepDims: true }), epsilon));
}

/** RMS normalization by plain ops. @param x `[rows, dim]` @returns `[rows, dim]` */
export function rmsNormReference({ x, weight }: RmsNormInputs, { epsilon }: RmsNormAttributes): Tensor {
  const normalized = mul(x, inverseRootMeanSquare(x, epsilon));
  return weight === undefined ? normalized : mul(normalized, weight);
}

/** Gradient of `x`: `(g − x̂·mean(g·x̂)) / rms` with `g = dy·weight`. @returns `[rows, dim]` */
export function rmsNormInputGradientReference(
  { dy, x, weight }: { dy: Tensor; x: Tensor; weight?: Tensor },
  { epsilon }: RmsNormAttributes,
): Tensor {
  const inverse = inverseRootMeanSquare(x, epsilon);
  const normalized = mul(x, inverse);
  const scaled = weight === undefined ? dy : mul(dy, weight);
  const projection = mean(mul(scaled, normalized), { axes: 1, keepDims: true });
  return mul(inverse, sub(scaled, mul(normalized, projection)));
}

/** Gradient of the weight: the sum of `dy·x̂` over the rows. @returns `[dim]` */
export function rmsNormWeightGradientReference(
  { dy, x }: { dy: Tensor; x: Tensor },
  { epsilon }: RmsNormAttributes,
): Tensor {
  return sum(mul(dy, mul(x, inverseRootMeanSquare(x, epsilon))), { axes: 0 });
}
