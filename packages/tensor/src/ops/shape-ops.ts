import type { Tensor } from "@tensorflow/tfjs-core";
import { assertList, assertOptions } from "../arguments.js";
import { reverseWebgpu, tileWebgpu, transposeWebgpu } from "../backends/webgpu/kernels/strided.js";
import { InputError, ShapeError } from "../errors.js";
import { reshapeGradient, reverseGradient, tileGradient, transposeGradient } from "../gradients/shape-ops.js";
import { defineKernel } from "../kernels/define-kernel.js";
import { tidy } from "../memory.js";
import {
  broadcastShapes,
  formatShape,
  normalizeAxes,
  normalizeAxis,
  type Shape,
  sameShape,
  sizeOf,
} from "../shape.js";
import { alias, assertTensor, expandTo, type UnaryInputs } from "./broadcast.js";
import { concat, split } from "./concat.js";

const reshapeKernel = /* @__PURE__ */ defineKernel<UnaryInputs, { shape: number[] }>({
  name: "Reshape",
  stock: "Reshape",
  gradient: reshapeGradient,
});

const transposeKernel = /* @__PURE__ */ defineKernel<UnaryInputs, { permutation: number[] }>({
  name: "Transpose",
  implementations: { webgpu: (call) => transposeWebgpu(call) },
  stock: { kernel: "Transpose", attrs: ({ permutation }) => ({ perm: permutation }) },
  gradient: transposeGradient,
});

const tileKernel = /* @__PURE__ */ defineKernel<UnaryInputs, { repeats: number[] }>({
  name: "Tile",
  implementations: { webgpu: (call) => tileWebgpu(call) },
  stock: { kernel: "Tile", attrs: ({ repeats }) => ({ reps: repeats }) },
  gradient: tileGradient,
});

const reverseKernel = /* @__PURE__ */ defineKernel<UnaryInputs, { axes: number[] }>({
  name: "Reverse",
  implementations: { webgpu: (call) => reverseWebgpu(call) },
  stock: { kernel: "Reverse", attrs: ({ axes }) => ({ dims: axes }) },
  gradient: reverseGradient,
});

/**
 * The same values in row-major order under another shape; one size may be −1 and is worked out.
 * @param x `[...]` @param shape sizes whose product is the number of elements
 * @returns `shape`, on the same memory.
 * @throws ShapeError when the numbers of elements differ.
 * @example
 * const rows = reshape(x, [-1, 3]); // [2, 3, 3] → [6, 3]
 */
export function reshape(x: Tensor, shape: Shape): Tensor {
  assertTensor("reshape", x);
  assertList("reshape", "a shape", shape);
  return reshapeKernel({ x }, { shape: shape.includes(-1) ? withHole(x, shape) : [...checked(x, shape)] });
}

function checked(x: Tensor, shape: Shape, asked = shape): Shape {
  if (shape.some((length) => !Number.isInteger(length) || length < 0) || sizeOf(shape) !== x.size)
    throw new ShapeError(
      `reshape: expected a shape of ${x.size} elements, got ${formatShape(asked)} for ${formatShape(x.shape)}`,
    );
  return shape;
}

function withHole(x: Tensor, shape: Shape): number[] {
  const known = sizeOf(shape.filter((length) => length !== -1));
  const resolved = shape.map((length) => (length === -1 ? (known === 0 ? 0 : x.size / known) : length));
  if (shape.filter((length) => length === -1).length > 1)
    throw new ShapeError(`reshape: expected at most one size of −1, got ${formatShape(shape)}`);
  return [...checked(x, resolved, shape)];
}

/**
 * Reorders axes: axis `i` of the result is axis `permutation[i]` of `x`. Without a permutation the axes are reversed.
 * @param x `[...]` @param permutation every axis once, negative ones counted from the end
 * @returns `[x.shape[permutation[0]], …]`
 * @throws InputError when an axis is missing, named twice or out of range.
 * @example
 * const heads = transpose(x, [0, 2, 1, 3]); // [batch, length, heads, headDim] → [batch, heads, length, headDim]
 */
