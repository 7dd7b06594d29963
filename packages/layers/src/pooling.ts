import { avgPool1d, avgPool2d, avgPool3d, InputError, type Tensor } from "@ai/tensor";
import { assertShape, sizesOf } from "./checks.js";
import { Module } from "./module.js";
import { assertOptionNames } from "./training/option-names.js";

/** Options that all pooling layers share: one number for all axes, or one each. */
export interface PoolNdOptions {
  /** Default: the kernel's size. */
  readonly stride?: number | readonly number[];
  /** Cells added on each side, at most half the kernel. Default 0. */
  readonly padding?: number | readonly number[];
  /** Round the output's size up, so that the last cells may be covered in part. Default false. */
  readonly ceilMode?: boolean;
}

/** Options of {@link AvgPool1d}. */
export interface AvgPool1dOptions extends PoolNdOptions {
  /** Whether padding counts as zeros in the mean. Default true. */
  readonly countIncludePad?: boolean;
}

/** Options of {@link AvgPool2d} and {@link AvgPool3d}. */
export interface AvgPoolNdOptions extends AvgPool1dOptions {
  /** Divide a window's sum by this number instead of its cells. */
  readonly divisorOverride?: number;
}

/** Names of the axes of an input with as many spatial axes, for messages. @internal */
export function axesOf(axes: number): readonly string[] {
  return [
    ["batch", "length", "channels"],
    ["batch", "height", "width", "channels"],
    ["batch", "depth", "height", "width", "channels"],
  ][axes - 1];
}

/** What the layers with windows share. @internal */
export abstract class PoolNd<Output> extends Module<[x: Tensor], Output> {
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

  /** Options of the op, of an input that has the right rank. */
  protected windowsOf(x: Tensor) {
    const { kernelSize, stride, padding, ceilMode } = this;
    assertShape(x, axesOf(kernelSize.length));
    return { kernelSize, stride, padding, ceilMode };
  }
}

abstract class AvgPool extends PoolNd<Tensor> {
  readonly countIncludePad: boolean;
  readonly divisorOverride: number | undefined;

  constructor(kernelSize: number | readonly number[], options: AvgPoolNdOptions & { readonly axes: number }) {
    super(kernelSize, options);
    const { countIncludePad = true, divisorOverride } = options;
    if (divisorOverride !== undefined && !(Number.isFinite(divisorOverride) && divisorOverride !== 0))
      throw new InputError(
        `${new.target.name}: expected divisorOverride as a number other than 0, got ${String(divisorOverride)}`,
      );
    this.countIncludePad = countIncludePad;
    this.divisorOverride = divisorOverride;
  }

  protected override windowsOf(x: Tensor) {
    const { countIncludePad, divisorOverride } = this;
    return { ...super.windowsOf(x), countIncludePad, divisorOverride };
  }
}

/** Mean of each window and channel of sequences. */
export class AvgPool1d extends AvgPool {
  /** @throws InputError when a size is not an integer in range. */
  constructor(kernelSize: number | readonly number[], options: AvgPool1dOptions = {}) {
    assertOptionNames(new.target.name, options, ["countIncludePad?", "stride", "padding", "ceilMode?"]);
    super(kernelSize, { ...options, axes: 1 });
  }

  /**
   * @param x `[batch, length, channels]`
   * @returns `[batch, outLength, channels]`
   * @throws ShapeError for another rank.
   */
  protected forward(x: Tensor): Tensor {
    return avgPool1d(x, this.windowsOf(x));
  }
}

/**
 * Mean of each window and channel of images.
 * @example
 * const y = new AvgPool2d(2).call(x); // x [batch, height, width, channels], y [batch, height / 2, width / 2, channels]
 */
export class AvgPool2d extends AvgPool {
  /** @throws InputError when a size is not an integer in range. */
  constructor(kernelSize: number | readonly number[], options: AvgPoolNdOptions = {}) {
    assertOptionNames(new.target.name, options, [
      "divisorOverride",
      "countIncludePad?",
      "stride",
      "padding",
      "ceilMode?",
    ]);
    super(kernelSize, { ...options, axes: 2 });
  }

  /**
   * @param x `[batch, height, width, channels]`
   * @returns `[batch, outHeight, outWidth, channels]`
   * @throws ShapeError for another rank.
   */
  protected forward(x: Tensor): Tensor {
    return avgPool2d(x, this.windowsOf(x));
  }
}

/** Mean of each window and channel of volumes. */
export class AvgPool3d extends AvgPool {
  /** @throws InputError when a size is not an integer in range. */
  constructor(kernelSize: number | readonly number[], options: AvgPoolNdOptions = {}) {
    assertOptionNames(new.target.name, options, [
      "divisorOverride",
      "countIncludePad?",
      "stride",
      "padding",
      "ceilMode?",
    ]);
    super(kernelSize, { ...options, axes: 3 });
  }

  /**
   * @param x `[batch, depth, height, width, channels]`
   * @returns `[batch, outDepth, outHeight, outWidth, channels]`
   * @throws ShapeError for another rank.
   */
  protected forward(x: Tensor): Tensor {
    return avgPool3d(x, this.windowsOf(x));
  }
}
