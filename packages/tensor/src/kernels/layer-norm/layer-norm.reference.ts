import type { Tensor } from "@tensorflow/tfjs-core";
import { add, mul, sub } from "../../ops/arithmetic.js";
import { mean, sum } from "../../ops/reduce.js";
import { rsqrt, square } from "../../ops/unary.js";
import type { LayerNormAttributes, LayerNormInputs } from "./layer-norm.js";

/** `x` without its mean and divided by its deviation. @param x `[rows, dim]` */
function normalize(x: Tensor, epsilon: number): { normalized: Tensor; inverseDeviation: Tensor } {
  const centered = sub(x, mean(x, { axes: 1, keepDims: true }));
  const variance = mean(square(centered), { axes: 1, keepDims: true }); // [rows, 1]
  const inverseDeviation = rsqrt(add(variance, epsilon));
  return { normalized: mul(centered, inverseDeviation), inverseDeviation };
}

/** Layer normalization by plain ops. @param x `[rows, dim]` @returns `[rows, dim]` */
export function layerNormReference(
  { x, weight, bias }: LayerNormInputs,
  { epsilon }: LayerNormAttributes,
): Tensor {
  let result = normalize(x, epsilon).normalized;
  if (weight !== undefined) result = mul(result, weight);
  return bias === undefined ? result : add(result, bias);
}

/** Gradient of `x`: `(g − mean(g) − x̂·mean(g·x̂)) / deviation` with `g = dy·weight`. @returns `[rows, dim]` */
export function layerNormInputGradientReference(
  { dy, x, weight }: { dy: Tensor; x: Tensor; weight?: Tensor },
  { epsilon }: LayerNormAttributes,
): Tensor {
  const { normalized, inverseDeviation } = normalize(x, epsilon);
  const scaled = weight === undefined ? dy : mul(dy, weight);
  const average = mean(scaled, { axes: 1, keepDims: true });
  const projection = mean(mul(scaled, normalized), { axes: 1, keepDims: true });
  return mul(inverseDeviation, sub(sub(scaled, average), mul(normalized, projection)));
}

/** Gradients of weight and bias: sums of `dy·x̂` and of `dy` over the rows. @returns two of `[dim]` */
export function layerNormParameterGradientReference(
  { dy, x }: { dy: Tensor; x: Tensor },
  { epsilon }: LayerNormAttributes,
): Tensor[] {
  return [sum(mul(dy, normalize(x, epsilon).normalized), { axes: 0 }), sum(dy, { axes: 0 })];
}
