import {
  InputError,
  type MaxPoolResult,
  maxPool1d,
  maxPool1dWithIndices,
  maxPool2d,
  maxPool2dWithIndices,
  maxPool3d,
  maxPool3dWithIndices,
  maxUnpool1d,
  maxUnpool2d,
  maxUnpool3d,
  ShapeError,
  type Tensor,
} from "@ai/tensor";
import { assertShape, assertTensor, formatShape, sizesOf } from "./checks.js";
import { Module } from "./module.js";
import { axesOf, PoolNd, type PoolNdOptions } from "./pooling.js";
import { assertOptionNames } from "./training/option-names.js";

/** Options of {@link MaxPool2d} and its like. */
export interface MaxPoolNdOptions<Indices extends boolean = boolean> extends PoolNdOptions {
  /** Distance between the cells of a window. Default 1. */
  readonly dilation?: number | readonly number[];
  /** Give `{ values, indices }`, as {@link MaxUnpool2d} takes them. Default false. */
  readonly returnIndices?: Indices;
}

/** What a pooling layer of maxima gives: the values, or with `returnIndices` also the places. */
export type MaxPoolOutput<Indices extends boolean> = Indices extends true ? MaxPoolResult : Tensor;

abstract class MaxPool<Indices extends boolean> extends PoolNd<MaxPoolOutput<Indices>> {
  readonly dilation: readonly number[];
  readonly returnIndices: boolean;

  constructor(
    kernelSize: number | readonly number[],
    options: MaxPoolNdOptions<Indices> & { readonly axes: number },
  ) {
    super(kernelSize, options);
    const { axes, dilation = 1, returnIndices = false } = options;
    this.dilation = sizesOf(new.target.name, "dilation", dilation, { axes, minimum: 1 });
    this.returnIndices = returnIndices;
  }

  protected override windowsOf(x: Tensor) {
    return { ...super.windowsOf(x), dilation: this.dilation };
  }
}

/** Largest number of each window and channel of sequences. */
export class MaxPool1d<Indices extends boolean = false> extends MaxPool<Indices> {
  /** @throws InputError when a size is not an integer in range. */
  constructor(kernelSize: number | readonly number[], options: MaxPoolNdOptions<Indices> = {}) {
    assertOptionNames(new.target.name, options as MaxPoolNdOptions, [
      "dilation",
      "returnIndices?",
      "stride",
      "padding",
      "ceilMode?",
    ]);
    super(kernelSize, { ...options, axes: 1 });
  }

  /**
   * @param x `[batch, length, channels]`
   * @returns `[batch, outLength, channels]`; with `returnIndices` `{ values, indices }` of that shape, indices int32.
   * @throws ShapeError for another rank.
   */
  protected forward(x: Tensor): MaxPoolOutput<Indices> {
    const pool = this.returnIndices ? maxPool1dWithIndices : maxPool1d;
    return pool(x, this.windowsOf(x)) as MaxPoolOutput<Indices>;
  }
}

/**
 * Largest number of each window and channel of images.
 * @example
 * const y = new MaxPool2d(2).call(x); // x [batch, height, width, channels], y [batch, height / 2, width / 2, channels]
 */
export class MaxPool2d<Indices extends boolean = false> extends MaxPool<Indices> {
  /** @throws InputError when a size is not an integer in range. */
  constructor(kernelSize: number | readonly number[], options: MaxPoolNdOptions<Indices> = {}) {
    assertOptionNames(new.target.name, options as MaxPoolNdOptions, [
      "dilation",
      "returnIndices?",
      "stride",
      "padding",
      "ceilMode?",
    ]);
    super(kernelSize, { ...options, axes: 2 });
  }

  /**
   * @param x `[batch, height, width, channels]`
   * @returns `[batch, outHeight, outWidth, channels]`; with `returnIndices` `{ values, indices }` of that shape, an index
   * being `row · width + column`, int32.
   * @throws ShapeError for another rank.
   */
  protected forward(x: Tensor): MaxPoolOutput<Indices> {
    const pool = this.returnIndices ? maxPool2dWithIndices : maxPool2d;
    return pool(x, this.windowsOf(x)) as MaxPoolOutput<Indices>;
  }
}

/** Largest number of each window and channel of volumes. */
export class MaxPool3d<Indices extends boolean = false> extends MaxPool<Indices> {
  /** @throws InputError when a size is not an integer in range. */
  constructor(kernelSize: number | readonly number[], options: MaxPoolNdOptions<Indices> = {}) {
    assertOptionNames(new.target.name, options as MaxPoolNdOptions, [
      "dilation",
      "returnIndices?",
      "stride",
      "padding",
      "ceilMode?",
    ]);
    super(kernelSize, { ...options, axes: 3 });
  }

  /**
   * @param x `[batch, depth, height, width, channels]`
   * @returns `[batch, outDepth, outHeight, outWidth, channels]`; with `returnIndices` `{ values, indices }` of that shape.
   * @throws ShapeError for another rank.
   */
  protected forward(x: Tensor): MaxPoolOutput<Indices> {
    const pool = this.returnIndices ? maxPool3dWithIndices : maxPool3d;
    return pool(x, this.windowsOf(x)) as MaxPoolOutput<Indices>;
  }
}

