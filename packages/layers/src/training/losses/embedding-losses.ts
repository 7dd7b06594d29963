import {
  add,
  clip,
  div,
  equal,
  InputError,
  minimum,
  mul,
  norm,
  ShapeError,
  sqrt,
  square,
  sub,
  sum,
  type Tensor,
  tidy,
  where,
} from "@ai/tensor";
import { formatShape } from "../../checks.js";
import { assertOptionNames } from "../option-names.js";
import { assertFloat, assertReduction, assertSameShape, type Reduction, reduceLoss } from "./reduction.js";

/** PyTorch's addend of squared lengths, so that a zero vector has cosine 0. */
const SQUARED_LENGTH_EPSILON = 1e-12;
const COSINE_OPTIONS = ["margin", "reduction"] as const;
const TRIPLET_OPTIONS = ["margin", "order", "epsilon", "swap", "reduction"] as const;

/** Options of {@link cosineEmbeddingLoss}. */
export interface CosineEmbeddingLossOptions {
  /** Cosine up to which a pair that does not belong together costs nothing, in [−1, 1]. Default 0. */
  readonly margin?: number;
  /** Default "mean". */
  readonly reduction?: Reduction;
}

/**
 * Pulls pairs together or apart by their cosine: `1 − cos(x₁, x₂)` for target 1, `max(0, cos(x₁, x₂) − margin)` for −1.
 * @param first `[..., dim]` @param second `[..., dim]`
 * @param target `[...]` 1 for a pair that belongs together, −1 for one that does not, float32 or int32; others cost 0.
 * @returns `[]`, or `[...]` with reduction "none".
 * @throws ShapeError when the shapes do not fit, InputError for other dtypes or options.
 */
export function cosineEmbeddingLoss(
  first: Tensor,
  second: Tensor,
  target: Tensor,
  options: CosineEmbeddingLossOptions = {},
): Tensor {
  const operation = "cosineEmbeddingLoss";
  assertOptionNames(operation, options, COSINE_OPTIONS);
  const { margin = 0, reduction = "mean" } = options;
  assertReduction(operation, reduction);
  assertMargin(operation, margin);
  assertVectors(operation, { first, second });
  const targetType: string | undefined = target?.dtype;
  if (targetType !== "float32" && targetType !== "int32")
    throw new InputError(
      `${operation}: expected a float32 or int32 target, got ${targetType ?? typeof target}`,
    );
  const lead = first.shape.slice(0, -1);
  if (formatShape(target.shape) !== formatShape(lead))
    throw new ShapeError(
      `${operation}: expected a target of shape ${formatShape(lead)}, got ${formatShape(target.shape)}`,
    );
  return tidy(() => {
    const lengths = [first, second].map((x) => add(sum(square(x), { axes: -1 }), SQUARED_LENGTH_EPSILON)); // [...]
    const cosine = div(sum(mul(first, second), { axes: -1 }), sqrt(mul(lengths[0], lengths[1])));
    const together = where(equal(target, 1), sub(1, cosine), 0);
    const apart = where(equal(target, -1), clip(sub(cosine, margin), { min: 0 }), 0);
    return reduceLoss(add(together, apart), reduction);
  });
}

/** Options of {@link tripletMarginLoss}. */
export interface TripletMarginLossOptions {
  /** By how much the negative has to be farther away than the positive, above 0. Default 1. */
  readonly margin?: number;
  /** Order of the norm (PyTorch's `p`). Default 2. */
  readonly order?: number;
  /** Added to each difference, so that equal vectors have a gradient. Default 1e-6. */
  readonly epsilon?: number;
  /** Measure the negative from the positive when that is nearer to it than the anchor. Default false. */
  readonly swap?: boolean;
  /** Default "mean". */
  readonly reduction?: Reduction;
}

