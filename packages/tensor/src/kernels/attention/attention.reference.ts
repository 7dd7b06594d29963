import type { Tensor } from "@tensorflow/tfjs-core";
import { add, mul } from "../../ops/arithmetic.js";
import { equal, where } from "../../ops/compare.js";
import { matMul } from "../../ops/matmul.js";
import { all } from "../../ops/reduce.js";
import { softmax } from "../../ops/softmax.js";
import { fromValues, scalar } from "../../tensor.js";
import type { AttentionAttributes, AttentionInputs } from "./attention.js";

/** Attention by plain ops; inputs and result as in `attention.ts`. */
export function attentionReference(
  { query, key, value, mask, dropout }: AttentionInputs,
  { scale, isCausal }: AttentionAttributes,
): Tensor {
  const hidden = scalar(Number.NEGATIVE_INFINITY);
  let scores = mul(matMul(query, key, { transposeB: true }), scale); // [batch, heads, queries, keys]
  const visible = isCausal ? causalMask(lengthOf(query), lengthOf(key)) : mask;
  if (visible !== undefined)
    scores = visible.dtype === "bool" ? where(visible, scores, hidden) : add(scores, visible);
  let weights: Tensor;
  if (visible === undefined) weights = softmax(scores);
  else {
    // a row without a visible key: the softmax of zeros stands in, so that no NaN reaches the gradient
    const blind = all(equal(scores, hidden), { axes: -1, keepDims: true }); // [batch, heads, queries, 1]
    weights = where(blind, scalar(0), softmax(where(blind, scalar(0), scores)));
  }
  return matMul(dropout === undefined ? weights : mul(weights, dropout), value);
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
