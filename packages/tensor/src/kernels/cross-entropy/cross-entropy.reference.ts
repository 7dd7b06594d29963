import type { Tensor } from "@tensorflow/tfjs-core";
import { add, mul, sub } from "../../ops/arithmetic.js";
import { notEqual, where } from "../../ops/compare.js";
import { oneHot, takeAlongAxis } from "../../ops/indexing.js";
import { sum } from "../../ops/reduce.js";
import { expandDims, squeeze } from "../../ops/shape-ops.js";
import { logSoftmax, softmax } from "../../ops/softmax.js";
import { logSumExp } from "../../ops/statistics.js";
import { neg } from "../../ops/unary.js";
import { scalar } from "../../tensor.js";
import type { CrossEntropyRowsAttributes, CrossEntropyRowsInputs } from "./cross-entropy-rows.js";

/** Which rows count, and targets that are in range for all. */
function readTargets(targets: Tensor, ignoreIndex: number): { counts: Tensor; safe: Tensor } {
  const counts = notEqual(targets, ignoreIndex);
  return { counts, safe: where(counts, targets, scalar(0, "int32")) };
}

/** Losses of rows by plain ops. @returns losses and `log Σ exp(logits)`, each `[rows]` */
export function crossEntropyRowsReference(
  { logits, targets }: CrossEntropyRowsInputs,
  { ignoreIndex }: CrossEntropyRowsAttributes,
): Tensor[] {
  const { counts, safe } = readTargets(targets, ignoreIndex);
  const ofTarget = takeAlongAxis(logSoftmax(logits), expandDims(safe, -1), { axis: -1 }); // [rows, 1]
  const losses = where(counts, neg(squeeze(ofTarget, { axes: -1 })), scalar(0)); // [rows]
  return [losses, logSumExp(logits, { axes: -1 })];
}

/** `(softmax(logits) − onehot(target)) · dy`, zeros in rows that do not count. @returns `[rows, classes]` */
export function crossEntropyRowsGradientReference(
  { dy, logits, targets }: CrossEntropyRowsInputs & { dy: Tensor },
  { ignoreIndex }: CrossEntropyRowsAttributes,
): Tensor {
  const [, classes]: readonly number[] = logits.shape;
  const { counts, safe } = readTargets(targets, ignoreIndex);
  const slope = sub(softmax(logits), oneHot(safe, classes));
  return where(expandDims(counts, -1), mul(slope, expandDims(dy, -1)), scalar(0));
}

/** Cross-entropy of probabilities by plain ops. @param inputs `logits` and `targets` `[..., classes]` @returns a loss a row, `[...]` */
export function softCrossEntropyReference(
  { logits, targets, weight }: { logits: Tensor; targets: Tensor; weight: Tensor | undefined },
  labelSmoothing: number,
): Tensor {
  const classes = logits.shape[logits.shape.length - 1];
  const smooth =
    labelSmoothing === 0 ? targets : add(mul(targets, 1 - labelSmoothing), labelSmoothing / classes);
  const weighted = weight === undefined ? smooth : mul(smooth, weight);
  return neg(sum(mul(weighted, logSoftmax(logits)), { axes: -1 })); // [...]
}
