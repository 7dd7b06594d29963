import {
  add,
  div,
  exp,
  expandDims,
  greater,
  InputError,
  less,
  log,
  mul,
  ShapeError,
  square,
  stopGradient,
  sub,
  type Tensor,
  tidy,
  where,
} from "@ai/tensor";
import { formatShape } from "../../checks.js";
import { assertOptionNames } from "../option-names.js";
import { assertFloat, assertReduction, assertSameShape, type Reduction, reduceLoss } from "./reduction.js";

const POISSON_OPTIONS = ["logInput?", "full?", "epsilon", "reduction"] as const;
const GAUSSIAN_OPTIONS = ["full?", "epsilon", "reduction"] as const;

/** Options of {@link poissonNllLoss}. */
export interface PoissonNllLossOptions {
  /** The input is the logarithm of the rate. Default true. */
  readonly logInput?: boolean;
  /** Add Stirling's approximation of `log y!` where `y > 1`. Default false. */
  readonly full?: boolean;
  /** Added to the rate before its logarithm when `logInput` is false. Default 1e-8. */
  readonly epsilon?: number;
  /** Default "mean". */
  readonly reduction?: Reduction;
}

/**
 * Negative log-likelihood of counts: `exp(x) − y·x`, or `x − y · log(x + ε)` of rates that are no logarithms; with `full`
 * also `y · log y − y + log(2πy) / 2` where `y > 1`.
 * @param input `[...]` logarithms of rates, or rates. @param target `[...]` counts, float32.
 * @returns `[]`, or `[...]` with reduction "none".
 * @throws ShapeError when the shapes differ, InputError for other dtypes or options.
 */
export function poissonNllLoss(input: Tensor, target: Tensor, options: PoissonNllLossOptions = {}): Tensor {
  const operation = "poissonNllLoss";
  assertOptions(operation, options, POISSON_OPTIONS);
  const { logInput = true, full = false, epsilon = 1e-8, reduction = "mean" } = options;
  assertFloat(operation, "input", input);
  assertFloat(operation, "target", target);
  assertSameShape(operation, input, target);
  return tidy(() => {
    const losses = logInput
      ? sub(exp(input), mul(target, input))
      : sub(input, mul(target, log(add(input, epsilon))));
    if (!full) return reduceLoss(losses, reduction);
    const isLarge = greater(target, 1);
    const count = where(isLarge, target, 1);
    const stirling = add(sub(mul(count, log(count)), count), mul(log(mul(count, 2 * Math.PI)), 0.5));
    return reduceLoss(add(losses, where(isLarge, stirling, 0)), reduction);
  });
}

/** Options of {@link gaussianNllLoss}. */
export interface GaussianNllLossOptions {
  /** Add the constant `log(2π) / 2`. Default false. */
  readonly full?: boolean;
  /** Smaller variances count as this; the gradient passes as if they were not. Default 1e-6. */
  readonly epsilon?: number;
  /** Default "mean". */
  readonly reduction?: Reduction;
}

/**
 * Negative log-likelihood of a normal distribution that is predicted: `(log v + (x − y)² / v) / 2`.
 * @param input `[...]` means. @param target `[...]`
 * @param variance `[...]` of the same shape, `[..., 1]`, or without the last axis: one for all of it. A negative one gives NaN.
 * @returns `[]`, or `[...]` with reduction "none".
 * @throws ShapeError when the shapes do not fit, InputError for other dtypes or options.
 * @see Nix, Weigend (1994), "Estimating the mean and variance of the target probability distribution",
 * https://doi.org/10.1109/ICNN.1994.374138
 */
export function gaussianNllLoss(
  input: Tensor,
  target: Tensor,
  variance: Tensor,
  options: GaussianNllLossOptions = {},
): Tensor {
  const operation = "gaussianNllLoss";
  assertOptions(operation, options, GAUSSIAN_OPTIONS);
  const { full = false, epsilon = 1e-6, reduction = "mean" } = options;
  for (const [name, value] of Object.entries({ input, target, variance }))
    assertFloat(operation, name, value);
  assertSameShape(operation, input, target);
  const shape = formatShape(variance.shape);
  const lead = input.shape.slice(0, -1);
  const isOneForLast = input.shape.length > 0 && shape === formatShape(lead);
  if (!isOneForLast && shape !== formatShape(input.shape) && shape !== formatShape([...lead, 1]))
    throw new ShapeError(
      `${operation}: expected a variance of shape ${formatShape(input.shape)}, ${formatShape([...lead, 1])} or ${formatShape(lead)}, got ${shape}`,
    );
  return tidy(() => {
    const wide = isOneForLast ? expandDims(variance, -1) : variance;
    const bound = where(less(wide, epsilon), sub(epsilon, wide), 0); // 0 of an infinite one too
    const lift = where(less(wide, 0), Number.NaN, bound);
    const bounded = add(wide, stopGradient(lift));
    const losses = mul(add(log(bounded), div(square(sub(input, target)), bounded)), 0.5);
    return reduceLoss(full ? add(losses, 0.5 * Math.log(2 * Math.PI)) : losses, reduction);
  });
}

function assertOptions(operation: string, options: PoissonNllLossOptions, names: readonly string[]): void {
  assertOptionNames(operation, options, names);
  const { epsilon = 1, reduction = "mean" } = options;
  assertReduction(operation, reduction);
  if (!(epsilon > 0 && Number.isFinite(epsilon)))
    throw new InputError(`${operation}: expected an epsilon above 0, got ${epsilon}`);
}

/** {@link poissonNllLoss} with its options kept. */
export class PoissonNLLLoss {
  readonly #options: PoissonNllLossOptions;

  constructor(options: PoissonNllLossOptions = {}) {
    assertOptions("PoissonNLLLoss", options, POISSON_OPTIONS);
    this.#options = { ...options };
  }

  /** @param input `[...]` @param target `[...]` @returns `[]` or `[...]` */
  call(input: Tensor, target: Tensor): Tensor {
    return poissonNllLoss(input, target, this.#options);
  }
}

/** {@link gaussianNllLoss} with its options kept. */
export class GaussianNLLLoss {
  readonly #options: GaussianNllLossOptions;

  constructor(options: GaussianNllLossOptions = {}) {
    assertOptions("GaussianNLLLoss", options, GAUSSIAN_OPTIONS);
    this.#options = { ...options };
  }

  /** @param input `[...]` @param target `[...]` @param variance `[...]` or `[..., 1]` @returns `[]` or `[...]` */
  call(input: Tensor, target: Tensor, variance: Tensor): Tensor {
    return gaussianNllLoss(input, target, variance, this.#options);
  }
}
