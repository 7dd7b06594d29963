import type { Tensor } from "@tensorflow/tfjs-core";
import { assertOptions } from "../../arguments.js";
import { hostValues } from "../../backends/host/values.js";
import { asDType } from "../../dtype.js";
import { DTypeError, InputError, KernelError, ShapeError } from "../../errors.js";
import { tidy } from "../../memory.js";
import { add, div, mul } from "../../ops/arithmetic.js";
import { cast } from "../../ops/cast.js";
import { notEqual, where } from "../../ops/compare.js";
import { gather } from "../../ops/indexing.js";
import { sum } from "../../ops/reduce.js";
import { reshape } from "../../ops/shape-ops.js";
import { logSoftmax } from "../../ops/softmax.js";
import { neg } from "../../ops/unary.js";
import { formatShape, sameShape } from "../../shape.js";
import { scalar } from "../../tensor.js";
import { softCrossEntropyReference } from "./cross-entropy.reference.js";
import { crossEntropyRowsKernel } from "./cross-entropy-rows.js";

/** Options of {@link crossEntropy}. */
export interface CrossEntropyOptions {
  /** Weight of each class, `[classes]`. */
  readonly weight?: Tensor;
  /** Rows with this target count for nothing. Default −100; not for targets that are probabilities. */
  readonly ignoreIndex?: number;
  /** Share of the target that is spread evenly over all classes, in [0, 1]. Default 0. */
  readonly labelSmoothing?: number;
  /** `"mean"` (default) divides by the weights of the targets that count, `"sum"` adds up, `"none"` gives a loss a row. */
  readonly reduction?: "mean" | "sum" | "none";
}

/**
 * Cross-entropy between logits and targets, equal to `torch.nn.functional.cross_entropy`:
 * `−weight[target] · log softmax(logits)[target]` a row, then the reduction. The mean over no row is NaN.
 * @param logits `[..., classes]`: classes are the last axis, not the second.
 * @param targets `[...]` int32 class numbers, or `[..., classes]` float32 probabilities.
 * @returns a scalar, or `[...]` with reduction `"none"`
 * @throws KernelError for a target outside [0, classes) other than `ignoreIndex`: here when the host has the targets,
 * on a GPU at the next awaited read.
 * @throws ShapeError or DTypeError when the tensors do not fit together.
 * @throws InputError for an option out of range.
 * @see Szegedy et al. (2016), "Rethinking the inception architecture", https://arxiv.org/abs/1512.00567, section 7 (label smoothing)
 */
export function crossEntropy(logits: Tensor, targets: Tensor, options: CrossEntropyOptions = {}): Tensor {
  assertOptions("crossEntropy", options, ["weight", "ignoreIndex", "labelSmoothing", "reduction"]);
  const { weight, ignoreIndex = -100, labelSmoothing = 0, reduction = "mean" } = options;
  const soft = assertCrossEntropy(logits, targets, weight);
  if (!(labelSmoothing >= 0 && labelSmoothing <= 1))
    throw new InputError(`crossEntropy: expected labelSmoothing in [0, 1], got ${labelSmoothing}`);
  if (reduction !== "mean" && reduction !== "sum" && reduction !== "none")
    throw new InputError(
      `crossEntropy: expected reduction "mean", "sum" or "none", got ${String(reduction)}`,
    );
  if (!Number.isInteger(ignoreIndex))
    throw new InputError(`crossEntropy: expected an integer ignoreIndex, got ${ignoreIndex}`);
  if (!soft) {
    const counted = assertTargets(targets, logits.shape[logits.shape.length - 1], ignoreIndex);
    return tidy(() =>
      ofClasses(logits, targets, weight, { ignoreIndex, labelSmoothing, reduction, counted }),
    );
  }
  if (options.ignoreIndex !== undefined)
    throw new InputError(
      "crossEntropy: expected no ignoreIndex with probabilities as targets, got one; weigh the rows yourself",
    );
  return tidy(() => {
    const losses = softCrossEntropyReference({ logits, targets, weight }, labelSmoothing);
    if (reduction === "none") return losses;
    return reduction === "sum" ? sum(losses) : div(sum(losses), losses.size);
  });
}

