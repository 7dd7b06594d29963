import { avgPool1d, avgPool3d, maxPool1d, maxPool3d, type Tensor } from "@ai/tensor";
import { assertShape, sizesOf } from "./checks.js";
import { Module } from "./module.js";

/** Options that pooling over sequences and volumes shares: one number for all axes, or one each. */
export interface PoolNdOptions {
  /** Default: the kernel's size. */
  readonly stride?: number | readonly number[];
  /** Cells added on each side, at most half the kernel. Default 0. */
  readonly padding?: number | readonly number[];
  /** Round the output's size up, so that the last cells may be covered in part. Default false. */
  readonly ceilMode?: boolean;
}

/** Options of {@link MaxPool1d} and {@link MaxPool3d}. */
export interface MaxPoolNdOptions extends PoolNdOptions {
  /** Distance between the cells of a window. Default 1. */
  readonly dilation?: number | readonly number[];
}

/** Options of {@link AvgPool1d} and {@link AvgPool3d}. */
export interface AvgPoolNdOptions extends PoolNdOptions {
  /** Whether padding counts as zeros in the mean. Default true. */
  readonly countIncludePad?: boolean;
}

abstract class PoolNd extends Module<[x: Tensor], Tensor> {
  readonly kernelSize: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly ceilMode: boolean;

  constructor(
    kernelSize: number | readonly number[],
    { axes, ...options }: PoolNdOptions & { readonly axes: number },
  ) {
    super();
    const { stride = kernelSize, padding = 0, ceilMode = false } = options;
    const layer = new.target.name;
    this.kernelSize = sizesOf(layer, "kernelSize", kernelSize, { axes, minimum: 1 });
    this.stride = sizesOf(layer, "stride", stride, { axes, minimum: 1 });
    this.padding = sizesOf(layer, "padding", padding, { axes, minimum: 0 });
    this.ceilMode = ceilMode;
  }

  /** Options of the op. */
  protected get windows() {
    const { kernelSize, stride, padding, ceilMode } = this;
    return { kernelSize: [...kernelSize], stride: [...stride], padding: [...padding], ceilMode };
  }
}

/** Largest number of each window and channel of sequences. */
export class MaxPool1d extends PoolNd {
  readonly dilation: readonly number[];

  /** @throws InputError when a size is not an integer in range. */
  constructor(kernelSize: number | readonly number[], options: MaxPoolNdOptions = {}) {
    super(kernelSize, { ...options, axes: 1 });
    this.dilation = sizesOf("MaxPool1d", "dilation", options.dilation ?? 1, { axes: 1, minimum: 1 });
  }

  /**
   * @param x `[batch, length, channels]`
   * @returns `[batch, outLength, channels]`
   * @throws ShapeError for another rank.
   */
  protected forward(x: Tensor): Tensor {
    assertShape(x, ["batch", "length", "channels"]);
    return maxPool1d(x, { ...this.windows, dilation: [...this.dilation] });
  }
}

/** Largest number of each window and channel of volumes. */
export class MaxPool3d extends PoolNd {
  readonly dilation: readonly number[];

  /** @throws InputError when a size is not an integer in range. */
  constructor(kernelSize: number | readonly number[], options: MaxPoolNdOptions = {}) {
    super(kernelSize, { ...options, axes: 3 });
    this.dilation = sizesOf("MaxPool3d", "dilation", options.dilation ?? 1, { axes: 3, minimum: 1 });
  }

  /**
   * @param x `[batch, depth, height, width, channels]`
   * @returns `[batch, outDepth, outHeight, outWidth, channels]`
   * @throws ShapeError for another rank.
   */
  protected forward(x: Tensor): Tensor {
    assertShape(x, ["batch", "depth", "height", "width", "channels"]);
    return maxPool3d(x, { ...this.windows, dilation: [...this.dilation] });
  }
}

/** Mean of each window and channel of sequences. */
export class AvgPool1d extends PoolNd {
  readonly countIncludePad: boolean;

  /** @throws InputError when a size is not an integer in range. */
  constructor(kernelSize: number | readonly number[], options: AvgPoolNdOptions = {}) {
    super(kernelSize, { ...options, axes: 1 });
    this.countIncludePad = options.countIncludePad ?? true;
  }

  /**
   * @param x `[batch, length, channels]`
   * @returns `[batch, outLength, channels]`
   * @throws ShapeError for another rank.
   */
  protected forward(x: Tensor): Tensor {
    assertShape(x, ["batch", "length", "channels"]);
    return avgPool1d(x, { ...this.windows, countIncludePad: this.countIncludePad });
  }
}

/** Mean of each window and channel of volumes. */
export class AvgPool3d extends PoolNd {
  readonly countIncludePad: boolean;

  /** @throws InputError when a size is not an integer in range. */
  constructor(kernelSize: number | readonly number[], options: AvgPoolNdOptions = {}) {
    super(kernelSize, { ...options, axes: 3 });
    this.countIncludePad = options.countIncludePad ?? true;
  }

  /**
   * @param x `[batch, depth, height, width, channels]`
   * @returns `[batch, outDepth, outHeight, outWidth, channels]`
   * @throws ShapeError for another rank.
   */
  protected forward(x: Tensor): Tensor {
    assertShape(x, ["batch", "depth", "height", "width", "channels"]);
    return avgPool3d(x, { ...this.windows, countIncludePad: this.countIncludePad });
  }
}
