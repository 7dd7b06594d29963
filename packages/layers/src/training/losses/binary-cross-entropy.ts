import {
  add,
  clip,
  customGradient,
  div,
  log,
  logSigmoid,
  maximum,
  mul,
  neg,
  sub,
  type Tensor,
  tidy,
} from "@ai/tensor";
import { assertOptionNames } from "../option-names.js";
import {
  assertFloat,
  assertReduction,
  assertSameShape,
  type Reduction,
  reduceLoss,
  weightTensor,
} from "./reduction.js";

const OPTIONS = ["weight", "reduction"] as const;
const LOGITS_OPTIONS = ["weight", "posWeight", "reduction"] as const;
/** PyTorch bounds each logarithm from below, so that a certain and wrong prediction has a finite loss. */
const LOWEST_LOG = -100;
/** PyTorch's bound of `p · (1 − p)` in the gradient. */
const SMALLEST_VARIANCE = 1e-12;

/** Options of {@link binaryCrossEntropy}. */
export interface BinaryCrossEntropyOptions {
  /** Factor of each element's loss, a shape that broadcasts with it. Default 1. */
  readonly weight?: Tensor | readonly number[];
  /** Default "mean". */
  readonly reduction?: Reduction;
}

/** Options of {@link binaryCrossEntropyWithLogits}. */
export interface BinaryCrossEntropyWithLogitsOptions extends BinaryCrossEntropyOptions {
  /** Factor of the positive term, a shape that broadcasts, usually `[classes]`. Default 1. */
  readonly posWeight?: Tensor | readonly number[];
}

/**
 * Binary cross-entropy of probabilities: `−(y · log p + (1 − y) · log(1 − p))`, each logarithm at least −100.
 * @param input `[...]` probabilities in [0, 1]; others have a loss of NaN (PyTorch refuses them).
 * @param target `[...]` in [0, 1]; its gradient is `log(1 − p) − log p`, not bounded, as in PyTorch.
 * @returns `[]`, or `[...]` with reduction "none".
 * @throws ShapeError when the shapes differ, InputError for other dtypes.
 */
export function binaryCrossEntropy(
  input: Tensor,
  target: Tensor,
  options: BinaryCrossEntropyOptions = {},
): Tensor {
  assertOptionNames("binaryCrossEntropy", options, OPTIONS);
  const { weight, reduction = "mean" } = options;
  assertBinary("binaryCrossEntropy", input, target, reduction);
  return tidy(() => {
    const losses = elements(input, target);
    const weighted = weight === undefined ? losses : mul(losses, weightTensor("binaryCrossEntropy", weight));
    return reduceLoss(weighted, reduction);
  });
}

function elements(input: Tensor, target: Tensor): Tensor {
  const bounded = (probability: Tensor): Tensor => clip(log(probability), { min: LOWEST_LOG });
  const run = customGradient(
    (p, y) => neg(add(mul(y, bounded(p)), mul(sub(1, y), bounded(sub(1, p))))),
    (dy, [p, y]) => [
      div(mul(dy, sub(p, y)), maximum(mul(p, sub(1, p)), SMALLEST_VARIANCE)),
      mul(dy, sub(log(sub(1, p)), log(p))),
    ],
  );
  return run(input, target);
}

/**
 * Binary cross-entropy of scores, exact for scores of any size:
 * `−(w₊ · y · log σ(x) + (1 − y) · log(1 − σ(x)))`.
 * @param input `[...]` scores.
 * @param target `[...]` in [0, 1].
 * @returns `[]`, or `[...]` with reduction "none".
 * @throws ShapeError when the shapes differ, InputError for other dtypes.
 * @example
 * const loss = binaryCrossEntropyWithLogits(model.call(x), tags, { posWeight: [3, 1, 8] });
 */
export function binaryCrossEntropyWithLogits(
  input: Tensor,
  target: Tensor,
  options: BinaryCrossEntropyWithLogitsOptions = {},
): Tensor {
  const operation = "binaryCrossEntropyWithLogits";
  assertOptionNames(operation, options, LOGITS_OPTIONS);
  const { weight, posWeight, reduction = "mean" } = options;
  assertBinary(operation, input, target, reduction);
  return tidy(() => {
    const negative = mul(sub(1, target), input);
    const score = logSigmoid(input);
    const factor =
      posWeight === undefined ? undefined : add(mul(sub(weightTensor(operation, posWeight), 1), target), 1);
    const losses = sub(negative, factor === undefined ? score : mul(factor, score));
    const weighted = weight === undefined ? losses : mul(losses, weightTensor(operation, weight));
    return reduceLoss(weighted, reduction);
  });
}

function assertBinary(operation: string, input: Tensor, target: Tensor, reduction: Reduction): void {
  assertReduction(operation, reduction);
  assertFloat(operation, "input", input);
  assertFloat(operation, "target", target);
  assertSameShape(operation, input, target);
}

/** {@link binaryCrossEntropy} with its options kept. */
export class BCELoss {
  readonly #options: BinaryCrossEntropyOptions;

  constructor(options: BinaryCrossEntropyOptions = {}) {
    assertOptionNames("BCELoss", options, OPTIONS);
    assertReduction("BCELoss", options.reduction ?? "mean");
    this.#options = { ...options };
  }

  /** @param input `[...]` probabilities @param target `[...]` @returns `[]` or `[...]` */
  call(input: Tensor, target: Tensor): Tensor {
    return binaryCrossEntropy(input, target, this.#options);
  }
}

/** {@link binaryCrossEntropyWithLogits} with its options kept. */
export class BCEWithLogitsLoss {
  readonly #options: BinaryCrossEntropyWithLogitsOptions;

  constructor(options: BinaryCrossEntropyWithLogitsOptions = {}) {
    assertOptionNames("BCEWithLogitsLoss", options, LOGITS_OPTIONS);
    assertReduction("BCEWithLogitsLoss", options.reduction ?? "mean");
    this.#options = { ...options };
  }

  /** @param input `[...]` scores @param target `[...]` @returns `[]` or `[...]` */
  call(input: Tensor, target: Tensor): Tensor {
    return binaryCrossEntropyWithLogits(input, target, this.#options);
  }
}