/** Numbers of the loss for class numbers; `counted` is how many targets are not ignored, where the host knows it. */
type ClassLossOptions = Required<Omit<CrossEntropyOptions, "weight">> & {
  readonly counted: number | undefined;
};

/** The loss for class numbers. @param logits `[..., classes]` @param targets `[...]` int32 */
function ofClasses(
  logits: Tensor,
  targets: Tensor,
  weight: Tensor | undefined,
  { ignoreIndex, labelSmoothing, reduction, counted }: ClassLossOptions,
): Tensor {
  const { shape } = targets;
  const classes = logits.shape[logits.shape.length - 1];
  const [rowLosses] = crossEntropyRowsKernel.multiple(
    { logits: reshape(logits, [targets.size, classes]), targets: reshape(targets, [targets.size]) },
    { ignoreIndex },
  );
  if (weight === undefined && labelSmoothing === 0 && counted !== undefined && reduction !== "none")
    return reduction === "sum" ? sum(rowLosses) : div(sum(rowLosses), counted);
  let losses = reshape(rowLosses, shape); // [...]
  const counts = notEqual(targets, ignoreIndex);
  const zero = scalar(0);
  const rowWeight =
    weight === undefined
      ? cast(counts, "float32")
      : where(counts, gather(weight, where(counts, targets, scalar(0, "int32"))), zero); // [...]
  if (weight !== undefined) losses = mul(losses, rowWeight);
  if (labelSmoothing > 0) {
    const logProbabilities = logSoftmax(logits);
    const weighted = weight === undefined ? logProbabilities : mul(logProbabilities, weight);
    const even = neg(sum(weighted, { axes: -1 })); // [...]
    const smoothed = add(mul(losses, 1 - labelSmoothing), mul(even, labelSmoothing / classes));
    losses = where(counts, smoothed, zero);
  }
  if (reduction === "none") return losses;
  return reduction === "sum" ? sum(losses) : div(sum(losses), sum(rowWeight));
}

/** @returns whether the targets are probabilities */
function assertCrossEntropy(logits: Tensor, targets: Tensor, weight: Tensor | undefined): boolean {
  asDType("crossEntropy", logits?.dtype);
  asDType("crossEntropy", targets?.dtype);
  if (weight !== undefined) asDType("crossEntropy", weight?.dtype);
  const { shape } = logits;
  if (asDType("crossEntropy", logits.dtype) !== "float32")
    throw new DTypeError(`crossEntropy: expected float32 logits, got ${logits.dtype}; cast them first`);
  if (shape.length < 1) throw new ShapeError("crossEntropy: expected logits [..., classes], got a scalar");
  const soft = targets.dtype === "float32";
  if (!soft && targets.dtype !== "int32")
    throw new DTypeError(
      `crossEntropy: expected int32 targets, or float32 probabilities, got ${targets.dtype}; cast them first`,
    );
  const expected = soft ? shape : shape.slice(0, -1);
  if (!sameShape(targets.shape, expected))
    throw new ShapeError(
      `crossEntropy: expected ${targets.dtype} targets of shape ${formatShape(expected)} for logits ${formatShape(shape)}, got ${formatShape(targets.shape)}`,
    );
  const classes = shape[shape.length - 1];
  if (weight !== undefined && (weight.dtype !== "float32" || !sameShape(weight.shape, [classes])))
    throw new ShapeError(
      `crossEntropy: expected a float32 weight of shape [${classes}], got ${weight.dtype} ${formatShape(weight.shape)}`,
    );
  return soft;
}

/**
 * Where the host has the targets, a wrong one is an error here; elsewhere the gather's own check finds it.
 * @returns how many are not ignored; undefined where the host does not have them
 */
function assertTargets(targets: Tensor, classes: number, ignoreIndex: number): number | undefined {
  const values = hostValues(targets);
  if (values === undefined) return undefined;
  let counted = 0;
  for (let row = 0; row < values.length; row++) {
    const target = values[row];
    if (target !== ignoreIndex) counted++;
    if (target !== ignoreIndex && (target < 0 || target >= classes))
      throw new KernelError(
        `crossEntropy: expected targets in [0, ${classes}) or the ignoreIndex ${ignoreIndex}, got ${target} in row ${row}`,
      );
  }
  return counted;
}