/** Options of {@link MaxUnpool2d} and its like: those of the pooling that it reverses. */
export interface MaxUnpoolNdOptions {
  /** Default: the kernel's size. */
  readonly stride?: number | readonly number[];
  /** Default 0. */
  readonly padding?: number | readonly number[];
}

/** Options of a call of {@link MaxUnpool2d} and its like. */
export interface MaxUnpoolCallOptions {
  /** Spatial size of the result, where several sizes pool to the input's. Default `(length − 1)·stride − 2·padding + kernelSize`. */
  readonly outputSize?: readonly number[];
}

type UnpoolInputs = [x: Tensor, indices: Tensor, options?: MaxUnpoolCallOptions];

abstract class MaxUnpool extends Module<UnpoolInputs, Tensor> {
  readonly kernelSize: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[];

  constructor(
    kernelSize: number | readonly number[],
    { axes, ...options }: MaxUnpoolNdOptions & { readonly axes: number },
  ) {
    super();
    const { stride = kernelSize, padding = 0 } = options;
    const layer = new.target.name;
    this.kernelSize = sizesOf(layer, "kernelSize", kernelSize, { axes, minimum: 1 });
    this.stride = sizesOf(layer, "stride", stride, { axes, minimum: 1 });
    this.padding = sizesOf(layer, "padding", padding, { axes, minimum: 0 });
  }

  /** Options of the op, of inputs that fit. */
  protected windowsOf(x: Tensor, indices: Tensor, options?: MaxUnpoolCallOptions) {
    if (options !== undefined) assertOptionNames("call", options, ["outputSize"]);
    const { kernelSize, stride, padding } = this;
    assertShape(x, axesOf(kernelSize.length));
    assertTensor(indices, "indices");
    if (formatShape(indices.shape) !== formatShape(x.shape))
      throw new ShapeError(`expected indices ${formatShape(x.shape)}, got ${formatShape(indices.shape)}`);
    if (indices.dtype !== "int32")
      throw new InputError(`expected int32 indices, got ${indices.dtype}; take those of the pooling`);
    return { kernelSize, stride, padding, outputSize: options?.outputSize };
  }
}

/** Puts the maxima of {@link MaxPool1d} back to their places, zeros elsewhere. */
export class MaxUnpool1d extends MaxUnpool {
  /** @throws InputError when a size is not an integer in range. */
  constructor(kernelSize: number | readonly number[], options: MaxUnpoolNdOptions = {}) {
    assertOptionNames(new.target.name, options, ["stride", "padding"]);
    super(kernelSize, { ...options, axes: 1 });
  }

  /**
   * @param x `[batch, length, channels]`
   * @param indices the shape of `x`, int32
   * @returns `[batch, outLength, channels]`
   * @throws ShapeError or InputError for inputs that do not fit; KernelError for an index outside the result.
   */
  protected forward(...[x, indices, options]: UnpoolInputs): Tensor {
    return maxUnpool1d(x, indices, this.windowsOf(x, indices, options));
  }
}

/**
 * Puts the maxima of {@link MaxPool2d} back to their places, zeros elsewhere.
 * @see Zeiler, Taylor, Fergus (2011), "Adaptive deconvolutional networks for mid and high level feature learning"
 * @example
 * const { values, indices } = new MaxPool2d(2, { returnIndices: true }).call(x);
 * const y = new MaxUnpool2d(2).call(values, indices, { outputSize: [height, width] });
 */
export class MaxUnpool2d extends MaxUnpool {
  /** @throws InputError when a size is not an integer in range. */
  constructor(kernelSize: number | readonly number[], options: MaxUnpoolNdOptions = {}) {
    assertOptionNames(new.target.name, options, ["stride", "padding"]);
    super(kernelSize, { ...options, axes: 2 });
  }

  /**
   * @param x `[batch, height, width, channels]`
   * @param indices the shape of `x`, int32
   * @returns `[batch, outHeight, outWidth, channels]`
   * @throws ShapeError or InputError for inputs that do not fit; KernelError for an index outside the result.
   */
  protected forward(...[x, indices, options]: UnpoolInputs): Tensor {
    return maxUnpool2d(x, indices, this.windowsOf(x, indices, options));
  }
}

/** Puts the maxima of {@link MaxPool3d} back to their places, zeros elsewhere. */
export class MaxUnpool3d extends MaxUnpool {
  /** @throws InputError when a size is not an integer in range. */
  constructor(kernelSize: number | readonly number[], options: MaxUnpoolNdOptions = {}) {
    assertOptionNames(new.target.name, options, ["stride", "padding"]);
    super(kernelSize, { ...options, axes: 3 });
  }

  /**
   * @param x `[batch, depth, height, width, channels]`
   * @param indices the shape of `x`, int32
   * @returns `[batch, outDepth, outHeight, outWidth, channels]`
   * @throws ShapeError or InputError for inputs that do not fit; KernelError for an index outside the result.
   */
  protected forward(...[x, indices, options]: UnpoolInputs): Tensor {
    return maxUnpool3d(x, indices, this.windowsOf(x, indices, options));
  }
}
