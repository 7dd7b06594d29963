import type { Tensor } from "@tensorflow/tfjs-core";
import { assertOptions } from "../../arguments.js";
import { hostValues } from "../../backends/host/values.js";
import { asDType } from "../../dtype.js";
import { DTypeError, InputError, KernelError, ShapeError } from "../../errors.js";
import { tidy } from "../../memory.js";
import { div, maximum } from "../../ops/arithmetic.js";
import { cast } from "../../ops/cast.js";
import { equal, where } from "../../ops/compare.js";
import { mean, sum } from "../../ops/reduce.js";
import { formatShape } from "../../shape.js";
import { scalar } from "../../tensor.js";
import { itemLengths } from "../item-lengths.js";
import { ctcLossKernel } from "./ctc-loss-items.js";

/** Options of {@link ctcLoss}. */
export interface CtcLossOptions {
  /** Steps of each item that count, `[batch]` int32 or plain numbers. Default: all. */
  readonly inputLengths?: Tensor | readonly number[];
  /** Labels of each target that count, `[batch]` int32 or plain numbers. Default: all. */
  readonly targetLengths?: Tensor | readonly number[];
  /** The class that stands for no label. Default 0. */
  readonly blank?: number;
  /**
   * `"mean"` (default) divides each loss by its target's length (at least 1), then takes the mean over the batch; `"sum"`
   * adds up; `"none"` gives a loss an item.
   */
  readonly reduction?: "mean" | "sum" | "none";
  /** Losses of targets that cannot be aligned, and their gradients, are 0 instead of infinite and NaN. Default false. */
  readonly zeroInfinity?: boolean;
}

const OPTION_NAMES = ["inputLengths", "targetLengths", "blank", "reduction", "zeroInfinity?"] as const;

/**
 * Connectionist temporal classification, equal to `torch.nn.functional.ctc_loss`: `−ln Σ p(path)` over all paths of one
 * class a step that give the target once repeats are merged and blanks dropped. Computed in log space, in
 * O(time · labels) an item.
 *
 * The batch is the first axis (PyTorch: the second). As in PyTorch the gradient is the one before a `logSoftmax`,
 * `e^logProbabilities − p(class | target)`: right when the log-probabilities come from one. Steps that do not count get
 * gradient 0, and so does a class of log-probability −∞ (PyTorch: NaN). A target without labels has the loss of blanks
 * only; one that does not fit its steps (a repeated label needs a blank between) has loss ∞ and gradient NaN.
 * @param logProbabilities `[batch, time, classes]`, `logSoftmax` of the logits
 * @param targets `[batch, labels]` int32 class numbers other than blank; what lies beyond `targetLengths` is not read
 * @returns a scalar, or `[batch]` with reduction `"none"`
 * @throws ShapeError, DTypeError when the tensors do not fit together. @throws InputError for an option out of range.
 * @throws KernelError for a target that is no class, or a length out of range, where the host has the values.
 * @see Graves et al. (2006), "Connectionist temporal classification", https://www.cs.toronto.edu/~graves/icml_2006.pdf, section 4.1
 * @example
 * const loss = ctcLoss(logSoftmax(logits), targets, { inputLengths: [50, 42], targetLengths: [7, 5] });
 */
export function ctcLoss(logProbabilities: Tensor, targets: Tensor, options: CtcLossOptions = {}): Tensor {
  assertOptions("ctcLoss", options, OPTION_NAMES);
  const { blank = 0, reduction = "mean", zeroInfinity = false } = options;
  assertTensors(logProbabilities, targets);
  const [batch, time, classes]: readonly number[] = logProbabilities.shape;
  if (!Number.isInteger(blank) || blank < 0 || blank >= classes)
    throw new InputError(`ctcLoss: expected blank as a class in [0, ${classes}), got ${blank}`);
  if (reduction !== "mean" && reduction !== "sum" && reduction !== "none")
    throw new InputError(`ctcLoss: expected reduction "mean", "sum" or "none", got ${String(reduction)}`);
  if (typeof zeroInfinity !== "boolean")
    throw new InputError(`ctcLoss: expected zeroInfinity true or false, got ${String(zeroInfinity)}`);
  return tidy(() => {
    const [, labels]: readonly number[] = targets.shape;
    const inputLengths = itemLengths(options.inputLengths, {
      operation: "ctcLoss",
      name: "inputLengths",
      batch,
      largest: time,
    });
    const targetLengths = itemLengths(options.targetLengths, {
      operation: "ctcLoss",
      name: "targetLengths",
      batch,
      largest: labels,
    });
    assertTargets(targets, targetLengths, { classes, blank });
    const [raw] = ctcLossKernel.multiple(
      { logProbabilities, targets, inputLengths, targetLengths },
      { blank, zeroInfinity },
    );
    const losses = zeroInfinity ? where(equal(raw, Number.POSITIVE_INFINITY), scalar(0), raw) : raw; // [batch]
    if (reduction === "none") return losses;
    if (reduction === "sum") return sum(losses);
    return mean(div(losses, maximum(cast(targetLengths, "float32"), 1)));
  });
}

function assertTensors(logProbabilities: Tensor, targets: Tensor): void {
  if (asDType("ctcLoss", logProbabilities?.dtype) !== "float32")
    throw new DTypeError(
      `ctcLoss: expected float32 log-probabilities, got ${logProbabilities.dtype}; pass logSoftmax(logits)`,
    );
  if (asDType("ctcLoss", targets?.dtype) !== "int32")
    throw new DTypeError(`ctcLoss: expected int32 targets, got ${targets.dtype}; cast them first`);
  if (logProbabilities.shape.length !== 3)
    throw new ShapeError(
      `ctcLoss: expected log-probabilities [batch, time, classes], got ${formatShape(logProbabilities.shape)}; put the batch first`,
    );
  if (targets.shape.length !== 2 || targets.shape[0] !== logProbabilities.shape[0])
    throw new ShapeError(
      `ctcLoss: expected targets [${logProbabilities.shape[0]}, labels] for log-probabilities ${formatShape(logProbabilities.shape)}, got ${formatShape(targets.shape)}; pad them to one length`,
    );
}

/** Where the host has the targets, a wrong one is an error here; on a GPU the gather's own check finds it. */
function assertTargets(
  targets: Tensor,
  targetLengths: Tensor,
  { classes, blank }: { classes: number; blank: number },
): void {
  const values = hostValues(targets);
  const counts = hostValues(targetLengths);
  if (values === undefined || counts === undefined) return;
  const [batch, labels]: readonly number[] = targets.shape;
  for (let item = 0; item < batch; item++)
    for (let label = 0; label < counts[item]; label++) {
      const target = values[item * labels + label];
      if (target < 0 || target >= classes || target === blank)
        throw new KernelError(
          `ctcLoss: expected targets in [0, ${classes}) other than blank (${blank}), got ${target} at label ${label} of item ${item}; check targetLengths and blank`,
        );
    }
}
