import type { Tensor } from "@tensorflow/tfjs-core";
import { assertOptions } from "../arguments.js";
import { DTypeError, InputError, ShapeError } from "../errors.js";
import { tidy } from "../memory.js";
import { formatShape } from "../shape.js";
import { type ResampleRow, type ResampleTable, resample, resampleTable } from "./resample.js";
import { reshape } from "./shape-ops.js";
import { type PerAxis, perAxis } from "./window.js";

/** How {@link interpolate} weighs the cells around a point. */
export type InterpolationMode = "nearest" | "nearest-exact" | "linear" | "bilinear" | "bicubic" | "trilinear";

/** Options of {@link interpolate}. */
export interface InterpolateOptions {
  /** Cells of the result along each spatial axis, or one number for all. One of `size` and `scaleFactor` is required. */
  readonly size?: PerAxis;
  /**
   * Factor of each spatial axis, or one for all. Sizes are rounded down, while cells stand as far apart as the factor says
   * (`recompute_scale_factor` left out in PyTorch).
   */
  readonly scaleFactor?: PerAxis;
  /**
   * Default `"nearest"`, as in PyTorch: the cell under a new cell's corner. `"nearest-exact"` takes the one under its centre, as
   * Pillow and scikit-image do.
   */
  readonly mode?: InterpolationMode;
  /** Let the centres of the corner cells coincide instead of the corners. Not with nearest. Default false. */
  readonly alignCorners?: boolean;
  /** Widen the filter when shrinking, so that every cell counts, as Pillow does. Only with bilinear and bicubic. Default false. */
  readonly antialias?: boolean;
}

/** Modes by the rank of the input, as in PyTorch. */
const MODES: Readonly<Record<number, readonly InterpolationMode[]>> = {
  3: ["nearest", "nearest-exact", "linear"],
  4: ["nearest", "nearest-exact", "bilinear", "bicubic"],
  5: ["nearest", "nearest-exact", "trilinear"],
};

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
  if (mode !== "bicubic") {
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

/** How an axis of `length` cells becomes one of `count`: `scale` is the distance of the new cells, in old ones. */
interface AxisResize {
  readonly length: number;
  readonly count: number;
  readonly scale: number;
}

/** Whether a mode takes one cell as it is. */
function isNearest(mode: InterpolationMode): boolean {
  return mode === "nearest" || mode === "nearest-exact";
}

/** The weights of every cell of a resized axis. */
function interpolationTable(
  { length, count, scale }: AxisResize,
  { mode, alignCorners, antialias }: { mode: InterpolationMode; alignCorners: boolean; antialias: boolean },
): ResampleTable {
  const rows = Array.from({ length: count }, (_, index): ResampleRow => {
    if (isNearest(mode)) {
      // in float32, as PyTorch computes it: the cell next to a boundary depends on the rounding
      const place = mode === "nearest" ? index : index + 0.5;
      const position = Math.floor(Math.fround(place * Math.fround(scale)));
      return { start: Math.min(length - 1, position), weights: [1] };
    }
    if (antialias && !alignCorners) return smoothRow(mode, length, scale, index);
    const corners = count > 1 ? (length - 1) / (count - 1) : 0;
    if (antialias) return smoothRow(mode, length, corners, index);
    return plainRow(mode, length, alignCorners ? corners * index : scale * (index + 0.5) - 0.5);
  });
  return resampleTable(length, rows);
}

/** New sizes and distances of the spatial axes, from the one of size and scaleFactor that is given. */
function axisResizes(
  spatial: readonly number[],
  size: PerAxis | undefined,
  scaleFactor: PerAxis | undefined,
): AxisResize[] {
  if ((size === undefined) === (scaleFactor === undefined))
    throw new InputError(
      `interpolate: expected one of size and scaleFactor, got ${size === undefined ? "none" : "both"}`,
    );
  const axes = spatial.length;
  if (size !== undefined) {
    const counts = perAxis("interpolate", "size", size, axes);
    return spatial.map((length, axis) => ({ length, count: counts[axis], scale: length / counts[axis] }));
  }
  const factors = typeof scaleFactor === "number" ? new Array<number>(axes).fill(scaleFactor) : scaleFactor!;
  if (
    !Array.isArray(factors) ||
    factors.length !== axes ||
    !factors.every((factor) => factor > 0 && Number.isFinite(factor))
  )
    throw new InputError(
      `interpolate: expected scaleFactor as a number above 0 or ${axes} of them, got ${JSON.stringify(scaleFactor)}`,
    );
  return spatial.map((length, axis) => {
    const count = Math.floor(length * factors[axis]);
    if (count < 1)
      throw new InputError(
        `interpolate: expected a scaleFactor that leaves a cell of ${length}, got ${factors[axis]}`,
      );
    return { length, count, scale: 1 / factors[axis] };
  });
}

/**
 * Resizes sequences, images or volumes; equal to `torch.nn.functional.interpolate`. Any factor up or down, each axis on its own.
 * @param x `[batch, length, channels]` (nearest, nearest-exact, linear), `[batch, height, width, channels]` (nearest,
 * nearest-exact, bilinear, bicubic) or `[batch, depth, height, width, channels]` (nearest, nearest-exact, trilinear)
 * @returns `[batch, ...size, channels]`
 * @throws ShapeError for another rank or an input without cells. @throws InputError unless one of size and scaleFactor is
 * given and in range, for a mode that is unknown or of another rank, or `alignCorners` or `antialias` with a nearest one.
 * @example
 * const large = interpolate(images, { size: [224, 224], mode: "bicubic", antialias: true });
 */
export function interpolate(x: Tensor, options: InterpolateOptions): Tensor {
  assertOptions("interpolate", options, ["size", "scaleFactor", "mode", "alignCorners?", "antialias?"]);
  const { size, scaleFactor, mode = "nearest", alignCorners = false, antialias = false } = options;
  const modes = MODES[x?.shape?.length ?? 0];
  if (modes === undefined || x.shape.slice(1, -1).includes(0))
    throw new ShapeError(
      `interpolate: expected x [batch, height, width, channels], [batch, length, channels] or [batch, depth, height, width, channels] with cells, got ${formatShape(x?.shape ?? [])}`,
    );
  if (x.dtype !== "float32")
    throw new DTypeError(`interpolate: expected float32, got ${x.dtype}; cast it first`);
  if (!modes.includes(mode))
    throw new InputError(
      `interpolate: expected mode ${modes.join(" or ")} for an input of ${x.shape.length} axes, got ${mode}`,
    );
  if (isNearest(mode) && (alignCorners || antialias))
    throw new InputError(
      `interpolate: expected alignCorners and antialias only with bilinear or bicubic, got ${mode}`,
    );
  if (antialias && x.shape.length !== 4)
    throw new InputError(`interpolate: expected antialias only with bilinear or bicubic, got ${mode}`);
  const resizes = axisResizes(x.shape.slice(1, -1), size, scaleFactor);
  return tidy(() => {
    let result = x;
    for (const [index, resize] of resizes.entries()) {
      const shape = [...result.shape];
      const product = (lengths: readonly number[]): number => lengths.reduce((a, b) => a * b, 1);
      const [outer, inner] = [product(shape.slice(0, index + 1)), product(shape.slice(index + 2))];
      const rows = reshape(result, [outer, resize.length, inner]);
      const resized = resample(rows, interpolationTable(resize, { mode, alignCorners, antialias })); // [outer, count, inner]
      result = reshape(resized, [...shape.slice(0, index + 1), resize.count, ...shape.slice(index + 2)]);
    }
    return result;
  });
}
