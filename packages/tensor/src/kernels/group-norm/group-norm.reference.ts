import type { Tensor } from "@tensorflow/tfjs-core";
import { add, mul, sub } from "../../ops/arithmetic.js";
import { mean, sum } from "../../ops/reduce.js";
import { reshape } from "../../ops/shape-ops.js";
import { rsqrt, square } from "../../ops/unary.js";
import type { GroupNormAttributes, GroupNormInputs } from "./group-norm.js";

const OVER = { axes: [1, 3], keepDims: true } as const;

/** Channels as groups. @returns `[batch, cells, numGroups, channels / numGroups]` */
function grouped(x: Tensor, numGroups: number): Tensor {
  const [batch, cells, channels]: readonly number[] = x.shape;
  return reshape(x, [batch, cells, numGroups, channels / numGroups]);
}

/** `x` without its groups' means and divided by their deviations. @returns both by groups */
function normalize(x: Tensor, { numGroups, epsilon }: GroupNormAttributes) {
  const groups = grouped(x, numGroups);
  const centered = sub(groups, mean(groups, OVER));
  const inverse = rsqrt(add(mean(square(centered), OVER), epsilon)); // [batch, 1, numGroups, 1]
  return { normalized: mul(centered, inverse), inverse };
}

/** Group normalization by plain ops. @returns `[batch, cells, channels]` */
export function groupNormReference({ x, weight, bias }: GroupNormInputs, attrs: GroupNormAttributes): Tensor {
  let result = reshape(normalize(x, attrs).normalized, x.shape);
  if (weight !== undefined) result = mul(result, weight);
  return bias === undefined ? result : add(result, bias);
}

/** @returns gradients of `x`: `(g − mean(g) − x̂·mean(g·x̂)) / deviation` with `g = dy·weight`; of weight and bias */
export function groupNormGradientReference(
  { dy, x, weight }: { dy: Tensor; x: Tensor; weight?: Tensor },
  attrs: GroupNormAttributes,
): Tensor[] {
  const { normalized, inverse } = normalize(x, attrs);
  const scaled = grouped(weight === undefined ? dy : mul(dy, weight), attrs.numGroups);
  const along = mul(normalized, mean(mul(scaled, normalized), OVER));
  const dx = mul(sub(sub(scaled, mean(scaled, OVER)), along), inverse);
  return [
    reshape(dx, x.shape),
    sum(mul(dy, reshape(normalized, x.shape)), { axes: [0, 1] }),
    sum(dy, { axes: [0, 1] }),
  ];
}
