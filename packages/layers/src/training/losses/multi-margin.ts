import {
  add,
  cumsum,
  div,
  equal,
  expandDims,
  fromValues,
  gather,
  InputError,
  logicalAnd,
  logSigmoid,
  max,
  mul,
  neg,
  relu,
  ShapeError,
  scalar,
  square,
  sub,
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
  assertReduction,
  assertSameShape,
  assertWeights,
  type Reduction,
  reduceLoss,
  weightTensor,
} from "./reduction.js";

const MULTI_MARGIN_OPTIONS = ["margin", "order", "weight", "reduction"] as const;
/** What ends the list of labels of an item of {@link multiLabelMarginLoss}. */
const LAST_LABEL = -1;

/** Options of {@link multiMarginLoss}. */
export interface MultiMarginLossOptions {
  /** By how much the true class has to exceed each other one. Default 1. */
  readonly margin?: number;
  /** Exponent of what is missing (PyTorch's `p`). Default 1. */
  readonly order?: 1 | 2;
  /** Weight of each true class, `[classes]`. Default: all 1. */
  readonly weight?: Tensor | readonly number[];
  /** Default "mean". */
  readonly reduction?: Reduction;
}

/**
 * Hinge loss of several classes: the score of the true one has to exceed each other by a margin,
 * `w[y] · Σ_{i≠y} max(0, margin − x[y] + x[i])^order / classes`. A score of NaN gives NaN (in PyTorch it counts nothing).
 * @param input `[..., classes]` scores. @param target `[...]` int32 class indices.
 * @returns `[]`, or `[...]` with reduction "none".
 * @throws ShapeError when the shapes do not fit, InputError for other dtypes or options, KernelError for a class out of
 * range: here when the host has the targets, on a GPU at the next awaited read.
 * @see Crammer, Singer (2001), "On the Algorithmic Implementation of Multiclass Kernel-based Vector Machines",
 * https://www.jmlr.org/papers/v2/crammer01a.html
 */
export function multiMarginLoss(input: Tensor, target: Tensor, options: MultiMarginLossOptions = {}): Tensor {
  const operation = "multiMarginLoss";
  assertMultiMarginOptions(operation, options);
  const { margin = 1, order = 1, weight, reduction = "mean" } = options;
  const classes = classesOf(operation, input);
  assertClasses(operation, target, input.shape.slice(0, -1));
  return tidy(() => {
    const right = expandDims(target, -1); // [..., 1]
    const lack = add(sub(margin, takeAlongAxis(input, right, { axis: -1 })), input); // [..., classes]
    const missing = relu(where(equal(classIndices(classes), right), 0, lack));
    const losses = div(sum(order === 2 ? square(missing) : missing, { axes: -1 }), classes); // [...]
    if (weight === undefined) return reduceLoss(losses, reduction);
    const weights = weightTensor(operation, weight);
    assertWeights(operation, weights, classes);
    return reduceLoss(mul(gather(weights, target), losses), reduction);
  });
}

/** Options of {@link multiLabelMarginLoss}. */
export interface MultiLabelMarginLossOptions {
  /** Default "mean". */
  readonly reduction?: Reduction;
}

/**
 * Hinge loss of several labels: the score of each label of an item has to exceed that of each other class by 1,
 * `Σ_{j ∈ labels} Σ_{i ∉ labels} max(0, 1 − x[j] + x[i]) / classes`. It needs memory for classes² numbers an item; a score of
 * NaN gives NaN (in PyTorch it counts nothing).
 * @param input `[..., classes]` scores.
 * @param target `[..., classes]` int32: an item's labels, then −1; what follows the first −1 does not count.
 * @returns `[]`, or `[...]` with reduction "none".
 * @throws ShapeError when the shapes differ, InputError for other dtypes or options, KernelError for a label out of
 * range: here when the host has the targets, on a GPU at the next awaited read.
 * @example
 * const labels = tensor([[2, 0, -1, -1], [3, -1, -1, -1]], undefined, "int32");
 * const loss = multiLabelMarginLoss(model.call(x), labels); // classes 0 and 2, then class 3, of 4
 */
export function multiLabelMarginLoss(
  input: Tensor,
  target: Tensor,
  options: MultiLabelMarginLossOptions = {},
): Tensor {
  const operation = "multiLabelMarginLoss";
  assertOptionNames(operation, options, ["reduction"]);
  const { reduction = "mean" } = options;
  assertReduction(operation, reduction);
  const classes = classesOf(operation, input);
  assertClasses(operation, target, input.shape);
  return tidy(() => {
    const zero = scalar(0, "int32");
    const ends = where(equal(target, LAST_LABEL), scalar(1, "int32"), zero); // [..., classes]
    const counts = equal(cumsum(ends, { axis: -1 }), 0); // [..., classes] up to the first −1
    const labels = where(counts, target, zero); // [..., classes]
    const counting = expandDims(counts, -1); // [..., classes, 1]
    const isNamed = logicalAnd(equal(expandDims(labels, -1), classIndices(classes)), counting); // [..., classes, classes]
    const isLabel = max(where(isNamed, 1, 0), { axes: -2, keepDims: true }); // [..., 1, classes]
    const isPair = logicalAnd(counting, equal(isLabel, 0)); // [..., classes, classes] a label and another class
    const scores = takeAlongAxis(input, labels, { axis: -1 }); // [..., classes] of the labels
    const lack = add(sub(1, expandDims(scores, -1)), expandDims(input, -2)); // [..., classes, classes]
    const missing = sum(relu(where(isPair, lack, 0)), { axes: [-2, -1] }); // [...]
    return reduceLoss(div(missing, classes), reduction);
  });
}

