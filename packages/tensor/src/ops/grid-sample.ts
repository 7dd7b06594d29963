import type { Tensor } from "@tensorflow/tfjs-core";
import { assertOptions } from "../arguments.js";
import { stopGradient } from "../autograd.js";
import { InputError, ShapeError } from "../errors.js";
import { tidy } from "../memory.js";
import { formatShape, sizeOf } from "../shape.js";
import { arange, fromValues, ones } from "../tensor.js";
import { add, div, mul, remainder, sub } from "./arithmetic.js";
import { assertTensor, toDType } from "./broadcast.js";
import { cast } from "./cast.js";
import { equal, greater, greaterEqual, less, lessEqual, logicalAnd, where } from "./compare.js";
import { stack, unstack } from "./concat.js";
import { gatherRows } from "./indexing-kernels.js";
import { sum } from "./reduce.js";
import { broadcastTo, expandDims, reshape } from "./shape-ops.js";
import { floor, neg, round } from "./unary.js";
import { type PerAxis, perAxis } from "./window.js";

/** How {@link gridSample} weighs the cells around a point. */
export type GridSampleMode = "bilinear" | "nearest" | "bicubic";

/** What {@link gridSample} takes for cells outside of the input. */
export type GridSamplePadding = "zeros" | "border" | "reflection";

/** Options of {@link gridSample}: PyTorch's. */
export interface GridSampleOptions {
  /** `"bilinear"` (default; of volumes in all three axes), `"nearest"`, or `"bicubic"` (images only). */
  readonly mode?: GridSampleMode;
  /** `"zeros"` (default), `"border"`: the nearest cell, or `"reflection"`: mirrored at the border. */
  readonly paddingMode?: GridSamplePadding;
  /** Whether −1 and 1 are the centres of the corner cells instead of their outer edges. Default false. */
  readonly alignCorners?: boolean;
}

/** Keys's constant of the cubic filter: −0.75, as PyTorch's. */
const CUBIC = -0.75;

interface Axis {
  readonly size: number;
  readonly padding: GridSamplePadding;
  readonly alignCorners: boolean;
}

/** The cells that count for each point: their indices along an axis, int32, whether there are such, and their weights. `[taps, points]` each. */
interface Taps {
  readonly indices: Tensor;
  readonly inside: Tensor;
  readonly weights: Tensor;
}

/**
 * The input at points that need not be cells (`torch.nn.functional.grid_sample`): for spatial transformers, warping by a
 * flow, deformable attention. Differentiable in both arguments.
 * @param x `[batch, height, width, channels]` or `[batch, depth, height, width, channels]`
 * @param grid `[batch, outHeight, outWidth, 2]` or `[batch, outDepth, outHeight, outWidth, 3]`: points (x, y) or (x, y, z), −1 to 1
 * from one end of the input to the other.
 * @returns `[batch, outHeight, outWidth, channels]` or `[batch, outDepth, outHeight, outWidth, channels]`, float32.
 * @throws ShapeError for shapes that do not go together. @throws InputError for another mode.
 * @see Jaderberg, Simonyan, Zisserman, Kavukcuoglu (2015), "Spatial transformer networks", https://arxiv.org/abs/1506.02025
 * @example
 * const turned = gridSample(image, affineGrid(theta, [224, 224])); // theta [batch, 2, 3]
 */
export function gridSample(x: Tensor, grid: Tensor, options: GridSampleOptions = {}): Tensor {
  const operation = "gridSample";
  assertTensor(operation, x);
  assertTensor(operation, grid);
  assertOptions(operation, options, ["mode", "paddingMode", "alignCorners?"]);
  const { mode = "bilinear", paddingMode = "zeros", alignCorners = false } = options;
  const axes = x.shape.length - 2;
  if (
    (axes !== 2 && axes !== 3) ||
    grid.shape.length !== x.shape.length ||
    grid.shape.at(-1) !== axes ||
    grid.shape[0] !== x.shape[0]
  )
    throw new ShapeError(
      `${operation}: expected images [batch, height, width, channels] and a grid [batch, outHeight, outWidth, 2], or volumes and one of 3, got ${formatShape(x.shape)} and ${formatShape(grid.shape)}`,
    );
  assertMode(
    operation,
    "mode",
    mode,
    axes === 2 ? ["bilinear", "nearest", "bicubic"] : ["bilinear", "nearest"],
  );
  assertMode(operation, "paddingMode", paddingMode, ["zeros", "border", "reflection"]);
  const sizes = x.shape.slice(1, -1);
  if (sizeOf(sizes) === 0)
    throw new ShapeError(`${operation}: expected an input with cells, got ${formatShape(x.shape)}`);
  return tidy(() => {
    const points = sizeOf(grid.shape.slice(0, -1));
    const coordinates = unstack(reshape(toDType(grid, "float32"), [points, axes]), { axis: 1 }).reverse(); // [points] each, first axis first
    const taps = coordinates.map((coordinate, axis) =>
      tapsOf(mode, coordinate, { size: sizes[axis], padding: paddingMode, alignCorners }),
    );
    const picked = pickCells(toDType(x, "float32"), sizes, taps);
    return reshape(picked, [...grid.shape.slice(0, -1), x.shape[axes + 1]]);
  });
}

