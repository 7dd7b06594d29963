import {
  add,
  cast,
  clip,
  InputError,
  logSigmoid,
  mul,
  neg,
  notEqual,
  sub,
  type Tensor,
  tidy,
  where,
} from "@ai/tensor";
import { assertOptionNames } from "../option-names.js";
import {
  assertFloat,
  assertNumberType,
  assertReduction,
  assertSameShape,
  type Reduction,
  reduceLoss,
} from "./reduction.js";

/** Options of {@link marginRankingLoss}. */
export interface MarginRankingLossOptions {
  /** By how much the one that ranks higher has to exceed the other. Default 0. */
  readonly margin?: number;
  /** Default "mean". */
  readonly reduction?: Reduction;
}

/**
 * Of two scores the one that should rank higher has to exceed the other: `max(0, −y · (x₁ − x₂) + margin)`.
 * @param first `[...]` scores. @param second `[...]` scores.
 * @param target `[...]` 1 where the first should rank higher, −1 where the second should, float32 or int32.
 * @returns `[]`, or `[...]` with reduction "none".
 * @throws ShapeError when the shapes differ (nothing is broadcast), InputError for other dtypes or options.
 * @see Burges et al. (2005), "Learning to Rank using Gradient Descent", https://doi.org/10.1145/1102351.1102363
 * @example
 * const loss = marginRankingLoss(model.call(better), model.call(worse), ones([batch]), { margin: 0.5 });
 */
export function marginRankingLoss(
  first: Tensor,
  second: Tensor,
  target: Tensor,
  options: MarginRankingLossOptions = {},
): Tensor {
  const operation = "marginRankingLoss";
  assertMarginOptions(operation, options);
  const { margin = 0, reduction = "mean" } = options;
  assertFloat(operation, "first", first);
  assertFloat(operation, "second", second);
  assertNumberType(operation, "target", target);
  assertSameShape(operation, first, second);
  assertSameShape(operation, first, target);
  return tidy(() => {
    const excess = mul(neg(cast(target, "float32")), sub(first, second));
    return reduceLoss(clip(add(excess, margin), { min: 0 }), reduction);
  });
}

/** Options of {@link hingeEmbeddingLoss}. */
export interface HingeEmbeddingLossOptions {
  /** Distance from which a pair that does not belong together costs nothing. Default 1. */
  readonly margin?: number;
  /** Default "mean". */
  readonly reduction?: Reduction;
}

/**
 * Distances of pairs, small where they belong together and large where not: `x` for target 1, `max(0, margin − x)` for
 * −1; any other target costs both, as in PyTorch.
 * @param input `[...]` distances. @param target `[...]` 1 or −1, float32 or int32.
 * @returns `[]`, or `[...]` with reduction "none".
 * @throws ShapeError when the shapes differ, InputError for other dtypes or options.
 * @see Hadsell, Chopra, LeCun (2006), "Dimensionality Reduction by Learning an Invariant Mapping",
 * https://doi.org/10.1109/CVPR.2006.100
 */
export function hingeEmbeddingLoss(
  input: Tensor,
  target: Tensor,
  options: HingeEmbeddingLossOptions = {},
): Tensor {
  const operation = "hingeEmbeddingLoss";
  assertMarginOptions(operation, options);
  const { margin = 1, reduction = "mean" } = options;
  assertFloat(operation, "input", input);
  assertNumberType(operation, "target", target);
  assertSameShape(operation, input, target);
  return tidy(() => {
    const apart = where(notEqual(target, 1), clip(sub(margin, input), { min: 0 }), 0);
    const together = where(notEqual(target, -1), input, 0);
    return reduceLoss(add(apart, together), reduction);
  });
}

/** Options of {@link softMarginLoss}. */
export interface SoftMarginLossOptions {
  /** Default "mean", over all elements. */
  readonly reduction?: Reduction;
}

/**
 * Logistic loss of scores whose sign is the class: `log(1 + exp(−y · x))`, exact for scores of any size (PyTorch's is
 * infinite, and its gradient NaN, where the exponential overflows).
 * @param input `[...]` scores. @param target `[...]` 1 or −1, float32 or int32.
 * @returns `[]`, or `[...]` with reduction "none".
 * @throws ShapeError when the shapes differ, InputError for other dtypes or options.
 */
export function softMarginLoss(input: Tensor, target: Tensor, options: SoftMarginLossOptions = {}): Tensor {
  const operation = "softMarginLoss";
  assertOptionNames(operation, options, ["reduction"]);
  const { reduction = "mean" } = options;
  assertReduction(operation, reduction);
  assertFloat(operation, "input", input);
  assertNumberType(operation, "target", target);
  assertSameShape(operation, input, target);
  return tidy(() => reduceLoss(neg(logSigmoid(mul(cast(target, "float32"), input))), reduction));
}

function assertMarginOptions(operation: string, options: MarginRankingLossOptions): void {
  assertOptionNames(operation, options, ["margin", "reduction"]);
  const { margin = 0, reduction = "mean" } = options;
  assertReduction(operation, reduction);
  if (!Number.isFinite(margin))
    throw new InputError(`${operation}: expected a finite margin, got ${String(margin)}`);
}

/** {@link marginRankingLoss} with its options kept. */
export class MarginRankingLoss {
  readonly #options: MarginRankingLossOptions;

  constructor(options: MarginRankingLossOptions = {}) {
    assertMarginOptions("MarginRankingLoss", options);
    this.#options = { ...options };
  }

  /** @param first `[...]` @param second `[...]` @param target `[...]` @returns `[]` or `[...]` */
  call(first: Tensor, second: Tensor, target: Tensor): Tensor {
    return marginRankingLoss(first, second, target, this.#options);
  }
}

/** {@link hingeEmbeddingLoss} with its options kept. */
export class HingeEmbeddingLoss {
  readonly #options: HingeEmbeddingLossOptions;

  constructor(options: HingeEmbeddingLossOptions = {}) {
    assertMarginOptions("HingeEmbeddingLoss", options);
    this.#options = { ...options };
  }

  /** @param input `[...]` distances @param target `[...]` @returns `[]` or `[...]` */
  call(input: Tensor, target: Tensor): Tensor {
    return hingeEmbeddingLoss(input, target, this.#options);
  }
}

/** {@link softMarginLoss} with its options kept. */
export class SoftMarginLoss {
  readonly #options: SoftMarginLossOptions;

  constructor(options: SoftMarginLossOptions = {}) {
    assertOptionNames("SoftMarginLoss", options, ["reduction"]);
    assertReduction("SoftMarginLoss", options.reduction ?? "mean");
    this.#options = { ...options };
  }

  /** @param input `[...]` scores @param target `[...]` @returns `[]` or `[...]` */
  call(input: Tensor, target: Tensor): Tensor {
    return softMarginLoss(input, target, this.#options);
  }
}
