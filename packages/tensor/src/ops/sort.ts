import type { Tensor } from "@tensorflow/tfjs-core";
import { assertOptions } from "../arguments.js";
import { argSortOnHost } from "../backends/host/sort.js";
import { argSortWasm } from "../backends/wasm/ops/sort.js";
import { argSortWebgpu } from "../backends/webgpu/kernels/sort.js";
import { InputError } from "../errors.js";
import { defineKernel } from "../kernels/define-kernel.js";
import { tidy } from "../memory.js";
import { normalizeAxis, sizeOf } from "../shape.js";
import { assertTensor } from "./broadcast.js";
import { takeAlong } from "./indexing-kernels.js";
import { reshape } from "./shape-ops.js";

export type ArgSortAttributes = { count: number; descending: boolean };

/** x `[outer, length, inner]` → indices `[outer, count, inner]` of each line's first `count` entries in order. */
const argSortKernel = /* @__PURE__ */ defineKernel<{ x: Tensor }, ArgSortAttributes>({
  name: "ArgSort",
  implementations: {
    cpu: argSortOnHost,
    wasm: (call) => argSortWasm(call) ?? argSortOnHost(call),
    webgpu: (call) => argSortWebgpu(call),
  },
});

/** Options of {@link sort} and {@link argsort}. */
export interface SortOptions {
  /** The axis to sort along, negative counted from the end. Default −1. */
  readonly axis?: number;
  /** Largest first. Default false. */
  readonly descending?: boolean;
}

/** Entries in order, and where they were. */
export interface SortResult {
  /** The sorted entries, dtype of the input. */
  readonly values: Tensor;
  /** Their indices along the axis, int32, same shape. */
  readonly indices: Tensor;
}

/** `x` as `[outer, length, inner]` around the axis, the order of its lines `[outer, count, inner]`, and the result's shape. */
function order(operation: string, x: Tensor, axis: number, descending: boolean, wanted?: number) {
  assertTensor(operation, x);
  const dimension = normalizeAxis(operation, axis, x.shape.length);
  const length = x.shape[dimension];
  const count = wanted ?? length;
  if (!Number.isInteger(count) || count < 0 || count > length)
    throw new InputError(
      `${operation}: expected k in [0, ${length}], the length of axis ${dimension}, got ${count}`,
    );
  const flat = reshape(x, [
    sizeOf(x.shape.slice(0, dimension)),
    length,
    sizeOf(x.shape.slice(dimension + 1)),
  ]);
  const indices = argSortKernel({ x: flat }, { count, descending });
  return { flat, indices, shape: x.shape.map((whole, index) => (index === dimension ? count : whole)) };
}

function ordered(
  operation: string,
  x: Tensor,
  axis: number,
  descending: boolean,
  wanted?: number,
): SortResult {
  return tidy(() => {
    const { flat, indices, shape } = order(operation, x, axis, descending, wanted);
    return { values: reshape(takeAlong(flat, indices, operation), shape), indices: reshape(indices, shape) };
  });
}

/**
 * Sorts along an axis. Equal entries keep their order; NaN counts as larger than every number, as in PyTorch.
 * @param x `[...]` of any dtype, rank at least 1.
 * @returns `values` and `indices` (int32), both the shape of `x`. The gradient of `values` goes back to where each came from.
 * @throws InputError for an axis out of range.
 * @example
 * const { values, indices } = sort(x, { descending: true });
 */
export function sort(x: Tensor, options: SortOptions = {}): SortResult {
  assertOptions("sort", options, ["axis", "descending?"]);
  const { axis = -1, descending = false } = options;
  return ordered("sort", x, axis, descending);
}

/**
 * The indices that {@link sort} gives.
 * @param x `[...]` of any dtype, rank at least 1.
 * @returns the shape of `x`, int32.
 */
export function argsort(x: Tensor, options: SortOptions = {}): Tensor {
  assertOptions("argsort", options, ["axis", "descending?"]);
  const { axis = -1, descending = false } = options;
  return tidy(() => {
    const { indices, shape } = order("argsort", x, axis, descending);
    return reshape(indices, shape);
  });
}

/** Options of {@link topK}. */
export interface TopKOptions {
  /** The axis to search, negative counted from the end. Default −1. */
  readonly axis?: number;
  /** The largest entries, largest first (default), or the smallest, smallest first. */
  readonly largest?: boolean;
}

/**
 * The `k` largest entries along an axis, in order; of equal entries the one with the lowest index comes first.
 * NaN counts as larger than every number, as in PyTorch.
 * @param x `[...]` of any dtype, rank at least 1.
 * @param k How many.
 * @returns `values` and `indices` (int32), the shape of `x` with `k` at the axis. The gradient of `values` goes back to where each came from.
 * @throws InputError when `k` is larger than the axis.
 */
export function topK(x: Tensor, k: number, options: TopKOptions = {}): SortResult {
  assertOptions("topK", options, ["axis", "largest?"]);
  const { axis = -1, largest = true } = options;
  return ordered("topK", x, axis, largest, k);
}
