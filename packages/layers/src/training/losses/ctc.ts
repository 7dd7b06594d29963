import { type CtcLossOptions, ctcLoss, InputError, type Tensor } from "@ai/tensor";
import { assertOptionNames } from "../option-names.js";
import { assertReduction } from "./reduction.js";

/** Lengths of one batch for {@link CTCLoss}. */
export type CtcLengths = Pick<CtcLossOptions, "inputLengths" | "targetLengths">;

/** `ctcLoss` of `@ai/tensor` with its options kept: alignment-free loss of a sequence of labels. */
export class CTCLoss {
  readonly #options: Omit<CtcLossOptions, keyof CtcLengths>;

  /** @throws InputError for options out of range. */
  constructor(options: Omit<CtcLossOptions, keyof CtcLengths> = {}) {
    assertOptionNames("CTCLoss", options, ["blank", "reduction", "zeroInfinity?"]);
    const { blank = 0, reduction = "mean", zeroInfinity = false } = options;
    assertReduction("CTCLoss", reduction);
    if (!Number.isInteger(blank) || blank < 0)
      throw new InputError(`CTCLoss: expected blank as a class of at least 0, got ${blank}`);
    if (typeof zeroInfinity !== "boolean")
      throw new InputError(`CTCLoss: expected zeroInfinity true or false, got ${String(zeroInfinity)}`);
    this.#options = { ...options };
  }

  /**
   * @param logProbabilities `[batch, time, classes]`, `logSoftmax` of the scores @param targets `[batch, labels]` int32
   * @param lengths Steps and labels of each item that count, `[batch]` each. Default: all.
   * @returns `[]`, or `[batch]` with reduction "none"
   * @throws ShapeError, DTypeError, InputError or KernelError as `ctcLoss` does.
   */
  call(logProbabilities: Tensor, targets: Tensor, lengths: CtcLengths = {}): Tensor {
    assertOptionNames("CTCLoss", lengths, ["inputLengths", "targetLengths"]);
    return ctcLoss(logProbabilities, targets, { ...this.#options, ...lengths });
  }
}