/** The weighted sum over all combinations of taps. @returns `[points, channels]` */
function pickCells(x: Tensor, sizes: readonly number[], taps: readonly Taps[]): Tensor {
  const [batch] = x.shape;
  const channels = x.shape[x.shape.length - 1] as number;
  const points = taps[0].indices.shape[1] as number;
  const samples = broadcastTo(expandDims(arange(0, batch), 1), [batch, batch === 0 ? 0 : points / batch]);
  const start: Taps = {
    indices: reshape(samples, [1, points]),
    inside: ones([1, points], "bool"),
    weights: ones([1, points]),
  };
  const { indices, inside, weights } = taps.reduce((before, along, axis) => {
    const outer = (rows: Tensor): Tensor => expandDims(rows, 1); // [combinations, 1, points]
    const inner = (rows: Tensor): Tensor => expandDims(rows, 0); // [1, taps, points]
    const all = (each: Tensor): Tensor => reshape(each, [-1, points]); // [combinations · taps, points]
    return {
      indices: all(add(outer(mul(before.indices, sizes[axis])), inner(along.indices))),
      inside: all(logicalAnd(outer(before.inside), inner(along.inside))),
      weights: all(mul(outer(before.weights), inner(along.weights))),
    };
  }, start);
  const cells = reshape(x, [1, batch * sizeOf(sizes), channels]);
  const picked = gatherRows(cells, reshape(indices, [indices.size]), "gridSample"); // [1, combinations · points, channels]
  const rows = reshape(picked, [...indices.shape, channels]);
  // a cell that stands in for one outside may be NaN, which 0 times is NaN too
  return sum(mul(where(expandDims(inside, 2), rows, 0), expandDims(weights, 2)), { axes: 0 });
}

/** The cells along an axis that count for each point. @param coordinate `[points]` */
function tapsOf(mode: GridSampleMode, coordinate: Tensor, axis: Axis): Taps {
  const { size, alignCorners } = axis;
  const position = alignCorners
    ? mul(add(coordinate, 1), (size - 1) / 2)
    : mul(sub(mul(add(coordinate, 1), size), 1), 0.5);
  if (mode === "bicubic") {
    const low = floor(position);
    const near = sub(position, low);
    const far = sub(1, near);
    const weights = [outerCubic(add(near, 1)), innerCubic(near), innerCubic(far), outerCubic(add(far, 1))];
    return visible(padded(add(low, column([-1, 0, 1, 2])), axis), stack(weights), size);
  }
  const inside = padded(position, axis);
  if (mode === "nearest") {
    const cell = expandDims(round(inside), 0);
    // 1, with the gradient of rounding, which is 0
    return visible(cell, add(sub(cell, stopGradient(cell)), 1), size);
  }
  const low = floor(inside);
  const part = sub(inside, low);
  return visible(add(low, column([0, 1])), stack([sub(1, part), part]), size);
}

function column(values: readonly number[]): Tensor {
  return fromValues(Float32Array.from(values), [values.length, 1], "float32");
}

/** Cells with their weights; any cell with weight 0 for one that lies outside or is no number. */
function visible(cells: Tensor, weights: Tensor, size: number): Taps {
  const inside = logicalAnd(greaterEqual(cells, 0), lessEqual(cells, size - 1));
  return { indices: cast(where(inside, cells, 0), "int32"), inside, weights: where(inside, weights, 0) };
}

/** The cubic convolution filter at distances in [0, 1]. @see Keys (1981), https://doi.org/10.1109/TASSP.1981.1163711 */
function innerCubic(t: Tensor): Tensor {
  return add(mul(mul(sub(mul(t, CUBIC + 2), CUBIC + 3), t), t), 1);
}

