import type { Tensor } from "@tensorflow/tfjs-core";
import { assertOptions, isTensor } from "../../arguments.js";
import { DTypeError, InputError, ShapeError } from "../../errors.js";
import { tidy } from "../../memory.js";
import { add, div, maximum, minimum, mul, sub } from "../../ops/arithmetic.js";
import { assertTensor } from "../../ops/broadcast.js";
import { cast } from "../../ops/cast.js";
import { equal, less, where } from "../../ops/compare.js";
import { max, min, sum } from "../../ops/reduce.js";
import { expandDims, reshape } from "../../ops/shape-ops.js";
import { narrow, pad } from "../../ops/slice.js";
import { abs, round } from "../../ops/unary.js";
import { formatShape, sameShape } from "../../shape.js";
import { scalar, tensor } from "../../tensor.js";
import { dequantizeKernel } from "./quantized-linear-rows.js";

/**
 * A weight matrix of 8 or 4 bits a number: `weight = (number − zero point) · scale` of its row and group. A plain object;
 * `dispose` frees its tensors.
 */
export interface QuantizedWeight {
  /**
   * `[outFeatures, words]` int32: a row is filled up with numbers to whole blocks of 16 bytes. In memory, and stored, its
   * bytes are the numbers in order: signed bytes for 8 bits; for 4 bits two a byte, the even one in the low half, each
   * plus 8.
   */
  readonly values: Tensor;
  /** `[outFeatures, groups]` float32 */
  readonly scales: Tensor;
  /** `[outFeatures, groups]` int32; undefined where all are 0 */
  readonly zeroPoints: Tensor | undefined;
  readonly bits: 8 | 4;
  /** Numbers of a row that share a scale: a multiple of 32. */
  readonly groupSize: number;
  /** `[outFeatures, inFeatures]` */
  readonly shape: readonly [number, number];
}

/** Options of {@link quantizeWeight}. */
export interface QuantizeOptions {
  /** Default 8. */
  readonly bits?: 8 | 4;
  /** Numbers of a row that share a scale, a multiple of 32. Default: the whole row for 8 bits, 32 for 4. */
  readonly groupSize?: number;
  /** Zero points of 0: weights spread evenly around 0. False fits each group's own range. Default true. */
  readonly symmetric?: boolean;
}

/** int32 words of a row. */
export function wordsOf(inFeatures: number, bits: 8 | 4): number {
  return Math.ceil((inFeatures * bits) / 128) * 4;
}

/** Groups of a row: the last may be shorter. */
export function groupsOf(inFeatures: number, groupSize: number): number {
  return Math.ceil(inFeatures / groupSize);
}

/** The group size of whole rows. */
function wholeRow(inFeatures: number): number {
  return Math.max(32, Math.ceil(inFeatures / 32) * 32);
}

/**
 * Rounds a weight to 8 or 4 bits: `round(weight / scale) + zero point`. Symmetric scales are `max|weight| / 127` (8 bits)
 * or `/ 7` (4 bits) of a row or group, others `(max − min) / 255` or `/ 15` of its range with 0.
 * @param weight `[outFeatures, inFeatures]` float32, PyTorch's layout of a linear layer
 * @throws ShapeError unless it is a matrix that is not empty. @throws DTypeError for integers. @throws InputError for a wrong option.
 * @see Dettmers, Zettlemoyer (2023), "The case for 4-bit precision", https://arxiv.org/abs/2212.09720, section 2
 * @example
 * const small = quantizeWeight(weight, { bits: 4, groupSize: 64 });
 * const y = quantizedLinear(x, small, { bias });
 */
export function quantizeWeight(weight: Tensor, options: QuantizeOptions = {}): QuantizedWeight {
  assertOptions("quantizeWeight", options, ["bits", "groupSize", "symmetric?"]);
  assertTensor("quantizeWeight", weight);
  if (weight.dtype !== "float32")
    throw new DTypeError(`quantizeWeight: expected a float32 weight, got ${weight.dtype}; cast it first`);
  if (weight.shape.length !== 2 || weight.size === 0)
    throw new ShapeError(
      `quantizeWeight: expected a weight [outFeatures, inFeatures] that is not empty, got ${formatShape(weight.shape)}`,
    );
  const [rows, columns]: readonly number[] = weight.shape;
  const { bits = 8, symmetric = true } = options;
  if (bits !== 8 && bits !== 4)
    throw new InputError(`quantizeWeight: expected bits 8 or 4, got ${String(bits)}`);
  if (typeof symmetric !== "boolean")
    throw new InputError(`quantizeWeight: expected symmetric true or false, got ${String(symmetric)}`);
  const { groupSize = bits === 8 ? wholeRow(columns) : 32 } = options;
  assertGroupSize("quantizeWeight", groupSize);
  const groups = groupsOf(columns, groupSize);
  const parts = tidy(() => {
    const filled = groups * groupSize;
    const grouped = reshape(
      pad(weight, [
        [0, 0],
        [0, filled - columns],
      ]),
      [rows, groups, groupSize],
    );
    const fitted = symmetric ? fitSymmetric(grouped, bits) : fitRange(grouped, bits);
    const zero = fitted.zeroPoints === undefined ? scalar(0) : expandDims(fitted.zeroPoints, 2);
    const levels = add(round(div(grouped, expandDims(fitted.scales, 2))), zero);
    const [lowest, highest] = bits === 8 ? [-128, 127] : [-8, 7];
    const numbers = minimum(maximum(levels, symmetric ? -highest : lowest), highest); // [rows, groups, groupSize]
    const { scales, zeroPoints } = fitted;
    return {
      values: pack(reshape(numbers, [rows, filled]), columns, bits),
      scales,
      zeroPoints: zeroPoints === undefined ? undefined : cast(zeroPoints, "int32"),
    };
  });
  return { ...parts, bits, groupSize, shape: [rows, columns] };
}

