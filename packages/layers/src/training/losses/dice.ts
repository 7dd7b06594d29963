import { add, div, InputError, mul, ShapeError, square, sub, sum, type Tensor, tidy } from "@ai/tensor";
import { formatShape } from "../../checks.js";
import { assertOptionNames } from "../option-names.js";
import { assertFloat, assertReduction, assertSameShape, type Reduction, reduceLoss } from "./reduction.js";

const OPTIONS = ["smooth", "squared?", "reduction"] as const;

/** Options of {@link diceLoss}. */
export interface DiceLossOptions {
  /** Added to numerator and denominator: an empty mask that is predicted empty costs 0. Default 1. */
  readonly smooth?: number;
  /** Squares in the denominator, as in V-Net. Default false. */
  readonly squared?: boolean;
  /** Default "mean", over batch and classes. */
  readonly reduction?: Reduction;
}

/**
 * One minus the overlap of two masks, of each example and class: `1 − (2·Σ p·y + s) / (Σ p + Σ y + s)`, sums over all
 * positions.
 * @param input `[batch, ..., classes]` probabilities in [0, 1], for example `[batch, height, width, classes]`.
 * @param target `[batch, ..., classes]` masks in [0, 1].
 * @returns `[]`, or `[batch, classes]` with reduction "none".
 * @throws ShapeError when the shapes differ or have fewer than three axes, InputError for other dtypes or options.
 * @see Milletari, Navab, Ahmadi (2016), "V-Net: Fully Convolutional Neural Networks for Volumetric Medical Image
 * Segmentation", https://arxiv.org/abs/1606.04797, section 3
 */
export function diceLoss(input: Tensor, target: Tensor, options: DiceLossOptions = {}): Tensor {
  assertDiceOptions("diceLoss", options);
  const { smooth = 1, squared = false, reduction = "mean" } = options;
  assertFloat("diceLoss", "input", input);
  assertFloat("diceLoss", "target", target);
  assertSameShape("diceLoss", input, target);
  if (input.shape.length < 3)
    throw new ShapeError(
      `diceLoss: expected masks [batch, ..., classes] of at least three axes, got ${formatShape(input.shape)}; add a last axis for one class`,
    );
  const axes = input.shape.slice(1, -1).map((_, index) => index + 1);
  return tidy(() => {
    const total = (x: Tensor): Tensor => sum(squared ? square(x) : x, { axes }); // [batch, classes]
    const overlap = sum(mul(input, target), { axes }); // [batch, classes]
    const size = add(total(input), total(target));
    return reduceLoss(sub(1, div(add(mul(overlap, 2), smooth), add(size, smooth))), reduction);
  });
}

function assertDiceOptions(operation: string, options: DiceLossOptions): void {
  assertOptionNames(operation, options, OPTIONS);
  const { smooth = 1, reduction = "mean" } = options;
  assertReduction(operation, reduction);
  if (!(smooth >= 0 && Number.isFinite(smooth)))
    throw new InputError(`${operation}: expected a finite smooth of at least 0, got ${smooth}`);
}

/** {@link diceLoss} with its options kept. */
export class DiceLoss {
  readonly #options: DiceLossOptions;

  constructor(options: DiceLossOptions = {}) {
    assertDiceOptions("DiceLoss", options);
    this.#options = { ...options };
  }

  /** @param input `[batch, ..., classes]` @param target `[batch, ..., classes]` @returns `[]` or `[batch, classes]` */
  call(input: Tensor, target: Tensor): Tensor {
    return diceLoss(input, target, this.#options);
  }
}
