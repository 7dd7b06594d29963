import {
  add,
  broadcastTo,
  defaultGenerator,
  InputError,
  maxPool2d,
  maxPool2dWithIndices,
  maxPool3d,
  maxPool3dWithIndices,
  mul,
  reshape,
  ShapeError,
  type Tensor,
  takeAlongAxis,
  tensor,
} from "@ai/tensor";
import { assertShape, formatShape, sizesOf } from "./checks.js";
import type { MaxPoolOutput } from "./max-pooling.js";
import { Module } from "./module.js";
import { axesOf } from "./pooling.js";
import { assertOptionNames } from "./training/option-names.js";

/** Options of {@link FractionalMaxPool2d} and {@link FractionalMaxPool3d}: `outputSize` or `outputRatio`. */
export interface FractionalMaxPoolOptions<Indices extends boolean = boolean> {
  /** Size of the result: one number for all axes, or one each. */
  readonly outputSize?: number | readonly number[];
  /** Size of the result as a part of the input's, in (0, 1): one number for all axes, or one each. */
  readonly outputRatio?: number | readonly number[];
  /** Give `{ values, indices }`, as {@link MaxUnpool2d} takes them. Default false. */
  readonly returnIndices?: Indices;
  /**
   * Where the windows lie, in [0, 1): PyTorch's `_random_samples` `[batch, channels, axes]` row by row, of which the last
   * axis is width, height for images and depth, height, width for volumes. Default: drawn from the default generator.
   */
  readonly randomSamples?: ArrayLike<number>;
}

/** Which number of a plane's samples each spatial axis takes: PyTorch has the width of images first, not that of volumes. */
const SAMPLE_OF_AXIS: Readonly<Record<number, readonly number[]>> = { 2: [1, 0], 3: [0, 1, 2] };

abstract class FractionalMaxPool<Indices extends boolean> extends Module<
  [x: Tensor],
  MaxPoolOutput<Indices>
> {
  readonly kernelSize: readonly number[];
  readonly outputSize: readonly number[] | undefined;
  readonly outputRatio: readonly number[] | undefined;
  readonly returnIndices: boolean;
  readonly #samples: Float32Array | undefined;

  constructor(
    kernelSize: number | readonly number[],
    options: FractionalMaxPoolOptions<Indices> & { readonly axes: number },
  ) {
    super();
    const { axes, outputSize, outputRatio, returnIndices = false, randomSamples } = options;
    const layer = new.target.name;
    if ((outputSize === undefined) === (outputRatio === undefined))
      throw new InputError(
        `${layer}: expected outputSize or outputRatio, got ${outputSize === undefined ? "neither" : "both"}`,
      );
    this.kernelSize = sizesOf(layer, "kernelSize", kernelSize, { axes, minimum: 1 });
    this.outputSize =
      outputSize === undefined ? undefined : sizesOf(layer, "outputSize", outputSize, { axes, minimum: 1 });
    this.outputRatio = outputRatio === undefined ? undefined : ratiosOf(layer, outputRatio, axes);
    this.returnIndices = returnIndices;
    this.#samples = randomSamples === undefined ? undefined : samplesOf(layer, randomSamples);
  }

  /**
   * @param x `[batch, ..., channels]`
   * @returns `[batch, ..., channels]`; with `returnIndices` `{ values, indices }` of that shape, indices int32 as
   * {@link MaxPool2d} gives them.
   * @throws ShapeError for another rank or windows that do not fit. @throws InputError for samples of another number.
   */
  protected forward(x: Tensor): MaxPoolOutput<Indices> {
    const { kernelSize } = this;
    const axes = kernelSize.length;
    assertShape(x, axesOf(axes));
    const sizes = x.shape.slice(1, -1);
    const [batch, channels]: number[] = [x.shape[0], x.shape[axes + 1]];
    const outputSize =
      this.outputSize ?? sizes.map((size, axis) => Math.floor(size * (this.outputRatio as number[])[axis]));
    if (!outputSize.every((size, axis) => size >= 1 && size + kernelSize[axis] - 1 <= sizes[axis]))
      throw new ShapeError(
        `expected an input that holds ${formatShape(outputSize)} windows of ${formatShape(kernelSize)}, got ${formatShape(x.shape)}`,
      );
    const samples = this.#samples ?? drawn(batch * channels * axes);
    if (samples.length !== batch * channels * axes)
      throw new InputError(
        `expected ${batch * channels * axes} randomSamples for ${formatShape(x.shape)}, got ${samples.length}`,
      );
    const cells = sizes.map((size, axis) =>
      windowCells({
        size,
        count: outputSize[axis],
        kernel: kernelSize[axis],
        planes: [batch, channels],
        sampleOf: (plane) => samples[plane * axes + SAMPLE_OF_AXIS[axes][axis]],
      }),
    );
    // windows side by side, so that pooling as usual takes each
    const lined = cells.reduce((current, along, axis) => {
      const shape = current.shape.map((size, index) =>
        index === axis + 1 ? (along.shape[1] as number) : size,
      );
      return takeAlongAxis(current, broadcastTo(onAxis(along, axis, axes), shape), { axis: axis + 1 });
    }, x);
    const windows = { kernelSize, stride: kernelSize };
    if (!this.returnIndices)
      return (axes === 2 ? maxPool2d : maxPool3d)(lined, windows) as MaxPoolOutput<Indices>;
    const { values, indices } = (axes === 2 ? maxPool2dWithIndices : maxPool3dWithIndices)(lined, windows);
    const places = cells
      .map((along, axis) => onAxis(along, axis, axes))
      .reduce((place, along, axis) => add(mul(place, sizes[axis]), along)); // [batch, ..., channels]
    const rows = (of: Tensor): Tensor => reshape(of, [batch, -1, channels]);
    const found = takeAlongAxis(rows(places), rows(indices), { axis: 1 });
    return { values, indices: reshape(found, values.shape) } as MaxPoolOutput<Indices>;
  }
}