/** Options of {@link multiLabelSoftMarginLoss}. */
export interface MultiLabelSoftMarginLossOptions {
  /** Factor of each class, `[classes]`. Default: all 1. */
  readonly weight?: Tensor | readonly number[];
  /** Default "mean". */
  readonly reduction?: Reduction;
}

/**
 * Binary cross-entropy of the scores of several labels, averaged over the classes:
 * `−Σ_c w[c] · (y[c] · log σ(x[c]) + (1 − y[c]) · log σ(−x[c])) / classes`.
 * @param input `[..., classes]` scores. @param target `[..., classes]` in [0, 1], float32.
 * @returns `[]`, or `[...]` with reduction "none".
 * @throws ShapeError when the shapes do not fit, InputError for other dtypes or options.
 */
export function multiLabelSoftMarginLoss(
  input: Tensor,
  target: Tensor,
  options: MultiLabelSoftMarginLossOptions = {},
): Tensor {
  const operation = "multiLabelSoftMarginLoss";
  assertOptionNames(operation, options, ["weight", "reduction"]);
  const { weight, reduction = "mean" } = options;
  assertReduction(operation, reduction);
  const classes = classesOf(operation, input);
  assertFloat(operation, "target", target);
  assertSameShape(operation, input, target);
  return tidy(() => {
    const positive = mul(target, logSigmoid(input));
    const negative = mul(sub(1, target), logSigmoid(neg(input)));
    const losses = neg(add(positive, negative)); // [..., classes]
    if (weight === undefined) return reduceLoss(div(sum(losses, { axes: -1 }), classes), reduction);
    const weights = weightTensor(operation, weight);
    assertWeights(operation, weights, classes);
    return reduceLoss(div(sum(mul(losses, weights), { axes: -1 }), classes), reduction);
  });
}

/** @throws InputError unless the scores are float32, ShapeError unless they have an axis of classes. */
function classesOf(operation: string, input: Tensor): number {
  assertFloat(operation, "input", input);
  if (input.shape.length === 0)
    throw new ShapeError(`${operation}: expected an input of shape [..., classes], got []`);
  return input.shape[input.shape.length - 1];
}

/** @returns `[classes]` int32: 0, 1, 2 … */
function classIndices(classes: number): Tensor {
  return fromValues(
    Int32Array.from({ length: classes }, (_, index) => index),
    [classes],
    "int32",
  );
}

function assertMultiMarginOptions(operation: string, options: MultiMarginLossOptions): void {
  assertOptionNames(operation, options, MULTI_MARGIN_OPTIONS);
  const { margin = 1, order = 1, reduction = "mean" } = options;
  assertReduction(operation, reduction);
  if (!Number.isFinite(margin))
    throw new InputError(`${operation}: expected a finite margin, got ${String(margin)}`);
  if (order !== 1 && order !== 2)
    throw new InputError(`${operation}: expected order 1 or 2, got ${String(order)}`);
}

/** {@link multiMarginLoss} with its options kept. */
export class MultiMarginLoss {
  readonly #options: MultiMarginLossOptions;

  constructor(options: MultiMarginLossOptions = {}) {
    assertMultiMarginOptions("MultiMarginLoss", options);
    this.#options = { ...options };
  }

  /** @param input `[..., classes]` scores @param target `[...]` int32 @returns `[]` or `[...]` */
  call(input: Tensor, target: Tensor): Tensor {
    return multiMarginLoss(input, target, this.#options);
  }
}

/** {@link multiLabelMarginLoss} with its options kept. */
export class MultiLabelMarginLoss {
  readonly #options: MultiLabelMarginLossOptions;

  constructor(options: MultiLabelMarginLossOptions = {}) {
    assertOptionNames("MultiLabelMarginLoss", options, ["reduction"]);
    assertReduction("MultiLabelMarginLoss", options.reduction ?? "mean");
    this.#options = { ...options };
  }

  /** @param input `[..., classes]` scores @param target `[..., classes]` int32 @returns `[]` or `[...]` */
  call(input: Tensor, target: Tensor): Tensor {
    return multiLabelMarginLoss(input, target, this.#options);
  }
}

/** {@link multiLabelSoftMarginLoss} with its options kept. */
export class MultiLabelSoftMarginLoss {
  readonly #options: MultiLabelSoftMarginLossOptions;

  constructor(options: MultiLabelSoftMarginLossOptions = {}) {
    assertOptionNames("MultiLabelSoftMarginLoss", options, ["weight", "reduction"]);
    assertReduction("MultiLabelSoftMarginLoss", options.reduction ?? "mean");
    this.#options = { ...options };
  }

  /** @param input `[..., classes]` scores @param target `[..., classes]` @returns `[]` or `[...]` */
  call(input: Tensor, target: Tensor): Tensor {
    return multiLabelSoftMarginLoss(input, target, this.#options);
  }
}
