import type { Tensor } from "@tensorflow/tfjs-core";
import { assertOptions } from "../arguments.js";
import { readValues } from "../device.js";
import { allocate, type DType, type TypedArray } from "../dtype.js";
import { unrecorded } from "../engine.js";
import { InputError } from "../errors.js";
import { dispose, tidy } from "../memory.js";
import { formatShape, normalizeAxis, sizeOf } from "../shape.js";
import { fromValues, read } from "../tensor.js";
import { assertTensor } from "./broadcast.js";
import { reshape, transpose } from "./shape-ops.js";
import { sort } from "./sort.js";

/** Options of {@link nonzero}. */
export interface NonzeroOptions {
  /** Gives up with its reason as soon as it is aborted, before or after the values are read. */
  readonly signal?: AbortSignal;
}

/**
 * Where elements are not 0, in row-major order (`torch.nonzero`). NaN is not 0. How many there are depends on the
 * values, so they are read: the result is no part of a gradient.
 * @param x `[...]` of any dtype and rank.
 * @returns `[count, rank]` int32, the coordinates of each.
 * @throws what the signal was aborted with. @throws KernelError or DeviceError that the device met before.
 * @example
 * const places = await nonzero(greater(scores, 0.5)); // [count, 2] for scores [batch, boxes]
 * const chosen = gatherNd(scores, places); // [count]
 */
export async function nonzero(x: Tensor, options: NonzeroOptions = {}): Promise<Tensor> {
  assertTensor("nonzero", x);
  assertOptions("nonzero", options, ["signal"]);
  const { shape } = x;
  const values = await readUnless(options.signal, x);
  const rank = shape.length;
  let count = 0;
  for (let index = 0; index < values.length; index++) if (values[index] !== 0) count++;
  const places = new Int32Array(count * rank);
  let row = count * rank;
  for (let index = values.length - 1; index >= 0; index--) {
    if (values[index] === 0) continue;
    let rest = index;
    for (let axis = rank - 1; axis >= 0; axis--) {
      places[--row] = rest % shape[axis];
      rest = Math.floor(rest / shape[axis]);
    }
  }
  return fromValues(places, [count, rank], "int32");
}

/** Options of {@link unique}. */
export interface UniqueOptions<Inverse extends boolean = boolean, Counts extends boolean = boolean> {
  /** Compare the slices along this axis, negative counted from the end. Default: the elements. */
  readonly axis?: number;
  /** Also give where in `values` each one is. Default false. */
  readonly returnInverse?: Inverse;
  /** Also give how often each one occurs. Default false. */
  readonly returnCounts?: Counts;
  /** Gives up with its reason as soon as it is aborted, before or after the values are read. */
  readonly signal?: AbortSignal;
}

/** What {@link unique} gives: yours to dispose. */
export type UniqueResult<Inverse extends boolean = boolean, Counts extends boolean = boolean> = {
  /** `[count]`, or the shape of the input with `count` at the axis; ascending. */
  readonly values: Tensor;
} & (Inverse extends true
  ? {
      /** The input's shape, or `[length]` of the axis: the index in `values`, int32. */ readonly inverse: Tensor;
    }
  : unknown) &
  (Counts extends true
    ? {
        /** `[count]` int32. */ readonly counts: Tensor;
      }
    : unknown);

/**
 * The distinct elements in ascending order, or the distinct slices along an axis in lexicographic order (`torch.unique`).
 * Each NaN is distinct, as there, and comes last. How many there are depends on the values, so they are read: the result
 * is no part of a gradient.
 * @param x `[...]` of any dtype.
 * @returns `values` of the dtype of `x`, and what was asked for besides.
 * @throws InputError for an axis out of range, or slices of no elements. @throws what the signal was aborted with.
 * @example
 * const { values, counts } = await unique(labels, { returnCounts: true });
 */