/** The cubic convolution filter at distances in [1, 2]. */
function outerCubic(t: Tensor): Tensor {
  return sub(mul(add(mul(sub(mul(t, CUBIC), 5 * CUBIC), t), 8 * CUBIC), t), 4 * CUBIC);
}

/** Positions beyond the border moved inside, as the padding says. */
function padded(position: Tensor, { size, padding, alignCorners }: Axis): Tensor {
  if (padding === "zeros") return position;
  if (padding === "border") return clipped(position, size - 1);
  const least = alignCorners ? 0 : -0.5;
  const span = alignCorners ? size - 1 : size;
  if (span === 0) return clipped(position, 0);
  const moved = sub(position, least);
  const distance = where(less(moved, 0), neg(moved), moved);
  const flips = floor(div(distance, span));
  const rest = sub(distance, mul(flips, span));
  const mirrored = where(equal(remainder(flips, 2), 0), rest, sub(span, rest));
  return clipped(add(mirrored, least), size - 1);
}

/** Into [0, largest]; what stands on an end or beyond has no gradient, as in PyTorch. NaN becomes 0. */
function clipped(position: Tensor, largest: number): Tensor {
  const inside = logicalAnd(greater(position, 0), less(position, largest));
  return where(inside, position, mul(cast(greater(position, 0), "float32"), largest));
}

function assertMode(operation: string, name: string, value: string, known: readonly string[]): void {
  if (!known.includes(value))
    throw new InputError(`${operation}: expected ${name} ${known.join(" or ")}, got ${String(value)}`);
}

/** Options of {@link affineGrid}. */
export interface AffineGridOptions {
  /** As for the {@link gridSample} that follows. Default false. */
  readonly alignCorners?: boolean;
}

/**
 * The grid by which {@link gridSample} applies an affine map: output point `p` takes the input at `A·p + b`
 * (`torch.nn.functional.affine_grid`).
 * @param theta `[batch, 2, 3]`, of each picture A and b side by side, or `[batch, 3, 4]` for volumes; (x, y, z) in this order.
 * @param outputSize `[height, width]` or `[depth, height, width]`.
 * @returns `[batch, height, width, 2]` or `[batch, depth, height, width, 3]`
 * @throws ShapeError for another shape of `theta`. @throws InputError for sizes that are not whole.
 * @see Jaderberg, Simonyan, Zisserman, Kavukcuoglu (2015), "Spatial transformer networks", https://arxiv.org/abs/1506.02025
 */
export function affineGrid(theta: Tensor, outputSize: PerAxis, options: AffineGridOptions = {}): Tensor {
  const operation = "affineGrid";
  assertTensor(operation, theta);
  assertOptions(operation, options, ["alignCorners?"]);
  const { alignCorners = false } = options;
  const axes = theta.shape[1] as number;
  if (theta.shape.length !== 3 || (axes !== 2 && axes !== 3) || theta.shape[2] !== axes + 1)
    throw new ShapeError(
      `${operation}: expected theta [batch, 2, 3] or [batch, 3, 4], got ${formatShape(theta.shape)}`,
    );
  const sizes = perAxis(operation, "outputSize", outputSize, axes);
  return tidy(() => {
    const columns = unstack(toDType(theta, "float32"), { axis: 2 }); // [batch, axes] each: of x, y, …, and the shift
    const [shift, ...parts] = [columns[axes], ...columns.slice(0, axes)].map((column) =>
      reshape(column, [theta.shape[0], ...sizes.map(() => 1), axes]),
    );
    const points = parts.reduce((total, part, coordinate) => {
      const axis = axes - 1 - coordinate;
      const ends = endsOf(sizes[axis], alignCorners);
      const places = reshape(ends, [1, ...sizes.map((size, index) => (index === axis ? size : 1)), 1]);
      return add(total, mul(part, places));
    }, shift);
    return broadcastTo(points, [theta.shape[0], ...sizes, axes]);
  });
}

/** Cells of an axis from −1 to 1: centres of the corner cells at the ends, or their outer edges. @returns `[size]` */
function endsOf(size: number, alignCorners: boolean): Tensor {
  const reach = alignCorners ? size - 1 : size;
  const values = Float32Array.from({ length: size }, (_, cell) =>
    reach === 0 ? 0 : (2 * cell + 1 - size) / reach,
  );
  return fromValues(values, [size], "float32");
}