/** `[batch, cells, channels]` → `[batch, 1, cells, 1, channels]` with the cells at a spatial axis of as many. */
function onAxis(cells: Tensor, axis: number, axes: number): Tensor {
  const [batch, count, channels] = cells.shape;
  const spatial = Array.from({ length: axes }, (_, index) => (index === axis ? count : 1));
  return reshape(cells, [batch, ...spatial, channels]);
}

interface WindowPlan {
  readonly size: number;
  readonly count: number;
  readonly kernel: number;
  readonly planes: readonly [batch: number, channels: number];
  readonly sampleOf: (plane: number) => number;
}

/** Indices along an axis of the cells of all windows. @returns `[batch, count · kernel, channels]` int32 */
function windowCells({ size, count, kernel, planes: [batch, channels], sampleOf }: WindowPlan): Tensor {
  const length = count * kernel;
  const cells = new Int32Array(batch * length * channels);
  const last = size - kernel;
  // each step rounded to float32, as PyTorch's: a start may hang on it
  const alpha = count > 1 ? Math.fround(last / (count - 1)) : 0;
  for (let plane = 0; plane < batch * channels; plane++) {
    const sample = sampleOf(plane);
    const offset = Math.trunc(Math.fround(sample * alpha));
    const first = Math.floor(plane / channels) * length * channels + (plane % channels);
    for (let window = 0; window < count; window++) {
      const moved = Math.trunc(Math.fround(Math.fround(window + sample) * alpha)) - offset;
      const start = window === count - 1 ? last : moved;
      for (let cell = 0; cell < kernel; cell++)
        cells[first + (window * kernel + cell) * channels] = start + cell;
    }
  }
  return tensor(cells, [batch, length, channels]);
}

/** Numbers in [0, 1) of the default generator, a word each. */
function drawn(count: number): Float32Array {
  return Float32Array.from(defaultGenerator().words(count), (word) => (word >>> 8) / 2 ** 24);
}

function ratiosOf(layer: string, value: number | readonly number[], axes: number): number[] {
  const ratios = typeof value === "number" ? new Array<number>(axes).fill(value) : value;
  const isRatio = (ratio: number): boolean => typeof ratio === "number" && ratio > 0 && ratio < 1;
  if (!Array.isArray(ratios) || ratios.length !== axes || !ratios.every(isRatio))
    throw new InputError(
      `${layer}: expected outputRatio as a number in (0, 1) or ${axes} of them, got ${JSON.stringify(value)}`,
    );
  return [...ratios];
}

function samplesOf(layer: string, values: ArrayLike<number>): Float32Array {
  const samples = Number.isInteger((values as ArrayLike<number> | null)?.length)
    ? Float32Array.from(values)
    : undefined;
  const wrong = samples?.find((sample) => !(typeof sample === "number" && sample >= 0 && sample < 1));
  if (samples === undefined || wrong !== undefined)
    throw new InputError(
      `${layer}: expected randomSamples as an array of numbers in [0, 1), got ${samples === undefined ? typeof values : wrong}`,
    );
  return samples;
}

/**
 * Largest number of each window and channel of images, for a size of the result that is no whole part of the input's:
 * windows lie at random distances, other ones for each picture and channel, in evaluation too (as in PyTorch).
 * @see Graham (2014), "Fractional max-pooling", https://arxiv.org/abs/1412.6071
 * @example
 * const y = new FractionalMaxPool2d(2, { outputRatio: 0.7 }).call(x); // [1, 20, 20, 8] → [1, 14, 14, 8]
 */
export class FractionalMaxPool2d<Indices extends boolean = false> extends FractionalMaxPool<Indices> {
  /** @throws InputError for a size, ratio or sample out of range, or not one of `outputSize` and `outputRatio`. */
  constructor(kernelSize: number | readonly number[], options: FractionalMaxPoolOptions<Indices>) {
    assertOptionNames(new.target.name, options as FractionalMaxPoolOptions, OPTIONS);
    super(kernelSize, { ...options, axes: 2 });
  }
}

/**
 * {@link FractionalMaxPool2d} of volumes `[batch, depth, height, width, channels]`.
 * @see Graham (2014), "Fractional max-pooling", https://arxiv.org/abs/1412.6071
 */
export class FractionalMaxPool3d<Indices extends boolean = false> extends FractionalMaxPool<Indices> {
  /** @throws InputError for a size, ratio or sample out of range, or not one of `outputSize` and `outputRatio`. */
  constructor(kernelSize: number | readonly number[], options: FractionalMaxPoolOptions<Indices>) {
    assertOptionNames(new.target.name, options as FractionalMaxPoolOptions, OPTIONS);
    super(kernelSize, { ...options, axes: 3 });
  }
}

const OPTIONS = ["outputSize", "outputRatio", "returnIndices?", "randomSamples"] as const;
