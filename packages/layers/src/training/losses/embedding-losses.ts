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
import {
  assertFloat,
  assertNumberType,
  assertReduction,
  assertSameShape,
  type Reduction,
  reduceLoss,
} from "./reduction.js";

/** PyTorch's addend of squared lengths, so that a zero vector has cosine 0. */
const SQUARED_LENGTH_EPSILON = 1e-12;
const COSINE_OPTIONS = ["margin", "reduction"] as const;
const DISTANCE_OPTIONS = ["distanceFunction", "margin", "swap?", "reduction"] as const;
const TRIPLET_OPTIONS = ["margin", "order", "epsilon", "swap?", "reduction"] as const;

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
  assertNumberType(operation, "target", target);
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
  const distance = distanceBy(order, epsilon);
  return tidy(() =>
    reduceLoss(tripletElements(anchor, positive, negative, { distance, margin, swap }), reduction),
  );
}

/** `‖a − b + ε‖` along the last axis. */
function distanceBy(order: number, epsilon: number): (a: Tensor, b: Tensor) => Tensor {
  return (a, b) => norm(add(sub(a, b), epsilon), { order, axes: -1 }); // [...]
}

interface TripletRule {
  readonly distance: (a: Tensor, b: Tensor) => Tensor;
  readonly margin: number;
  readonly swap: boolean;
}

/** Loss of each triplet, of the shape that distances have. */
function tripletElements(
  anchor: Tensor,
  positive: Tensor,
  negative: Tensor,
  { distance, margin, swap }: TripletRule,
): Tensor {
  const near = distance(anchor, positive);
  const far = distance(anchor, negative);
  const away = swap ? minimum(far, distance(positive, negative)) : far;
  return clip(add(sub(near, away), margin), { min: 0 });
}

/** Options of {@link tripletMarginWithDistanceLoss}. */
export interface TripletMarginWithDistanceLossOptions {
  /** Distance of what lies at the same place of two tensors, built of ops. Default `‖a − b + 1e-6‖` along the last axis. */
  readonly distanceFunction?: (a: Tensor, b: Tensor) => Tensor;
  /** By how much the negative has to be farther away than the positive, above 0. Default 1. */
  readonly margin?: number;
  /** Measure the negative from the positive when that is nearer to it than the anchor. Default false. */
  readonly swap?: boolean;
  /** Default "mean". */
  readonly reduction?: Reduction;
}

/**
 * {@link tripletMarginLoss} by a distance of your own: `max(0, d(a, p) − d(a, n) + margin)`.
 * @param anchor `[..., dim]` @param positive `[..., dim]`, of the anchor's kind @param negative `[..., dim]`, of another
 * @returns `[]`, or with reduction "none" the shape that distances have.
 * @throws ShapeError when the shapes differ, InputError for other dtypes or options, or a distance that is no float32 tensor.
 * @see Balntas, Riba, Ponsa, Mikolajczyk (2016), "Learning local feature descriptors with triplets and shallow
 * convolutional neural networks", https://doi.org/10.5244/C.30.119
 * @example
 * const distanceFunction = (a: Tensor, b: Tensor) => max(abs(sub(a, b)), { axes: -1 });
 * const loss = tripletMarginWithDistanceLoss(anchor, positive, negative, { distanceFunction, margin: 0.2 });
 */
export function tripletMarginWithDistanceLoss(
  anchor: Tensor,
  positive: Tensor,
  negative: Tensor,
  options: TripletMarginWithDistanceLossOptions = {},
): Tensor {
  const operation = "tripletMarginWithDistanceLoss";
  assertDistanceOptions(operation, options);
  const { margin = 1, swap = false, reduction = "mean" } = options;
  const measure = options.distanceFunction ?? distanceBy(2, 1e-6);
  assertVectors(operation, { anchor, positive, negative });
  return tidy(() => {
    const distance = (a: Tensor, b: Tensor): Tensor => {
      const result = measure(a, b);
      assertFloat(operation, "result of distanceFunction", result);
      return result;
    };
    return reduceLoss(tripletElements(anchor, positive, negative, { distance, margin, swap }), reduction);
  });
}

function assertDistanceOptions(operation: string, options: TripletMarginWithDistanceLossOptions): void {
  assertOptionNames(operation, options, DISTANCE_OPTIONS);
  const { distanceFunction, margin = 1, reduction = "mean" } = options;
  assertReduction(operation, reduction);
  assertTripletOptions(operation, { margin });
  if (distanceFunction !== undefined && typeof distanceFunction !== "function")
    throw new InputError(
      `${operation}: expected a function as distanceFunction, got ${typeof distanceFunction}`,
    );
}

function assertMargin(operation: string, margin: number): void {
  if (!(typeof margin === "number" && margin >= -1 && margin <= 1))
    throw new InputError(`${operation}: expected a margin in [−1, 1], got ${margin}`);
}

function assertTripletOptions(operation: string, values: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(values))
    if (!(typeof value === "number" && value > 0 && (Number.isFinite(value) || name === "order")))
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

/** {@link tripletMarginWithDistanceLoss} with its options kept. */
export class TripletMarginWithDistanceLoss {
  readonly #options: TripletMarginWithDistanceLossOptions;

  constructor(options: TripletMarginWithDistanceLossOptions = {}) {
    assertDistanceOptions("TripletMarginWithDistanceLoss", options);
    this.#options = { ...options };
  }

  /** @param anchor `[..., dim]` @param positive `[..., dim]` @param negative `[..., dim]` @returns `[]` or `[...]` */
  call(anchor: Tensor, positive: Tensor, negative: Tensor): Tensor {
    return tripletMarginWithDistanceLoss(anchor, positive, negative, this.#options);
  }
}
