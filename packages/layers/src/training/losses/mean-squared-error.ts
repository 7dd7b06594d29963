import { square, sub, type Tensor, tidy } from "@ai/tensor";
import { assertOptionNames } from "../option-names.js";
import { assertFloat, assertReduction, assertSameShape, type Reduction, reduceLoss } from "./reduction.js";

/** Options of {@link mseLoss}. */
export interface MseLossOptions {
  /** Default "mean", over all elements. */
  readonly reduction?: Reduction;
}

/**
 * Squared error `(x − y)²`.
 * @param input `[...]` @param target `[...]`
 * @returns `[]`, or `[...]` with reduction "none".
 * @throws ShapeError when the shapes differ (nothing is broadcast), InputError for other dtypes.
 */
export function mseLoss(input: Tensor, target: Tensor, options: MseLossOptions = {}): Tensor {
  assertOptionNames("mseLoss", options, ["reduction"]);
  const { reduction = "mean" } = options;
  assertReduction("mseLoss", reduction);
  assertFloat("mseLoss", "input", input);
  assertFloat("mseLoss", "target", target);
  assertSameShape("mseLoss", input, target);
  return tidy(() => reduceLoss(square(sub(input, target)), reduction));
}

/** {@link mseLoss} with its options kept. */
export class MSELoss {
  readonly #options: MseLossOptions;

  constructor(options: MseLossOptions = {}) {
    assertOptionNames("MSELoss", options, ["reduction"]);
    assertReduction("MSELoss", options.reduction ?? "mean");
    this.#options = { ...options };
  }

  /** @param input `[...]` @param target `[...]` @returns `[]` or `[...]` */
  call(input: Tensor, target: Tensor): Tensor {
    return mseLoss(input, target, this.#options);
  }
}
