import type { Tensor } from "@tensorflow/tfjs-core";
import { add, mul, sub } from "../../ops/arithmetic.js";
import { sumToShape } from "../../ops/broadcast.js";
import { equal, where } from "../../ops/compare.js";
import { matMul } from "../../ops/matmul.js";
import { bernoulliKernel } from "../../ops/random-kernels.js";
import { all, sum } from "../../ops/reduce.js";
import { reshape } from "../../ops/shape-ops.js";
import { softmax } from "../../ops/softmax.js";
import { logSumExp } from "../../ops/statistics.js";
import { exp } from "../../ops/unary.js";
import { fromValues, scalar } from "../../tensor.js";
import type { AttentionAttributes, AttentionInputs } from "./attention.js";

/** Scores `[batch, heads, queries, keys]`, −∞ where a key is hidden, and whether a query may see no key. */
function scoresOf(
  { query, key, mask }: Pick<AttentionInputs, "query" | "key" | "mask">,
  { scale, isCausal }: AttentionAttributes,
): { scores: Tensor; mayBeBlind: boolean } {
  const scores = mul(matMul(query, key, { transposeB: true }), scale);
  const visible = isCausal ? causalMask(lengthOf(query), lengthOf(key)) : mask;
  if (visible === undefined) return { scores, mayBeBlind: lengthOf(key) === 0 };
  const masked =
    visible.dtype === "bool"
      ? where(visible, scores, scalar(Number.NEGATIVE_INFINITY))
      : add(scores, visible);
  return { scores: masked, mayBeBlind: true };
}

/** Weights `[batch, heads, queries, keys]`, before dropout, and ln Σ e^score `[batch, heads, queries]`. */
export function attentionWeights(
  inputs: Pick<AttentionInputs, "query" | "key" | "mask">,
  attrs: AttentionAttributes,
): [weights: Tensor, logSums: Tensor] {
  const { scores, mayBeBlind } = scoresOf(inputs, attrs);
  if (!mayBeBlind) return [softmax(scores), logSumExp(scores, { axes: -1 })];
  // a row without a visible key: the softmax of zeros stands in, so that no NaN reaches the gradient
  const blind = all(equal(scores, scalar(Number.NEGATIVE_INFINITY)), { axes: -1, keepDims: true }); // [batch, heads, queries, 1]
  const seen = where(blind, scalar(0), scores);
  const logSums = where(
    all(equal(scores, scalar(Number.NEGATIVE_INFINITY)), { axes: -1 }),
    scalar(0),
    logSumExp(seen, { axes: -1 }),
  );
  return [where(blind, scalar(0), softmax(seen)), logSums];
}

/** Factors of the weights, `shape`: 0, or what makes up for those that are dropped. */
export function drawnFactors(
  { kept, position }: NonNullable<AttentionAttributes["drawn"]>,
  shape: readonly number[],
): Tensor {
  const mask = bernoulliKernel({}, { shape: [...shape], dtype: "float32", probability: kept, position });
  return mul(mask, 1 / kept);
}

function factorsOf({ dropout }: AttentionInputs, { drawn }: AttentionAttributes, weights: Tensor) {
  return drawn === undefined ? dropout : drawnFactors(drawn, weights.shape);
}

/** Attention by plain ops; inputs as in `attention.ts`. @returns the result and ln Σ e^score `[batch, heads, queries]` */
export function attentionReference(inputs: AttentionInputs, attrs: AttentionAttributes): Tensor[] {
  const [weights, logSums] = attentionWeights(inputs, attrs);
  const factors = factorsOf(inputs, attrs, weights);
  return [matMul(factors === undefined ? weights : mul(weights, factors), inputs.value), logSums];
}

/** What the gradient starts from: the inputs, the two outputs and their gradients. */
export type AttentionGradientInputs = AttentionInputs & {
  output: Tensor;
  logSums: Tensor;
  dOutput: Tensor;
  dLogSums?: Tensor;
};

/** Weights from the saved sums, before and after dropout, and gradients of weights and scores. @returns `[batch, heads, queries, keys]` each */
function slopes(inputs: AttentionGradientInputs, attrs: AttentionAttributes) {
  const { value, output, logSums, dOutput, dLogSums } = inputs;
  const [batch, heads, queries]: readonly number[] = output.shape;
  const column = (tensor: Tensor): Tensor => reshape(tensor, [batch, heads, queries, 1]);
  const weights = exp(sub(scoresOf(inputs, attrs).scores, column(logSums)));
  const dKept = matMul(dOutput, value, { transposeB: true });
  const factors = factorsOf(inputs, attrs, weights);
  const dWeights = factors === undefined ? dKept : mul(dKept, factors);
  let shift = sum(mul(dOutput, output), { axes: -1, keepDims: true });
  if (dLogSums !== undefined) shift = sub(shift, column(dLogSums));
  const kept = factors === undefined ? weights : mul(weights, factors);
  return { weights, kept, dKept, dScores: mul(weights, sub(dWeights, shift)) };
}

/** @returns gradients of query, key and value, their shapes */
export function attentionGradientReference(
  inputs: AttentionGradientInputs,
  attrs: AttentionAttributes,
): Tensor[] {
  const { query, key, dOutput } = inputs;
  const { kept, dScores } = slopes(inputs, attrs);
  return [
    mul(matMul(dScores, key), attrs.scale),
    mul(matMul(dScores, query, { transposeA: true }), attrs.scale),
    matMul(kept, dOutput, { transposeA: true }),
  ];
}

/** @returns the gradient of a mask that is added, its shape */
export function attentionMaskGradient(inputs: AttentionGradientInputs, attrs: AttentionAttributes): Tensor {
  return sumToShape(slopes(inputs, attrs).dScores, inputs.mask!.shape);
}

/** @returns the gradient of the factors of the weights, `[batch, heads, queries, keys]` */
export function attentionDropoutGradient(
  inputs: AttentionGradientInputs,
  attrs: AttentionAttributes,
): Tensor {
  const { weights, dKept } = slopes(inputs, attrs);
  return mul(weights, dKept);
}

function lengthOf({ shape }: { shape: readonly number[] }): number {
  return shape[2];
}

/** True where key `j ≤` query `i`. @returns `[queries, keys]` bool */
export function causalMask(queries: number, keys: number): Tensor {
  const values = new Uint8Array(queries * keys);
  for (let i = 0; i < queries; i++) values.fill(1, i * keys, i * keys + Math.min(i + 1, keys));
  return fromValues(values, [queries, keys], "bool");
}