/** @param x `[rows, groups, groupSize]` @returns scales `[rows, groups]` */
function fitSymmetric(x: Tensor, bits: 8 | 4): { scales: Tensor; zeroPoints: Tensor | undefined } {
  const scales = div(max(abs(x), { axes: 2 }), bits === 8 ? 127 : 7);
  return { scales: oneWhereZero(scales), zeroPoints: undefined };
}

/** @param x `[rows, groups, groupSize]` @returns scales and zero points, float32 still, `[rows, groups]` */
function fitRange(x: Tensor, bits: 8 | 4): { scales: Tensor; zeroPoints: Tensor } {
  const [levels, lowest] = bits === 8 ? [255, -128] : [15, -8];
  const low = minimum(min(x, { axes: 2 }), 0);
  const high = maximum(max(x, { axes: 2 }), 0);
  const scales = oneWhereZero(div(sub(high, low), levels));
  return { scales, zeroPoints: sub(lowest, round(div(low, scales))) };
}

function oneWhereZero(scales: Tensor): Tensor {
  return where(equal(scales, 0), scalar(1), scales);
}

/** Numbers as words, the first in the lowest bits. @param x `[rows, length]` whole numbers @returns `[rows, words]` int32 */
function pack(x: Tensor, columns: number, bits: 8 | 4): Tensor {
  const [rows, length]: readonly number[] = x.shape;
  const words = wordsOf(columns, bits);
  const each = 32 / bits;
  // what fills a row up is 0, in the groups' last columns and beyond them
  const numbers = cast(
    pad(x, [
      [0, 0],
      [0, Math.max(0, words * each - length)],
    ]),
    "int32",
  );
  const cut = narrow(numbers, { axis: 1, start: 0, length: words * each });
  const digits = reshape(cut, [rows, words, each]);
  const unsigned = bits === 8 ? add(digits, mul(cast(less(digits, 0), "int32"), 256)) : add(digits, 8);
  const powers = tensor(Int32Array.from({ length: each }, (_, i) => 2 ** (bits * i)));
  // products and sums of int32 wrap around, so that the highest number's sign ends up in the word's
  return sum(mul(unsigned, powers), { axes: 2 }); // [rows, words]
}

/** @throws InputError unless `groupSize` is a positive multiple of 32. */
export function assertGroupSize(operation: string, groupSize: number): void {
  if (!Number.isInteger(groupSize) || groupSize < 32 || groupSize % 32 !== 0)
    throw new InputError(`${operation}: expected groupSize as a multiple of 32, got ${String(groupSize)}`);
}

/** @throws InputError, DTypeError or ShapeError unless the parts of a weight fit together. */
export function assertQuantizedWeight(operation: string, weight: QuantizedWeight): void {
  if (typeof weight !== "object" || weight === null || isTensor(weight) || !isTensor(weight.values))
    throw new InputError(
      `${operation}: expected a quantized weight, got ${isTensor(weight) ? "a tensor" : "something else"}; use quantizeWeight`,
    );
  const { values, scales, zeroPoints, bits, groupSize, shape } = weight;
  if (bits !== 8 && bits !== 4)
    throw new InputError(`${operation}: expected a weight of 8 or 4 bits, got ${String(bits)}`);
  assertGroupSize(operation, groupSize);
  const [rows, columns] = shape;
  const groups = [rows, groupsOf(columns, groupSize)];
  const expected = [
    { name: "values", part: values, dtype: "int32", size: [rows, wordsOf(columns, bits)] },
    { name: "scales", part: scales, dtype: "float32", size: groups },
    ...(zeroPoints === undefined
      ? []
      : [{ name: "zeroPoints", part: zeroPoints, dtype: "int32", size: groups }]),
  ];
  for (const { name, part, dtype, size } of expected) {
    assertTensor(operation, part);
    if (part.dtype !== dtype)
      throw new DTypeError(`${operation}: expected ${dtype} ${name}, got ${part.dtype}; use quantizeWeight`);
    if (!sameShape(part.shape, size))
      throw new ShapeError(
        `${operation}: expected ${name} ${formatShape(size)} for a weight ${formatShape(shape)} of ${bits} bits in groups of ${groupSize}, got ${formatShape(part.shape)}`,
      );
  }
}

/**
 * The weight as float32: `(number − zero point) · scale`. @returns `[outFeatures, inFeatures]`
 * @param weight as {@link quantizeWeight} gives it
 * @throws InputError, DTypeError or ShapeError when its parts do not fit together.
 */
export function dequantizeWeight(weight: QuantizedWeight): Tensor {
  assertQuantizedWeight("dequantizeWeight", weight);
  const { values, scales, zeroPoints, bits, groupSize, shape } = weight;
  return dequantizeKernel({ values, scales, zeroPoints }, { bits, groupSize, inFeatures: shape[1] });
}