export function transpose(x: Tensor, permutation?: readonly number[]): Tensor {
  assertTensor("transpose", x);
  if (permutation != null) assertList("transpose", "a permutation", permutation);
  const rank = x.shape.length;
  const order =
    permutation?.map((axis) => normalizeAxis("transpose", axis, rank)) ?? x.shape.map((_, i) => rank - 1 - i);
  if (order.length !== rank || new Set(order).size !== rank)
    throw new InputError(
      `transpose: expected each of the ${rank} axes once, got [${(permutation ?? []).join(", ")}] for ${formatShape(x.shape)}`,
    );
  if (movesNothing(x.shape, order))
    return reshape(
      x,
      order.map((axis) => x.shape[axis]),
    );
  return transposeKernel({ x }, { permutation: order });
}

/** Whether a permutation keeps the order of every axis that has more than one element. */
function movesNothing(shape: Shape, order: readonly number[]): boolean {
  let previous = -1;
  for (const axis of order) {
    if (shape[axis] === 1) continue;
    if (axis < previous) return false;
    previous = axis;
  }
  return true;
}

/**
 * Drops axes of size 1: the named ones, or all.
 * @param x `[...]` @returns `[...]` without those axes, on the same memory.
 * @throws ShapeError when a named axis has another size. @throws InputError for an axis out of range.
 */
export function squeeze(x: Tensor, options: { readonly axes?: number | readonly number[] } = {}): Tensor {
  assertOptions("squeeze", options, ["axes"]);
  const { axes } = options;
  assertTensor("squeeze", x);
  const dropped =
    axes === undefined
      ? x.shape.flatMap((length, axis) => (length === 1 ? [axis] : []))
      : normalizeAxes("squeeze", axes, x.shape.length);
  const wrong = dropped.find((axis) => x.shape[axis] !== 1);
  if (wrong !== undefined)
    throw new ShapeError(
      `squeeze: expected axes of size 1, got size ${x.shape[wrong]} for axis ${wrong} of ${formatShape(x.shape)}`,
    );
  return reshape(
    x,
    x.shape.filter((_, axis) => !dropped.includes(axis)),
  );
}

/**
 * Inserts an axis of size 1 before `axis`; −1 appends one.
 * @param x `[...]` @param axis in `[−rank − 1, rank]`
 * @returns `[..., 1, ...]`, on the same memory.
 * @throws InputError for an axis out of range.
 */
export function expandDims(x: Tensor, axis: number): Tensor {
  assertTensor("expandDims", x);
  const shape = [...x.shape];
  shape.splice(normalizeAxis("expandDims", axis, x.shape.length + 1), 0, 1);
  return reshape(x, shape);
}

/**
 * Repeats axes of size 1, and adds axes in front, until the shape is `shape`.
 * @param x `[...]` that broadcasts to `shape` @returns `shape`
 * @throws ShapeError when it does not broadcast to `shape`.
 */
export function broadcastTo(x: Tensor, shape: Shape): Tensor {
  assertTensor("broadcastTo", x);
  assertList("broadcastTo", "a shape", shape);
  if (!shape.every((length) => Number.isInteger(length) && length >= 0))
    throw new ShapeError(`broadcastTo: expected non-negative integer sizes, got ${formatShape(shape)}`);
  if (sameShape(x.shape, shape)) return alias(x);
  if (x.shape.length > shape.length || !sameShape(broadcastShapes("broadcastTo", x.shape, shape), shape))
    throw new ShapeError(
      `broadcastTo: expected a shape that broadcasts to ${formatShape(shape)}, got ${formatShape(x.shape)}`,
    );
  return tidy(() => expandTo(x, shape));
}

/** Options of {@link flatten}. */
export interface FlattenOptions {
  /** First axis that is merged. Default 0. */
  readonly startAxis?: number;
  /** Last axis that is merged. Default −1. */
  readonly endAxis?: number;
}

/**
 * Merges neighbouring axes into one; a scalar becomes `[1]`. Row-major: see the `Flatten` layer for images.
 * @param x `[...]` @returns `[..., merged, ...]`, on the same memory.
 * @throws InputError when `startAxis` comes after `endAxis`, or one is out of range.
 */
