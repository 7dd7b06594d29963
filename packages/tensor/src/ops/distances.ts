import type { Tensor } from "@tensorflow/tfjs-core";
import { assertOptions } from "../arguments.js";
import { stopGradient } from "../autograd.js";
import { InputError, ShapeError } from "../errors.js";
import { tidy } from "../memory.js";
import { broadcastShapes, formatShape, normalizeAxis, type Shape } from "../shape.js";
import { add, div, mul, sub } from "./arithmetic.js";
import { assertTensor, expandTo, toDType } from "./broadcast.js";
import { less, lessEqual, where } from "./compare.js";
import { matMul } from "./matmul.js";
import { sum } from "./reduce.js";
import { expandDims } from "./shape-ops.js";
import { norm } from "./statistics.js";
import { clip, sqrt, square } from "./unary.js";

/** Options of {@link cosineSimilarity}. */
export interface CosineSimilarityOptions {
  /** The axis of the vectors, in the shape that both broadcast to; negative counted from the end. Default −1. */
  readonly axis?: number;
  /** Least length that a vector counts with, so that the cosine of a zero vector is 0. Default 1e-8. */
  readonly epsilon?: number;
}

/** Options of {@link pairwiseDistance}. */
export interface PairwiseDistanceOptions {
  /** Order of the norm (PyTorch's `p`). Default 2. */
  readonly order?: number;
  /** Added to each difference, so that equal vectors have a gradient. Default 1e-6. */
  readonly epsilon?: number;
  /** Leave the axis of the vectors with size 1. Default false. */
  readonly keepDims?: boolean;
}

/** Options of {@link normalize}. */
export interface NormalizeOptions {
  /** Order of the norm (PyTorch's `p`). Default 2. */
  readonly order?: number;
  /** The axis of the vectors, negative counted from the end. Default −1. */
  readonly axis?: number;
  /** Least length to divide by, so that a zero vector stays one. Default 1e-12. */
  readonly epsilon?: number;
}

function assertEpsilon(operation: string, epsilon: number): void {
  if (!(epsilon >= 0 && Number.isFinite(epsilon)))
    throw new InputError(`${operation}: expected a finite epsilon of at least 0, got ${epsilon}`);
}

/** The shape that two tensors of vectors broadcast to. */
function pairedShape(operation: string, first: Tensor, second: Tensor): number[] {
  assertTensor(operation, first);
  assertTensor(operation, second);
  const shape = broadcastShapes(operation, first.shape, second.shape);
  if (shape.length === 0)
    throw new ShapeError(`${operation}: expected vectors [..., dim], got two scalars; give them an axis`);
  return shape;
}

/** In float32, of the rank of `shape`, and as long along `axis`. */
function aligned(x: Tensor, shape: Shape, axis: number): Tensor {
  const own = [...new Array<number>(shape.length - x.shape.length).fill(1), ...x.shape];
  own[axis] = shape[axis];
  return expandTo(toDType(x, "float32"), own);
}

/** Vectors by their length, which counts as `epsilon` where it is less, with the gradient of the true one: PyTorch's way. */
function directions(x: Tensor, axis: number, epsilon: number): Tensor {
  const length = norm(x, { axes: axis, keepDims: true });
  const raised = add(length, stopGradient(sub(epsilon, length)));
  return div(x, where(less(length, epsilon), raised, length));
}

/**
 * Cosine of the angle between vectors: `Σ a·b / (max(‖a‖, ε) · max(‖b‖, ε))` (`torch.nn.functional.cosine_similarity`,
 * whose default axis 1 is the last one of `[batch, dim]` and of images channels last).
 * @param first `[..., dim]` @param second `[..., dim]`, the two broadcast; integers count as float32.
 * @returns `[...]`, the broadcast shape without the axis, float32 in [−1, 1].
 * @throws ShapeError for shapes that do not broadcast. @throws InputError for an axis out of range or a negative epsilon.
 * @example
 * const scores = cosineSimilarity(expandDims(queries, 1), documents); // [queries, 1, dim], [documents, dim] → [queries, documents]
 */
export function cosineSimilarity(
  first: Tensor,
  second: Tensor,
  options: CosineSimilarityOptions = {},
): Tensor {
  const operation = "cosineSimilarity";
  assertOptions(operation, options, ["axis", "epsilon"]);
  const { axis = -1, epsilon = 1e-8 } = options;
  assertEpsilon(operation, epsilon);
  const shape = pairedShape(operation, first, second);
  const along = normalizeAxis(operation, axis, shape.length);
  return tidy(() => {
    const [a, b] = [first, second].map((x) => directions(aligned(x, shape, along), along, epsilon));
    return sum(mul(a, b), { axes: along }); // [...]
  });
}

/**
 * Distance of vectors: `‖a − b + ε‖` along the last axis (`torch.nn.functional.pairwise_distance`).
 * @param first `[..., dim]` @param second `[..., dim]`, the two broadcast; integers count as float32.
 * @returns `[...]`, or `[..., 1]` with `keepDims`, float32.
 * @throws ShapeError for shapes that do not broadcast. @throws InputError for an order that is NaN or a negative epsilon.
 */
