import {
  cast,
  div,
  expandDims,
  gather,
  mul,
  neg,
  notEqual,
  reshape,
  ShapeError,
  scalar,
  sum,
  type Tensor,
  takeAlongAxis,
  tidy,
  where,
} from "@ai/tensor";
import { assertOptionNames } from "../option-names.js";
import {
  assertClasses,
  assertFloat,
  assertIgnoreIndex,
  assertReduction,
  assertWeights,
  type Reduction,
  weightTensor,
} from "./reduction.js";

const OPTIONS = ["weight", "ignoreIndex", "reduction"] as const;
/** PyTorch's default for a class index that does not count. */
const IGNORE_INDEX = -100;

/** Options of {@link nllLoss}. */
export interface NllLossOptions {
  /** Weight of each class, `[classes]`. Default: all 1. */
  readonly weight?: Tensor | readonly number[];
  /** Class index whose rows count nothing, neither in the sum nor in the mean. Default −100. */
  readonly ignoreIndex?: number;
  /** Default "mean": divided by the summed weights of the rows that count; NaN when there is none. */
  readonly reduction?: Reduction;
}

/**
 * Negative log-likelihood of the true classes: `loss = −w[y] · x[y]`. After `logSoftmax` it is the cross-entropy.
 * @param logProbabilities `[..., classes]`, classes last.
 * @param targets `[...]` int32 class indices.
 * @returns `[]`, or `[...]` with reduction "none".
 * @throws ShapeError when the shapes do not fit, InputError for other dtypes or options, KernelError for a class out of
 * range: here when the host has the targets, on a GPU at the next awaited read.
 */
export function nllLoss(logProbabilities: Tensor, targets: Tensor, options: NllLossOptions = {}): Tensor {
  assertOptionNames("nllLoss", options, OPTIONS);
  const { weight, ignoreIndex = IGNORE_INDEX, reduction = "mean" } = options;
  assertReduction("nllLoss", reduction);
  assertFloat("nllLoss", "logProbabilities", logProbabilities);
  assertIgnoreIndex("nllLoss", ignoreIndex);
  if (logProbabilities.shape.length === 0)
    throw new ShapeError("nllLoss: expected logProbabilities of shape [..., classes], got []");
  assertClasses("nllLoss", targets, logProbabilities.shape.slice(0, -1));
  const classes = logProbabilities.shape[logProbabilities.shape.length - 1];
  return tidy(() => {
    const counts = notEqual(targets, ignoreIndex);
    const known = where(counts, targets, scalar(0, "int32")); // [...]
    const picked = takeAlongAxis(logProbabilities, expandDims(known, -1), { axis: -1 }); // [..., 1]
    let factor = cast(counts, "float32");
    if (weight !== undefined) {
      const weights = weightTensor("nllLoss", weight);
      assertWeights("nllLoss", weights, classes);
      factor = mul(gather(weights, known), factor);
    }
    // a row that does not count may hold −∞, which 0 does not cancel
    const losses = where(counts, neg(mul(reshape(picked, targets.shape), factor)), 0);
    if (reduction === "none") return losses;
    return reduction === "sum" ? sum(losses) : div(sum(losses), sum(factor));
  });
}

/** {@link nllLoss} with its options kept. */
export class NLLLoss {
  readonly #options: NllLossOptions;

  constructor(options: NllLossOptions = {}) {
    assertOptionNames("NLLLoss", options, OPTIONS);
    assertReduction("NLLLoss", options.reduction ?? "mean");
    assertIgnoreIndex("NLLLoss", options.ignoreIndex);
    this.#options = { ...options };
  }

  /** @param logProbabilities `[..., classes]` @param targets `[...]` int32 @returns `[]` or `[...]` */
  call(logProbabilities: Tensor, targets: Tensor): Tensor {
    return nllLoss(logProbabilities, targets, this.#options);
  }
}
