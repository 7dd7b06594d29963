import type { Tensor } from "@tensorflow/tfjs-core";
import { assertList, assertOptions } from "../arguments.js";
import { placeOnHost, stridedSliceOnHost } from "../backends/host/slice.js";
import { placeWasm, stridedSliceWasm } from "../backends/wasm/ops/layout.js";
import { placeWebgpu, stridedSliceWebgpu } from "../backends/webgpu/kernels/strided.js";
import { InputError, ShapeError } from "../errors.js";
import { placeGradient, stridedSliceGradient } from "../gradients/slice.js";
import { defineKernel } from "../kernels/define-kernel.js";
import { tidy } from "../memory.js";
import { formatShape, normalizeAxis } from "../shape.js";
import { fromValues } from "../tensor.js";
import { assertTensor } from "./broadcast.js";
import { concat } from "./concat.js";
import { gather } from "./indexing.js";

/** Element `i` along an axis of the result is element `begin + i·stride` of the input. */
export type StridedSliceAttributes = { begin: number[]; strides: number[]; size: number[] };

/** Element `i` along an axis of the input goes to `begin + i·stride`; everything else is `value`. */
export type PlaceAttributes = { shape: number[]; begin: number[]; strides: number[]; value: number };

const stridedSliceKernel = /* @__PURE__ */ defineKernel<{ x: Tensor }, StridedSliceAttributes>({
  name: "StridedSlice",
  implementations: {
    cpu: stridedSliceOnHost,
    wasm: (call) => stridedSliceWasm(call) ?? stridedSliceOnHost(call),
    webgpu: (call) => stridedSliceWebgpu(call),
  },
  gradient: stridedSliceGradient,
});

const placeKernel = /* @__PURE__ */ defineKernel<{ x: Tensor }, PlaceAttributes>({
  name: "Place",
  implementations: {
    cpu: placeOnHost,
    wasm: (call) => placeWasm(call) ?? placeOnHost(call),
    webgpu: (call) => placeWebgpu(call),
  },
  gradient: placeGradient,
});

/** Regular positions along every axis, already checked. @internal */
export function takeStrided(x: Tensor, attributes: StridedSliceAttributes): Tensor {
  return stridedSliceKernel({ x }, attributes);
}

/** The inverse of {@link takeStrided}: puts `x` at regular positions of a constant tensor. @internal */
export function place(x: Tensor, attributes: PlaceAttributes): Tensor {
  return placeKernel({ x }, attributes);
}

/**
 * A block of a tensor.
 * @param x `[...]` of any dtype.
 * @param begin First index along each axis.
 * @param size Length along each axis; −1 means up to the end.
 * @returns `size`
 * @throws InputError when the block leaves the tensor.
 * @example
 * slice(x, [0, 2], [-1, 3]); // x[:, 2:5]
 */
export function slice(x: Tensor, begin: readonly number[], size: readonly number[]): Tensor {
  assertTensor("slice", x);
  assertList("slice", "begin", begin);
  assertList("slice", "size", size);
  const { shape } = x;
  if (begin.length !== shape.length || size.length !== shape.length)
    throw new ShapeError(
      `slice: expected begin and size with one number an axis of ${formatShape(shape)}, got ${begin.length} and ${size.length}`,
    );
  const lengths = size.map((length, axis) => (length === -1 ? shape[axis] - begin[axis] : length));
  lengths.forEach((length, axis) => {
    const start = begin[axis];
    if (
      !Number.isInteger(start) ||
      !Number.isInteger(length) ||
      start < 0 ||
      length < 0 ||
      start + length > shape[axis]
    )
      throw new InputError(
        `slice: expected a block inside [0, ${shape[axis]}) along axis ${axis}, got ${start} to ${start + length}; check begin and size`,
      );
  });
  return takeStrided(x, { begin: [...begin], strides: shape.map(() => 1), size: lengths });
}

/** Options of {@link narrow}. */
export interface NarrowOptions {
  /** The axis to shorten, negative counted from the end. */
  readonly axis: number;
  /** First index, negative counted from the end. */
  readonly start: number;
  /** How many. */
  readonly length: number;
}