export function flatten(x: Tensor, options: FlattenOptions = {}): Tensor {
  assertOptions("flatten", options, ["startAxis", "endAxis"]);
  const { startAxis = 0, endAxis = -1 } = options;
  assertTensor("flatten", x);
  if (x.shape.length === 0) return reshape(x, [1]);
  const start = normalizeAxis("flatten", startAxis, x.shape.length);
  const end = normalizeAxis("flatten", endAxis, x.shape.length);
  if (start > end)
    throw new InputError(`flatten: expected startAxis before endAxis, got ${startAxis} and ${endAxis}`);
  return reshape(x, [
    ...x.shape.slice(0, start),
    sizeOf(x.shape.slice(start, end + 1)),
    ...x.shape.slice(end + 1),
  ]);
}

/**
 * Reverses the order along axes; along all of them when none are named.
 * @param x `[...]` @returns `[...]`
 * @throws InputError for an axis out of range or named twice.
 */
export function flip(x: Tensor, options: { readonly axes?: number | readonly number[] } = {}): Tensor {
  assertOptions("flip", options, ["axes"]);
  const { axes } = options;
  assertTensor("flip", x);
  const reversed = normalizeAxes("flip", axes, x.shape.length).filter((axis) => x.shape[axis] > 1);
  return reversed.length === 0 || x.size === 0 ? alias(x) : reverseKernel({ x }, { axes: reversed });
}

/**
 * Repeats a tensor along its axes. Fewer repeats than axes count from the last axis; more add axes in front.
 * @param x `[...]` @param repeats non-negative whole numbers
 * @returns `[repeats[0] · x.shape[0], …]`
 * @throws InputError for a negative or fractional repeat.
 * @example
 * const y = tile(tensor([1, 2]), [2]); // [1, 2, 1, 2]
 */
export function tile(x: Tensor, repeats: readonly number[]): Tensor {
  assertTensor("tile", x);
  assertList("tile", "repeats", repeats);
  if (!repeats.every((count) => Number.isInteger(count) && count >= 0))
    throw new InputError(`tile: expected non-negative whole repeats, got [${repeats.join(", ")}]`);
  const rank = Math.max(x.shape.length, repeats.length);
  const counts = [...new Array<number>(rank - repeats.length).fill(1), ...repeats];
  const shape = [...new Array<number>(rank - x.shape.length).fill(1), ...x.shape];
  return tidy(() => {
    const aligned = reshape(x, shape);
    return counts.every((count) => count === 1) ? aligned : tileKernel({ x: aligned }, { repeats: counts });
  });
}

/** Options of {@link roll}. */
export interface RollOptions {
  /** How far elements move towards higher indices; one number an axis. */
  readonly shifts: number | readonly number[];
  /** The axes to move along; when left out the flattened tensor is moved by one shift. */
  readonly axes?: number | readonly number[];
}

/**
 * Moves elements along axes; what leaves at one end comes in at the other.
 * @param x `[...]` @returns `[...]`
 * @throws InputError when there are not as many shifts as axes, or a shift is not whole.
 * @example
 * const y = roll(tensor([1, 2, 3]), { shifts: 1 }); // [3, 1, 2]
 */
export function roll(x: Tensor, options: RollOptions): Tensor {
  assertOptions("roll", options, ["shifts", "axes"]);
  const { shifts, axes } = options;
  assertTensor("roll", x);
  const list = [shifts].flat();
  const along =
    axes === undefined ? undefined : [axes].flat().map((axis) => normalizeAxis("roll", axis, x.shape.length));
  if (list.length !== (along?.length ?? 1) || !list.every(Number.isInteger))
    throw new InputError(
      `roll: expected one whole shift an axis (one alone without axes), got shifts [${list.join(", ")}] for axes ${along === undefined ? "left out" : `[${along.join(", ")}]`}`,
    );
  return tidy(() => {
    if (along === undefined) return reshape(rollAxis(reshape(x, [x.size]), list[0], 0), x.shape);
    return along.reduce((moved, axis, index) => rollAxis(moved, list[index], axis), alias(x));
  });
}

function rollAxis(x: Tensor, shift: number, axis: number): Tensor {
  const length = x.shape[axis];
  const last = length === 0 ? 0 : ((shift % length) + length) % length;
  if (last === 0) return x;
  const [head, tail] = split(x, [length - last, last], { axis });
  return concat([tail, head], { axis });
}
