import { div, equal, exp, InputError, log, mul, sub, sum, type Tensor, tidy, where } from "@ai/tensor";
import { assertOptionNames } from "../option-names.js";
import { assertFloat, assertReduction, assertSameShape, type Reduction, reduceLoss } from "./reduction.js";

const OPTIONS = ["logTarget?", "reduction"] as const;

/** Options of {@link klDivLoss}. */
export interface KlDivLossOptions {
  /** The target holds logarithms too. Default false. */
  readonly logTarget?: boolean;
  /**
   * "batchmean" divides the sum by the first size: the divergence as it is defined. Default "mean", over all elements,
   * as in PyTorch.
   */
  readonly reduction?: Reduction | "batchmean";
}

/**
 * Kullback–Leibler divergence of a target distribution from a prediction: `y · (log y − x)`, 0 where `y = 0`.
 * @param input `[batch, ...]` logarithms of predicted probabilities.
 * @param target `[batch, ...]` probabilities, or their logarithms with `logTarget`.
 * @returns `[]`, or `[batch, ...]` with reduction "none".
 * @throws ShapeError when the shapes differ, InputError for other dtypes or options.
 * @see Kullback, Leibler (1951), "On Information and Sufficiency", https://doi.org/10.1214/aoms/1177729694
 * @example
 * const loss = klDivLoss(logSoftmax(student), softmax(teacher), { reduction: "batchmean" });
 */
export function klDivLoss(input: Tensor, target: Tensor, options: KlDivLossOptions = {}): Tensor {
  assertOptionNames("klDivLoss", options, OPTIONS);
  const { logTarget = false, reduction = "mean" } = options;
  assertKlReduction("klDivLoss", reduction);
  assertFloat("klDivLoss", "input", input);
  assertFloat("klDivLoss", "target", target);
  assertSameShape("klDivLoss", input, target);
  if (reduction === "batchmean" && input.shape.length === 0)
    throw new InputError('klDivLoss: expected a batch axis for reduction "batchmean", got a scalar');
  return tidy(() => {
    const losses = logTarget ? mul(exp(target), sub(target, input)) : ofProbabilities(input, target);
    if (reduction === "batchmean") return div(sum(losses), input.shape[0]);
    return reduceLoss(losses, reduction);
  });
}

function ofProbabilities(input: Tensor, target: Tensor): Tensor {
  const isZero = equal(target, 0);
  const entropy = where(isZero, 0, mul(target, log(where(isZero, 1, target))));
  return sub(entropy, mul(target, input));
}

function assertKlReduction(operation: string, reduction: string): void {
  if (reduction === "batchmean") return;
  if (!["mean", "sum", "none"].includes(reduction))
    throw new InputError(
      `${operation}: expected reduction mean, sum, none or batchmean, got ${String(reduction)}`,
    );
  assertReduction(operation, reduction);
}

/** {@link klDivLoss} with its options kept. */
export class KLDivLoss {
  readonly #options: KlDivLossOptions;

  constructor(options: KlDivLossOptions = {}) {
    assertOptionNames("KLDivLoss", options, OPTIONS);
    assertKlReduction("KLDivLoss", options.reduction ?? "mean");
    this.#options = { ...options };
  }

  /** @param input `[batch, ...]` @param target `[batch, ...]` @returns `[]` or `[batch, ...]` */
  call(input: Tensor, target: Tensor): Tensor {
    return klDivLoss(input, target, this.#options);
  }
}
