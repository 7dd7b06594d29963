import type { Tensor } from "@tensorflow/tfjs-core";
import { add, div, mul } from "../../ops/arithmetic.js";
import { notEqual, where } from "../../ops/compare.js";
import { gather, takeAlongAxis } from "../../ops/indexing.js";
import { sum } from "../../ops/reduce.js";
import { expandDims, squeeze } from "../../ops/shape-ops.js";
import { logSoftmax } from "../../ops/softmax.js";
import { neg } from "../../ops/unary.js";
import { scalar } from "../../tensor.js";

export type CrossEntropyInputs = { logits: Tensor; targets: Tensor; weight?: Tensor };
export type CrossEntropyAttributes = {
  ignoreIndex: number;
  labelSmoothing: number;
  reduction: "mean" | "sum" | "none";
};

/** Cross-entropy of class numbers by plain ops. @param logits `[..., classes]` @param targets `[...]` int32 */
export function crossEntropyReference(
  { logits, targets, weight }: CrossEntropyInputs,
  { ignoreIndex, labelSmoothing, reduction }: CrossEntropyAttributes,
): Tensor {
  const counts = notEqual(targets, ignoreIndex); // [...]
  const safe = where(counts, targets, scalar(0, "int32"));
  const logProbabilities = logSoftmax(logits); // [..., classes]
  const ofTarget = squeeze(takeAlongAxis(logProbabilities, expandDims(safe, -1), { axis: -1 }), { axes: -1 }); // [...]
  const rowWeight = where(counts, weight === undefined ? scalar(1) : gather(weight, safe), scalar(0)); // [...]
  let losses = neg(mul(rowWeight, ofTarget));
  if (labelSmoothing > 0) {
    const weighted = weight === undefined ? logProbabilities : mul(logProbabilities, weight);
    const even = where(counts, neg(sum(weighted, { axes: -1 })), scalar(0)); // [...]
    const classes = logits.shape[logits.shape.length - 1];
    losses = add(mul(losses, 1 - labelSmoothing), mul(even, labelSmoothing / classes));
  }
  // a row of NaN that does not count must not reach the sum: 0 · NaN is NaN
  losses = where(counts, losses, scalar(0));
  if (reduction === "none") return losses;
  return reduction === "sum" ? sum(losses) : div(sum(losses), sum(rowWeight));
}

/** Cross-entropy of probabilities by plain ops. @param logits and targets `[..., classes]` */
export function softCrossEntropyReference(
  { logits, targets, weight }: CrossEntropyInputs,
  { labelSmoothing, reduction }: Omit<CrossEntropyAttributes, "ignoreIndex">,
): Tensor {
  const classes = logits.shape[logits.shape.length - 1];
  const smooth =
    labelSmoothing === 0 ? targets : add(mul(targets, 1 - labelSmoothing), labelSmoothing / classes);
  const weighted = weight === undefined ? smooth : mul(smooth, weight);
  const losses = neg(sum(mul(weighted, logSoftmax(logits)), { axes: -1 })); // [...]
  if (reduction === "none") return losses;
  const total = sum(losses);
  return reduction === "sum" ? total : div(total, losses.size);
}
