import { abs, greaterEqual, InputError, mul, square, sub, type Tensor, tidy, where } from "@ai/tensor";
import { assertOptionNames } from "../option-names.js";
import { assertFloat, assertReduction, assertSameShape, type Reduction, reduceLoss } from "./reduction.js";

/** Options of {@link l1Loss}. */
export interface L1LossOptions {
  /** Default "mean", over all elements. */
  readonly reduction?: Reduction;
}

/** Options of {@link smoothL1Loss}. */
export interface SmoothL1LossOptions extends L1LossOptions {
  /** Where the parabola meets the line, at least 0; 0 is the L1 loss. Default 1. */
  readonly beta?: number;
}

/** Options of {@link huberLoss}. */
export interface HuberLossOptions extends L1LossOptions {
  /** Where the parabola meets the line, above 0. Default 1. */
  readonly delta?: number;
}

function assertInputs(operation: string, input: Tensor, target: Tensor, reduction: Reduction): void {
  assertReduction(operation, reduction);
  assertFloat(operation, "input", input);
  assertFloat(operation, "target", target);
  assertSameShape(operation, input, target);
}

function assertBeta(operation: string, beta: number): void {
  if (!(beta >= 0 && Number.isFinite(beta)))
    throw new InputError(`${operation}: expected a finite beta of at least 0, got ${beta}`);
}

function assertDelta(operation: string, delta: number): void {
  if (!(delta > 0 && Number.isFinite(delta)))
    throw new InputError(`${operation}: expected a finite delta above 0, got ${delta}`);
}

/**
 * Absolute error `|x − y|`; its gradient at 0 is 0.
 * @param input `[...]` @param target `[...]`
 * @returns `[]`, or `[...]` with reduction "none".
 * @throws ShapeError when the shapes differ (nothing is broadcast), InputError for other dtypes or options.
 */
export function l1Loss(input: Tensor, target: Tensor, options: L1LossOptions = {}): Tensor {
  assertOptionNames("l1Loss", options, ["reduction"]);
  const { reduction = "mean" } = options;
  assertInputs("l1Loss", input, target, reduction);
  return tidy(() => reduceLoss(abs(sub(input, target)), reduction));
}

/**
 * Squared error near 0, absolute error beyond: `d² / (2β)` where `|d| < β`, else `|d| − β/2`, with `d = x − y`.
 * @param input `[...]` @param target `[...]`
 * @returns `[]`, or `[...]` with reduction "none".
 * @throws ShapeError when the shapes differ, InputError for other dtypes or options.
 * @see Girshick (2015), "Fast R-CNN", https://arxiv.org/abs/1504.08083, section 2.3
 */
export function smoothL1Loss(input: Tensor, target: Tensor, options: SmoothL1LossOptions = {}): Tensor {
  assertOptionNames("smoothL1Loss", options, ["beta", "reduction"]);
  const { beta = 1, reduction = "mean" } = options;
  assertInputs("smoothL1Loss", input, target, reduction);
  assertBeta("smoothL1Loss", beta);
  return tidy(() => {
    const difference = sub(input, target);
    const size = abs(difference);
    if (beta === 0) return reduceLoss(size, reduction);
    const isFar = greaterEqual(size, beta); // not of NaN, whose gradient is NaN
    // the parabola of an infinite difference has the gradient 0 · ∞
    const parabola = mul(square(where(isFar, 0, difference)), 0.5 / beta);
    return reduceLoss(where(isFar, sub(size, beta / 2), parabola), reduction);
  });
}

/**
 * Huber's loss: `d² / 2` where `|d| < δ`, else `δ · (|d| − δ/2)`, with `d = x − y`.
 * @param input `[...]` @param target `[...]`
 * @returns `[]`, or `[...]` with reduction "none".
 * @throws ShapeError when the shapes differ, InputError for other dtypes or options.
 * @see Huber (1964), "Robust Estimation of a Location Parameter", https://doi.org/10.1214/aoms/1177703732
 */
export function huberLoss(input: Tensor, target: Tensor, options: HuberLossOptions = {}): Tensor {
  assertOptionNames("huberLoss", options, ["delta", "reduction"]);
  const { delta = 1, reduction = "mean" } = options;
  assertInputs("huberLoss", input, target, reduction);
  assertDelta("huberLoss", delta);
  return tidy(() => {
    const difference = sub(input, target);
    const size = abs(difference);
    const isFar = greaterEqual(size, delta);
    const parabola = mul(square(where(isFar, 0, difference)), 0.5);
    const line = mul(sub(size, delta / 2), delta);
    return reduceLoss(where(isFar, line, parabola), reduction);
  });
}

/** {@link l1Loss} with its options kept. */
export class L1Loss {
  readonly #options: L1LossOptions;

  constructor(options: L1LossOptions = {}) {
    assertOptionNames("L1Loss", options, ["reduction"]);
    assertReduction("L1Loss", options.reduction ?? "mean");
    this.#options = { ...options };
  }

  /** @param input `[...]` @param target `[...]` @returns `[]` or `[...]` */
  call(input: Tensor, target: Tensor): Tensor {
    return l1Loss(input, target, this.#options);
  }
}

/** {@link smoothL1Loss} with its options kept. */
export class SmoothL1Loss {
  readonly #options: SmoothL1LossOptions;

  constructor(options: SmoothL1LossOptions = {}) {
    assertOptionNames("SmoothL1Loss", options, ["beta", "reduction"]);
    assertReduction("SmoothL1Loss", options.reduction ?? "mean");
    assertBeta("SmoothL1Loss", options.beta ?? 1);
    this.#options = { ...options };
  }

  /** @param input `[...]` @param target `[...]` @returns `[]` or `[...]` */
  call(input: Tensor, target: Tensor): Tensor {
    return smoothL1Loss(input, target, this.#options);
  }
}

/** {@link huberLoss} with its options kept. */
export class HuberLoss {
  readonly #options: HuberLossOptions;

  constructor(options: HuberLossOptions = {}) {
    assertOptionNames("HuberLoss", options, ["delta", "reduction"]);
    assertReduction("HuberLoss", options.reduction ?? "mean");
    assertDelta("HuberLoss", options.delta ?? 1);
    this.#options = { ...options };
  }

  /** @param input `[...]` @param target `[...]` @returns `[]` or `[...]` */
  call(input: Tensor, target: Tensor): Tensor {
    return huberLoss(input, target, this.#options);
  }
}