/**
 * A block along one axis, all of the others.
 * @param x `[...]` of any dtype.
 * @returns the shape of `x` with `length` at `axis`.
 * @throws InputError when the block leaves the axis.
 */
export function narrow(x: Tensor, options: NarrowOptions): Tensor {
  assertOptions("narrow", options, ["axis", "start", "length"]);
  const { axis, start, length } = options;
  assertTensor("narrow", x);
  const { shape } = x;
  const dimension = normalizeAxis("narrow", axis, shape.length);
  const first = start < 0 ? start + shape[dimension] : start;
  if (
    ![first, length].every(Number.isInteger) ||
    first < 0 ||
    length < 0 ||
    first + length > shape[dimension]
  )
    throw new InputError(
      `narrow: expected a block inside [0, ${shape[dimension]}) of axis ${dimension}, got start ${start} and length ${length}`,
    );
  return takeStrided(x, {
    begin: shape.map((_, index) => (index === dimension ? first : 0)),
    strides: shape.map(() => 1),
    size: shape.map((whole, index) => (index === dimension ? length : whole)),
  });
}

/** Options of {@link stridedSlice}: one entry an axis, fewer than the rank leave the last axes whole. */
export interface StridedSliceOptions {
  /** First index; negative counted from the end; null: from the first (from the last for a negative stride). */
  readonly begin?: readonly (number | null)[];
  /** Index before which to stop; negative counted from the end; null: to the end. */
  readonly end?: readonly (number | null)[];
  /** Step, not 0; a negative one walks backwards. Default 1. */
  readonly strides?: readonly number[];
}

/**
 * `x[begin:end:stride, …]` by Python's rules: indices out of range are clamped.
 * @param x `[...]` of any dtype.
 * @returns `[...]` of the same rank.
 * @throws InputError for a stride of 0 or more entries than axes.
 * @example
 * stridedSlice(x, { begin: [null], end: [null], strides: [-1] }); // x[::-1]
 */
export function stridedSlice(x: Tensor, options: StridedSliceOptions): Tensor {
  assertOptions("stridedSlice", options, ["begin", "end", "strides"]);
  const { begin = [], end = [], strides = [] } = options;
  assertTensor("stridedSlice", x);
  for (const list of [begin, end, strides]) assertList("stridedSlice", "begin, end and strides", list);
  const { shape } = x;
  const given = Math.max(begin.length, end.length, strides.length);
  if (given > shape.length)
    throw new InputError(
      `stridedSlice: expected at most ${shape.length} entries for ${formatShape(shape)}, got ${given}`,
    );
  const axes = shape.map((length, axis) =>
    range(length, begin[axis] ?? null, end[axis] ?? null, strides[axis] ?? 1),
  );
  return takeStrided(x, {
    begin: axes.map(({ start }) => start),
    strides: axes.map(({ stride }) => stride),
    size: axes.map(({ count }) => count),
  });
}

/** Python's `slice.indices`, with the number of steps. */
function range(length: number, begin: number | null, end: number | null, stride: number) {
  for (const value of [begin ?? 0, end ?? 0, stride])
    if (!Number.isInteger(value)) throw new InputError(`stridedSlice: expected integers, got ${value}`);
  if (stride === 0) throw new InputError("stridedSlice: expected a stride other than 0, got 0");
  const backwards = stride < 0;
  const lowest = backwards ? -1 : 0;
  const highest = backwards ? length - 1 : length;
  const clamp = (index: number): number =>
    Math.min(highest, Math.max(lowest, index < 0 ? index + length : index));
  const start = begin === null ? (backwards ? highest : lowest) : clamp(begin);
  const stop = end === null ? (backwards ? lowest : highest) : clamp(end);
  const count = Math.max(0, Math.ceil((stop - start) / stride));
  return { start: count === 0 ? 0 : start, stride, count };
}

/** Cells to add before and after, one pair an axis. */
export type Paddings = readonly (readonly [number, number])[];

/** Cells from which padding an axis copies it instead of picking every cell. */
const LONG_AXIS = 4096;

/** What the added cells hold. */
export type PadMode = "constant" | "reflect" | "replicate" | "circular";