export async function unique<Inverse extends boolean = false, Counts extends boolean = false>(
  x: Tensor,
  options: UniqueOptions<Inverse, Counts> = {},
): Promise<UniqueResult<Inverse, Counts>> {
  assertTensor("unique", x);
  assertOptions("unique", options as UniqueOptions, ["axis", "returnInverse?", "returnCounts?", "signal"]);
  const { axis, signal } = options;
  signal?.throwIfAborted();
  const found =
    axis === undefined
      ? await distinctElements(x, signal)
      : await distinctSlices(x, normalizeAxis("unique", axis, x.shape.length), signal);
  const { inverse, inverseShape, counts } = found;
  return {
    values: found.values,
    ...(options.returnInverse ? { inverse: fromValues(inverse, inverseShape, "int32") } : {}),
    ...(options.returnCounts
      ? { counts: fromValues(Int32Array.from(counts), [counts.length], "int32") }
      : {}),
  } as UniqueResult<Inverse, Counts>;
}

interface Distinct {
  readonly values: Tensor;
  readonly inverse: Int32Array;
  readonly inverseShape: readonly number[];
  readonly counts: readonly number[];
}

/** Runs through what is sorted: where it differs from the one before, another begins. */
function group(order: ArrayLike<number>, differs: (a: number, b: number) => boolean) {
  const firsts: number[] = [];
  const counts: number[] = [];
  const inverse = new Int32Array(order.length);
  for (let position = 0; position < order.length; position++) {
    const index = order[position];
    if (position === 0 || differs(order[position - 1], index)) {
      firsts.push(index);
      counts.push(0);
    }
    counts[counts.length - 1]++;
    inverse[index] = firsts.length - 1;
  }
  return { firsts, counts, inverse };
}

async function distinctElements(x: Tensor, signal: AbortSignal | undefined): Promise<Distinct> {
  const dtype = x.dtype as DType;
  const sorted = unrecorded(() => tidy(() => sort(reshape(x, [x.size]))));
  try {
    const [order, inOrder] = await Promise.all([read(sorted.indices), read(sorted.values)]);
    signal?.throwIfAborted();
    const elements = allocate(dtype, x.size);
    for (let position = 0; position < order.length; position++) elements[order[position]] = inOrder[position];
    const { firsts, counts, inverse } = group(order, (a, b) => elements[a] !== elements[b]);
    const values = allocate(dtype, firsts.length);
    firsts.forEach((first, index) => {
      values[index] = elements[first];
    });
    return {
      values: fromValues(values, [firsts.length], dtype),
      inverse,
      inverseShape: x.shape,
      counts,
    };
  } finally {
    dispose(sorted);
  }
}

async function distinctSlices(x: Tensor, axis: number, signal: AbortSignal | undefined): Promise<Distinct> {
  const dtype = x.dtype as DType;
  const length = x.shape[axis];
  const others = x.shape.filter((_, index) => index !== axis);
  const size = sizeOf(others);
  if (size === 0)
    throw new InputError(
      `unique: expected slices of at least one element, got ${formatShape(x.shape)} with axis ${axis}`,
    );
  const front = [axis, ...x.shape.flatMap((_, index) => (index === axis ? [] : [index]))];
  const lines = unrecorded(() => transpose(x, front)); // [length, ...others]
  try {
    const cells = await readUnless(signal, lines);
    const compare = (a: number, b: number): number => {
      for (let cell = 0; cell < size; cell++) {
        const order = ascending(cells[a * size + cell], cells[b * size + cell]);
        if (order !== 0) return order;
      }
      return 0;
    };
    const order = Array.from({ length }, (_, index) => index).sort(compare);
    const { firsts, counts, inverse } = group(order, (a, b) => !sameSlice(cells, a * size, b * size, size));
    const kept = allocate(dtype, firsts.length * size);
    firsts.forEach((first, index) => {
      kept.set(cells.subarray(first * size, (first + 1) * size), index * size);
    });
    const back = x.shape.map((_, index) => front.indexOf(index));
    const values = tidy(() => transpose(fromValues(kept, [firsts.length, ...others], dtype), back));
    return { values, inverse, inverseShape: [length], counts };
  } finally {
    dispose(lines);
  }
}

/** NaN counts as larger than every number. */
function ascending(a: number, b: number): number {
  if (a < b) return -1;
  if (a > b) return 1;
  return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
}

function sameSlice(cells: TypedArray, a: number, b: number, size: number): boolean {
  for (let cell = 0; cell < size; cell++) if (cells[a + cell] !== cells[b + cell]) return false;
  return true;
}

async function readUnless(signal: AbortSignal | undefined, x: Tensor): Promise<TypedArray> {
  signal?.throwIfAborted();
  const values = await readValues(x);
  signal?.throwIfAborted();
  return values;
}