/**
 * The negative has to be farther from the anchor than the positive: `max(0, ‖a − p‖ − ‖a − n‖ + margin)`.
 * @param anchor `[..., dim]` @param positive `[..., dim]`, of the anchor's kind @param negative `[..., dim]`, of another
 * @returns `[]`, or `[...]` with reduction "none".
 * @throws ShapeError when the shapes differ, InputError for other dtypes or options.
 * @see Balntas, Riba, Ponsa, Mikolajczyk (2016), "Learning local feature descriptors with triplets and shallow
 * convolutional neural networks", https://doi.org/10.5244/C.30.119
 */
export function tripletMarginLoss(
  anchor: Tensor,
  positive: Tensor,
  negative: Tensor,
  options: TripletMarginLossOptions = {},
): Tensor {
  assertOptionNames("tripletMarginLoss", options, TRIPLET_OPTIONS);
  const { margin = 1, order = 2, epsilon = 1e-6, swap = false, reduction = "mean" } = options;
  assertReduction("tripletMarginLoss", reduction);
  assertTripletOptions("tripletMarginLoss", { margin, order, epsilon });
  assertVectors("tripletMarginLoss", { anchor, positive, negative });
  return tidy(() => {
    const distance = (a: Tensor, b: Tensor): Tensor => norm(add(sub(a, b), epsilon), { order, axes: -1 }); // [...]
    const near = distance(anchor, positive);
    const far = distance(anchor, negative);
    const away = swap ? minimum(far, distance(positive, negative)) : far;
    return reduceLoss(clip(add(sub(near, away), margin), { min: 0 }), reduction);
  });
}

function assertMargin(operation: string, margin: number): void {
  if (!(margin >= -1 && margin <= 1))
    throw new InputError(`${operation}: expected a margin in [−1, 1], got ${margin}`);
}

function assertTripletOptions(operation: string, values: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(values))
    if (!(value > 0 && (Number.isFinite(value) || name === "order")))
      throw new InputError(`${operation}: expected a ${name} above 0, got ${value}`);
}

function assertVectors(operation: string, vectors: Readonly<Record<string, Tensor>>): void {
  const [reference] = Object.values(vectors);
  for (const [name, vector] of Object.entries(vectors)) {
    assertFloat(operation, name, vector);
    if (vector.shape.length === 0)
      throw new ShapeError(`${operation}: expected ${name} of shape [..., dim], got []`);
    assertSameShape(operation, reference, vector);
  }
}

/** {@link cosineEmbeddingLoss} with its options kept. */
export class CosineEmbeddingLoss {
  readonly #options: CosineEmbeddingLossOptions;

  constructor(options: CosineEmbeddingLossOptions = {}) {
    assertOptionNames("CosineEmbeddingLoss", options, COSINE_OPTIONS);
    assertReduction("CosineEmbeddingLoss", options.reduction ?? "mean");
    assertMargin("CosineEmbeddingLoss", options.margin ?? 0);
    this.#options = { ...options };
  }

  /** @param first `[..., dim]` @param second `[..., dim]` @param target `[...]` @returns `[]` or `[...]` */
  call(first: Tensor, second: Tensor, target: Tensor): Tensor {
    return cosineEmbeddingLoss(first, second, target, this.#options);
  }
}

/** {@link tripletMarginLoss} with its options kept. */
export class TripletMarginLoss {
  readonly #options: TripletMarginLossOptions;

  constructor(options: TripletMarginLossOptions = {}) {
    assertOptionNames("TripletMarginLoss", options, TRIPLET_OPTIONS);
    assertReduction("TripletMarginLoss", options.reduction ?? "mean");
    const { margin = 1, order = 2, epsilon = 1e-6 } = options;
    assertTripletOptions("TripletMarginLoss", { margin, order, epsilon });
    this.#options = { ...options };
  }

  /** @param anchor `[..., dim]` @param positive `[..., dim]` @param negative `[..., dim]` @returns `[]` or `[...]` */
  call(anchor: Tensor, positive: Tensor, negative: Tensor): Tensor {
    return tripletMarginLoss(anchor, positive, negative, this.#options);
  }
}