/** Options of {@link pad}. */
export interface PadOptions {
  /**
   * `constant` (default) fills with `value`; `reflect` mirrors without repeating the border; `replicate` repeats the
   * border; `circular` goes on at the other end. PyTorch's names, for any axis of a tensor of any rank.
   */
  readonly mode?: PadMode;
  /** The constant. Default 0. */
  readonly value?: number;
}

/**
 * Adds cells around a tensor.
 * @param x `[...]` of any dtype and rank.
 * @param paddings `[before, after]` for each axis.
 * @returns `[...]`, each axis longer by its two paddings.
 * @throws InputError for negative paddings, or more cells than the mode can take from the axis:
 * `reflect` needs less than its length, `circular` at most its length, `replicate` an axis that is not empty.
 * @throws ShapeError when there is not one pair an axis.
 * @example
 * pad(image, [[0, 0], [1, 1], [1, 1], [0, 0]], { mode: "reflect" });
 */
export function pad(x: Tensor, paddings: Paddings, options: PadOptions = {}): Tensor {
  assertOptions("pad", options, ["mode", "value"]);
  const { mode = "constant", value = 0 } = options;
  assertTensor("pad", x);
  assertList("pad", "paddings", paddings);
  const { shape } = x;
  if (paddings.length !== shape.length)
    throw new ShapeError(
      `pad: expected ${shape.length} pairs of paddings for ${formatShape(shape)}, got ${paddings.length}`,
    );
  for (const pair of paddings)
    if (pair?.length !== 2 || !pair.every((cells) => Number.isInteger(cells) && cells >= 0))
      throw new InputError(
        `pad: expected pairs of non-negative integers, got [${pair}]; use slice to cut cells off`,
      );
  if (mode === "constant") return padConstant(x, paddings, value);
  if (!["reflect", "replicate", "circular"].includes(mode))
    throw new InputError(`pad: expected mode constant, reflect, replicate or circular, got ${mode}`);
  if (value !== 0)
    throw new InputError(`pad: expected a value only with mode constant, got ${value} with ${mode}`);
  return tidy(() => {
    let result = x;
    paddings.forEach(([before, after], axis) => {
      if (before === 0 && after === 0) return;
      const indices = paddedIndices(shape[axis], before, after, mode);
      const cells = (from: number, to: number): Tensor =>
        gather(result, fromValues(indices.slice(from, to), [to - from], "int32"), { axis });
      // a long axis, such as sound, is copied in one piece between its ends
      result =
        shape[axis] < LONG_AXIS
          ? cells(0, indices.length)
          : concat([cells(0, before), result, cells(before + shape[axis], indices.length)], { axis });
    });
    return result === x ? padConstant(x, paddings, 0) : result;
  });
}

function padConstant(x: Tensor, paddings: Paddings, value: number): Tensor {
  if (x.dtype === "int32" && !Number.isInteger(value))
    throw new InputError(`pad: expected an integer value for int32, got ${value}; cast to float32 first`);
  return place(x, {
    shape: x.shape.map((length, axis) => length + paddings[axis][0] + paddings[axis][1]),
    begin: paddings.map(([before]) => before),
    strides: x.shape.map(() => 1),
    value: x.dtype === "bool" ? Number(value !== 0) : value,
  });
}

/** For each cell of a padded axis, the cell that it copies. */
function paddedIndices(
  length: number,
  before: number,
  after: number,
  mode: Exclude<PadMode, "constant">,
): Int32Array {
  const most = {
    reflect: length - 1,
    circular: length,
    replicate: length === 0 ? 0 : Number.POSITIVE_INFINITY,
  }[mode];
  if (before > most || after > most)
    throw new InputError(
      `pad: expected at most ${Math.max(0, most)} cells of ${mode} padding on an axis of ${length}, got ${before} and ${after}`,
    );
  const indices = new Int32Array(before + length + after);
  for (let position = 0; position < indices.length; position++) {
    const index = position - before;
    indices[position] =
      mode === "replicate"
        ? Math.min(length - 1, Math.max(0, index))
        : mode === "circular"
          ? (index + length) % length
          : index < 0
            ? -index
            : index >= length
              ? 2 * (length - 1) - index
              : index;
  }
  return indices;
}
