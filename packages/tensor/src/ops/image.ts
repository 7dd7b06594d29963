import type { Tensor } from "@tensorflow/tfjs-core";
import { DTypeError, InputError, ShapeError } from "../errors.js";
import { tidy } from "../memory.js";
import { formatShape } from "../shape.js";
import { type ResampleRow, type ResampleTable, resample, resampleTable } from "./resample.js";
import { reshape } from "./shape-ops.js";
import { type PerAxis, perAxis } from "./window.js";

/** How {@link interpolate} weighs the cells around a point. */
export type InterpolationMode = "nearest" | "bilinear" | "bicubic";

/** Options of {@link interpolate}. */
export interface InterpolateOptions {
  /** Height and width of the result, or one number for both. */
  readonly size: PerAxis;
  /** Default `"nearest"`, as in PyTorch. */
  readonly mode?: InterpolationMode;
  /** Let the centres of the corner cells coincide instead of the corners. Only with bilinear and bicubic. Default false. */
  readonly alignCorners?: boolean;
  /** Widen the filter when shrinking, so that every cell counts, as Pillow does. Only with bilinear and bicubic. Default false. */
  readonly antialias?: boolean;
}

/** Keys's constant of the cubic filter: −0.75 as in OpenCV, −0.5 as in Pillow, both as in PyTorch. */
const CUBIC = { plain: -0.75, antialias: -0.5 };

/** The cubic convolution filter at a distance. @see Keys 1981, "Cubic convolution interpolation for digital image processing", eq. 4 */
function cubic(distance: number, a: number): number {
  const x = Math.abs(distance);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((x - 5) * x + 8) * x * a - 4 * a : 0;
}

const triangle = (distance: number): number => Math.max(0, 1 - Math.abs(distance));

/** Adds up the weights of taps that clamping puts on the same cell. */
function clampedRow(length: number, start: number, weights: readonly number[]): ResampleRow {
  const first = Math.min(length - 1, Math.max(0, start));
  const last = Math.min(length - 1, Math.max(0, start + weights.length - 1));
  const sums = new Array<number>(last - first + 1).fill(0);
  weights.forEach((weight, tap) => {
    sums[Math.min(last, Math.max(first, start + tap)) - first] += weight;
  });
  return { start: first, weights: sums };
}

/** The row of a filter of two (bilinear) or four (bicubic) taps around a point. */
function plainRow(mode: InterpolationMode, length: number, point: number): ResampleRow {
  if (mode === "bilinear") {
    const at = Math.max(0, point);
    const start = Math.min(length - 1, Math.floor(at));
    return clampedRow(length, start, [1 - (at - start), at - start]);
  }
  const start = Math.floor(point) - 1;
  return clampedRow(
    length,
    start,
    Array.from({ length: 4 }, (_, tap) => cubic(point - start - tap, CUBIC.plain)),
  );
}

/** The row of a filter stretched by the shrinking factor and cut off at the border, with a sum of 1. */
function smoothRow(mode: InterpolationMode, length: number, scale: number, index: number): ResampleRow {
  const stretch = Math.max(1, scale);
  const support = (mode === "bilinear" ? 1 : 2) * stretch;
  const center = scale * (index + 0.5);
  const start = Math.max(0, Math.trunc(center - support + 0.5));
  const end = Math.min(length, Math.trunc(center + support + 0.5));
  const weights = Array.from({ length: end - start }, (_, tap) => {
    const distance = (start + tap - center + 0.5) / stretch;
    return mode === "bilinear" ? triangle(distance) : cubic(distance, CUBIC.antialias);
  });
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return { start, weights: total === 0 ? weights : weights.map((weight) => weight / total) };
}

/** The weights that make `count` cells of `length`. */
function interpolationTable(
  length: number,
  count: number,
  { mode, alignCorners, antialias }: { mode: InterpolationMode; alignCorners: boolean; antialias: boolean },
): ResampleTable {
  const rows = Array.from({ length: count }, (_, index): ResampleRow => {
    if (mode === "nearest") {
      // in float32, as PyTorch computes it: the cell next to a boundary depends on the rounding
      const position = Math.floor(Math.fround(index * Math.fround(length / count)));
      return { start: Math.min(length - 1, position), weights: [1] };
    }
    const scale = alignCorners ? (count > 1 ? (length - 1) / (count - 1) : 0) : length / count;
    if (antialias) return smoothRow(mode, length, scale, index);
    return plainRow(mode, length, alignCorners ? scale * index : scale * (index + 0.5) - 0.5);
  });
  return resampleTable(length, rows);
}

/**
 * Resizes images; equal to `torch.nn.functional.interpolate`. Any factor up or down, each axis on its own.
 * @param x `[batch, height, width, channels]`
 * @returns `[batch, size[0], size[1], channels]`
 * @throws ShapeError for an image without cells. @throws InputError for a size below 1, an unknown mode, or
 * `alignCorners` or `antialias` with `"nearest"`.
 * @example
 * const large = interpolate(images, { size: [224, 224], mode: "bicubic", antialias: true });
 */
export function interpolate(
  x: Tensor,
  { size, mode = "nearest", alignCorners = false, antialias = false }: InterpolateOptions,
): Tensor {
  if (x?.shape?.length !== 4 || x.shape[1] === 0 || x.shape[2] === 0)
    throw new ShapeError(
      `interpolate: expected x [batch, height, width, channels] with cells, got ${formatShape(x?.shape ?? [])}`,
    );
  if (x.dtype !== "float32")
    throw new DTypeError(`interpolate: expected float32, got ${x.dtype}; cast it first`);
  if (!["nearest", "bilinear", "bicubic"].includes(mode))
    throw new InputError(`interpolate: expected mode nearest, bilinear or bicubic, got ${mode}`);
  if (mode === "nearest" && (alignCorners || antialias))
    throw new InputError(
      "interpolate: expected alignCorners and antialias only with bilinear or bicubic, got nearest",
    );
  const [batch, height, width, channels] = x.shape;
  const [rows, columns] = perAxis("interpolate", "size", size, 2);
  const options = { mode, alignCorners, antialias };
  return tidy(() => {
    const tall = resample(
      reshape(x, [batch, height, width * channels]),
      interpolationTable(height, rows, options),
    );
    const flat = reshape(tall, [batch * rows, width, channels]);
    return reshape(resample(flat, interpolationTable(width, columns, options)), [
      batch,
      rows,
      columns,
      channels,
    ]);
  });
}