export function pairwiseDistance(
  first: Tensor,
  second: Tensor,
  options: PairwiseDistanceOptions = {},
): Tensor {
  const operation = "pairwiseDistance";
  assertOptions(operation, options, ["order", "epsilon", "keepDims?"]);
  const { order = 2, epsilon = 1e-6, keepDims = false } = options;
  assertEpsilon(operation, epsilon);
  assertOrder(operation, order);
  pairedShape(operation, first, second);
  return tidy(() => {
    const [a, b] = [first, second].map((x) => toDType(x, "float32"));
    return norm(add(sub(a, b), epsilon), { order, axes: -1, keepDims }); // [...]
  });
}

/** Options of {@link cdist}. */
export interface CdistOptions {
  /** Order of the norm (PyTorch's `p`), at least 0. Default 2. */
  readonly order?: number;
}

/** Rows above which PyTorch takes distances of order 2 from a matrix product. */
const FEW_ROWS = 25;

/**
 * Distances of all pairs of rows: `y[i][j] = ‖aᵢ − bⱼ‖` (`torch.cdist`). Of order 2 and more than 25 rows, as there, by
 * `‖a‖² + ‖b‖² − 2·a·b`, which needs no room for the differences and is less exact for rows that nearly agree.
 * @param first `[..., rows, dim]` @param second `[..., otherRows, dim]`, batch axes broadcast; integers count as float32.
 * @returns `[..., rows, otherRows]` float32
 * @throws ShapeError for shapes that do not go together. @throws InputError for a negative order.
 * @example
 * const nearest = argMin(cdist(queries, prototypes), { axis: -1 }); // [queries]
 */
export function cdist(first: Tensor, second: Tensor, options: CdistOptions = {}): Tensor {
  const operation = "cdist";
  assertTensor(operation, first);
  assertTensor(operation, second);
  assertOptions(operation, options, ["order"]);
  const { order = 2 } = options;
  if (!(typeof order === "number" && order >= 0))
    throw new InputError(`${operation}: expected an order of at least 0, got ${String(order)}`);
  const [a, b] = [first.shape, second.shape];
  if (a.length < 2 || b.length < 2 || a.at(-1) !== b.at(-1))
    throw new ShapeError(
      `${operation}: expected rows [..., rows, dim] of one dim, got ${formatShape(a)} and ${formatShape(b)}`,
    );
  broadcastShapes(operation, a.slice(0, -2), b.slice(0, -2));
  return tidy(() => {
    const [rows, others] = [toDType(first, "float32"), toDType(second, "float32")];
    return order === 2 && Math.max(a[a.length - 2], b[b.length - 2]) > FEW_ROWS
      ? distancesByProduct(rows, others)
      : norm(sub(expandDims(rows, -2), expandDims(others, -3)), { order, axes: -1 }); // [..., rows, otherRows]
  });
}

function distancesByProduct(rows: Tensor, others: Tensor): Tensor {
  const lengths = sum(square(rows), { axes: -1, keepDims: true }); // [..., rows, 1]
  const otherLengths = expandDims(sum(square(others), { axes: -1 }), -2); // [..., 1, otherRows]
  const squares = sub(add(lengths, otherLengths), mul(matMul(rows, others, { transposeB: true }), 2));
  // rounding may leave less than nothing; the inner 1 keeps the root's slope finite there
  const none = lessEqual(squares, 0);
  return where(none, 0, sqrt(where(none, 1, squares)));
}

/**
 * Vectors of length 1: `x / max(‖x‖, ε)` (`torch.nn.functional.normalize`, whose default axis 1 is the last one of
 * `[batch, dim]` and of images channels last).
 * @param x `[..., dim]`; integers count as float32.
 * @returns the shape of `x`, float32.
 * @throws InputError for an axis out of range, an order that is NaN or a negative epsilon.
 * @example
 * const embeddings = normalize(encoder.call(x)); // [batch, dim], each of length 1
 */
export function normalize(x: Tensor, options: NormalizeOptions = {}): Tensor {
  const operation = "normalize";
  assertTensor(operation, x);
  assertOptions(operation, options, ["order", "axis", "epsilon"]);
  const { order = 2, axis = -1, epsilon = 1e-12 } = options;
  assertEpsilon(operation, epsilon);
  assertOrder(operation, order);
  const along = normalizeAxis(operation, axis, x.shape.length);
  return tidy(() => {
    const numbers = toDType(x, "float32");
    const length = norm(numbers, { order, axes: along, keepDims: true });
    return div(numbers, clip(length, { min: epsilon }));
  });
}

function assertOrder(operation: string, order: number): void {
  if (Number.isNaN(order) || typeof order !== "number")
    throw new InputError(`${operation}: expected a number as order, got ${String(order)}`);
}
