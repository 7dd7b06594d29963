import {
  add,
  exp,
  expandDims,
  InputError,
  logSigmoid,
  logSoftmax,
  maximum,
  mul,
  neg,
  pow,
  reshape,
  ShapeError,
  sub,
  type Tensor,
  takeAlongAxis,
  tidy,
} from "@ai/tensor";
import { assertOptionNames } from "../option-names.js";
import {
  assertClasses,
  assertFloat,
  assertReduction,
  assertSameShape,
  type Reduction,
  reduceLoss,
} from "./reduction.js";

const SIGMOID_OPTIONS = ["alpha", "gamma", "reduction"] as const;
const OPTIONS = ["gamma", "reduction"] as const;

/** Options of {@link focalLoss}. */
export interface FocalLossOptions {
  /** How strongly elements that are right already are left out, at least 0; 0 is the cross-entropy. Default 2. */
  readonly gamma?: number;
  /** Default "mean". */
  readonly reduction?: Reduction;
}

/** Options of {@link sigmoidFocalLoss}. */
export interface SigmoidFocalLossOptions extends FocalLossOptions {
  /** Weight of positives in [0, 1], of negatives `1 − alpha`; −1 for no weights. Default 0.25. */
  readonly alpha?: number;
}

/**
 * Cross-entropy that fades out for elements that are right already: `−(1 − p)^γ · log p` with `p = softmax(x)[y]`.
 * @param logits `[..., classes]` scores, classes last.
 * @param targets `[...]` int32 class indices.
 * @returns `[]`, or `[...]` with reduction "none".
 * @throws ShapeError when the shapes do not fit, InputError for other dtypes or options, KernelError for a class out of
 * range: here when the host has the targets, on a GPU at the next awaited read.
 * @see Lin, Goyal, Girshick, He, Dollár (2017), "Focal Loss for Dense Object Detection", https://arxiv.org/abs/1708.02002
 */
export function focalLoss(logits: Tensor, targets: Tensor, options: FocalLossOptions = {}): Tensor {
  assertFocalOptions("focalLoss", options, OPTIONS);
  const { gamma = 2, reduction = "mean" } = options;
  assertFloat("focalLoss", "logits", logits);
  if (logits.shape.length === 0)
    throw new ShapeError("focalLoss: expected logits of shape [..., classes], got []");
  assertClasses("focalLoss", targets, logits.shape.slice(0, -1));
  return tidy(() => {
    const picked = takeAlongAxis(logSoftmax(logits), expandDims(targets, -1), { axis: -1 }); // [..., 1]
    const score = reshape(picked, targets.shape); // [...]
    return reduceLoss(neg(mul(fade(sub(1, exp(score)), gamma), score)), reduction);
  });
}

/**
 * Focal loss of scores that are independent of each other: `−α · (1 − p)^γ · log p` with `p = σ(x)` for positives, and
 * `−(1 − α) · p^γ · log(1 − p)` for negatives; between both for targets between 0 and 1. As `torchvision.ops.sigmoid_focal_loss`.
 * @param input `[...]` scores.
 * @param target `[...]` float32 in [0, 1].
 * @returns `[]`, or `[...]` with reduction "none".
 * @throws ShapeError when the shapes differ, InputError for other dtypes or options.
 * @see Lin, Goyal, Girshick, He, Dollár (2017), "Focal Loss for Dense Object Detection", https://arxiv.org/abs/1708.02002
 */
export function sigmoidFocalLoss(
  input: Tensor,
  target: Tensor,
  options: SigmoidFocalLossOptions = {},
): Tensor {
  assertFocalOptions("sigmoidFocalLoss", options, SIGMOID_OPTIONS);
  const { alpha = 0.25, gamma = 2, reduction = "mean" } = options;
  assertFloat("sigmoidFocalLoss", "input", input);
  assertFloat("sigmoidFocalLoss", "target", target);
  assertSameShape("sigmoidFocalLoss", input, target);
  return tidy(() => {
    const opposite = sub(1, target);
    // 1 − p of the target's class, exact where it is tiny
    const wrong = add(mul(exp(logSigmoid(neg(input))), target), mul(exp(logSigmoid(input)), opposite));
    const entropy = neg(add(mul(target, logSigmoid(input)), mul(opposite, logSigmoid(neg(input)))));
    const losses = mul(fade(wrong, gamma), entropy);
    if (alpha < 0) return reduceLoss(losses, reduction);
    const weights = add(mul(target, alpha), mul(opposite, 1 - alpha));
    return reduceLoss(mul(weights, losses), reduction);
  });
}

/** A power below 1 is infinitely steep at 0, where an element is right beyond float32: from here down it is flat. */
const RIGHT = 1e-30;

function fade(wrong: Tensor, gamma: number): Tensor {
  if (gamma === 1) return wrong;
  return pow(gamma > 0 && gamma < 1 ? maximum(wrong, RIGHT) : wrong, gamma);
}

function assertFocalOptions(
  operation: string,
  options: SigmoidFocalLossOptions,
  names: readonly string[],
): void {
  assertOptionNames(operation, options, names);
  const { alpha = -1, gamma = 2, reduction = "mean" } = options;
  assertReduction(operation, reduction);
  if (!(gamma >= 0 && Number.isFinite(gamma)))
    throw new InputError(`${operation}: expected a finite gamma of at least 0, got ${gamma}`);
  if (alpha !== -1 && !(typeof alpha === "number" && alpha >= 0 && alpha <= 1))
    throw new InputError(`${operation}: expected alpha in [0, 1] or −1, got ${alpha}`);
}

/** {@link focalLoss} with its options kept. */
export class FocalLoss {
  readonly #options: FocalLossOptions;

  constructor(options: FocalLossOptions = {}) {
    assertFocalOptions("FocalLoss", options, OPTIONS);
    this.#options = { ...options };
  }

  /** @param logits `[..., classes]` @param targets `[...]` int32 @returns `[]` or `[...]` */
  call(logits: Tensor, targets: Tensor): Tensor {
    return focalLoss(logits, targets, this.#options);
  }
}

/** {@link sigmoidFocalLoss} with its options kept. */
export class SigmoidFocalLoss {
  readonly #options: SigmoidFocalLossOptions;

  constructor(options: SigmoidFocalLossOptions = {}) {
    assertFocalOptions("SigmoidFocalLoss", options, SIGMOID_OPTIONS);
    this.#options = { ...options };
  }

  /** @param input `[...]` scores @param target `[...]` @returns `[]` or `[...]` */
  call(input: Tensor, target: Tensor): Tensor {
    return sigmoidFocalLoss(input, target, this.#options);
  }
}
