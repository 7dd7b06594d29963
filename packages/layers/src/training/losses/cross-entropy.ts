import {
  add,
  crossEntropy,
  div,
  InputError,
  logSoftmax,
  mul,
  neg,
  reshape,
  ShapeError,
  sum,
  type Tensor,
  tidy,
} from "@ai/tensor";
import { assertOptionNames } from "../option-names.js";
import {
  assertFloat,
  assertIgnoreIndex,
  assertReduction,
  assertWeights,
  type Reduction,
  weightTensor,
} from "./reduction.js";

const OPTIONS = ["weight", "ignoreIndex", "labelSmoothing", "reduction"] as const;
/** PyTorch's default for a class index that does not count. */
const IGNORE_INDEX = -100;

/** Options of {@link crossEntropyLoss}. */
export interface CrossEntropyOptions {
  /** Weight of each class, `[classes]`. Default: all 1. */
  readonly weight?: Tensor | readonly number[];
  /** Class index whose rows count nothing, neither in the sum nor in the mean. Default −100. */
  readonly ignoreIndex?: number;
  /** Share of the target that is spread over all classes, in [0, 1]. Default 0. */
  readonly labelSmoothing?: number;
  /** Default "mean": for class indices divided by the summed weights of the rows that count. */
  readonly reduction?: Reduction;
}

/**
 * Cross-entropy between unnormalised scores and classes:
 * `loss = −w[y] · log softmax(x)[y]`, or `−Σ_c w[c] · y[c] · log softmax(x)[c]` for probabilities.
 * @param logits `[..., classes]` scores, classes last.
 * @param targets `[...]` int32 class indices, or `[..., classes]` float32 probabilities.
 * @returns `[]`, or `[...]` with reduction "none".
 * @throws ShapeError when the shapes do not fit, InputError for other dtypes or options out of range.
 * @see Szegedy, Vanhoucke, Ioffe, Shlens, Wojna (2016), "Rethinking the Inception Architecture for Computer Vision",
 * https://arxiv.org/abs/1512.00567, section 7 (label smoothing)
 * @example
 * const loss = crossEntropyLoss(model.call(images), labels, { labelSmoothing: 0.1 });
 */
export function crossEntropyLoss(logits: Tensor, targets: Tensor, options: CrossEntropyOptions = {}): Tensor {
  const { weight, labelSmoothing = 0, ignoreIndex = IGNORE_INDEX, reduction = "mean" } = options;
  assertOptionNames("crossEntropyLoss", options, OPTIONS);
  assertReduction("crossEntropyLoss", reduction);
  assertIgnoreIndex("crossEntropyLoss", ignoreIndex);
  assertFloat("crossEntropyLoss", "logits", logits);
  const targetType: string | undefined = targets?.dtype;
  if (targetType !== "int32" && targetType !== "float32")
    throw new InputError(
      `crossEntropyLoss: expected int32 class indices or float32 probabilities, got ${targetType ?? typeof targets}`,
    );
  assertSmoothing("crossEntropyLoss", labelSmoothing);
  if (logits.shape.length === 0)
    throw new ShapeError("crossEntropyLoss: expected logits of shape [..., classes], got []");
  const classes = logits.shape[logits.shape.length - 1];
  const lead = logits.shape.slice(0, -1);
  return tidy(() => {
    const weights = weight === undefined ? undefined : weightTensor("crossEntropyLoss", weight);
    if (weights !== undefined) assertWeights("crossEntropyLoss", weights, classes);
    if (targets.dtype === "float32") {
      if (options.ignoreIndex !== undefined)
        throw new InputError(
          "crossEntropyLoss: expected no ignoreIndex with float32 targets, got one; they are class probabilities, cast class indices to int32",
        );
      return fromProbabilities(logits, targets, weights, labelSmoothing, reduction);
    }
    assertShape(targets, lead, "class indices");
    const rows = lead.reduce((product, length) => product * length, 1);
    const losses = crossEntropy(reshape(logits, [rows, classes]), reshape(targets, [rows]), {
      ...(weights === undefined ? {} : { weight: weights }),
      ignoreIndex,
      labelSmoothing,
      reduction,
    });
    return reduction === "none" ? reshape(losses, lead) : losses;
  });
}

function assertSmoothing(operation: string, labelSmoothing: number): void {
  if (!(typeof labelSmoothing === "number" && labelSmoothing >= 0 && labelSmoothing <= 1))
    throw new InputError(`${operation}: expected labelSmoothing in [0, 1], got ${labelSmoothing}`);
}

function assertShape(targets: Tensor, expected: readonly number[], what: string): void {
  // a dataset's plain numbers become float32, the most frequent cause
  const isIndices = targets.dtype === "float32" && targets.shape.length === expected.length - 1;
  const hint = isIndices ? ': pass createCollate({ numberDtype: "int32" }) as collate, or cast them' : "";
  if (
    targets.shape.length !== expected.length ||
    targets.shape.some((length, axis) => length !== expected[axis])
  )
    throw new ShapeError(
      `crossEntropyLoss: expected ${what} of shape [${expected.join(", ")}], got [${targets.shape.join(", ")}]; class indices must be int32${hint}`,
    );
}

function fromProbabilities(
  logits: Tensor,
  targets: Tensor,
  weights: Tensor | undefined,
  labelSmoothing: number,
  reduction: Reduction,
): Tensor {
  assertShape(targets, logits.shape, "probabilities");
  const classes = logits.shape[logits.shape.length - 1];
  const smooth =
    labelSmoothing === 0 ? targets : add(mul(targets, 1 - labelSmoothing), labelSmoothing / classes);
  const scores = logSoftmax(logits);
  const weighted = weights === undefined ? scores : mul(scores, weights);
  const losses = neg(sum(mul(weighted, smooth), { axes: -1 })); // [...]
  if (reduction === "none") return losses;
  return reduction === "sum" ? sum(losses) : div(sum(losses), losses.size);
}

/** {@link crossEntropyLoss} with its options kept. */
export class CrossEntropyLoss {
  readonly #options: CrossEntropyOptions;

  /** @throws InputError for options out of range. */
  constructor(options: CrossEntropyOptions = {}) {
    assertOptionNames("CrossEntropyLoss", options, OPTIONS);
    assertReduction("CrossEntropyLoss", options.reduction ?? "mean");
    assertIgnoreIndex("CrossEntropyLoss", options.ignoreIndex);
    assertSmoothing("CrossEntropyLoss", options.labelSmoothing ?? 0);
    this.#options = { ...options };
  }

  /** @param logits `[..., classes]` @param targets `[...]` int32 or `[..., classes]` float32 @returns `[]` or `[...]` */
  call(logits: Tensor, targets: Tensor): Tensor {
    return crossEntropyLoss(logits, targets, this.#options);
  }
}
