import { adaptiveAvgPool2d, avgPool2d, maxPool2d, type Tensor } from "@ai/tensor";
import { assertShape, pairOf } from "./checks.js";
import { Module } from "./module.js";

const IMAGE_AXES = ["batch", "height", "width", "channels"] as const;

/** Options that the pooling layers share. Two numbers are height and width. */
export interface Pool2dOptions {
  /** Default: the kernel's size. */
  readonly stride?: number | readonly [number, number];
  /** Rows and columns added on each side, at most half the kernel. Default 0. */
  readonly padding?: number | readonly [number, number];
  /** Round the output's size up, so that the last cells may be covered in part. Default false. */
  readonly ceilMode?: boolean;
}

/** Options of {@link MaxPool2d}. */
export interface MaxPool2dOptions extends Pool2dOptions {
  /** Distance between the cells of a window. Default 1. */
  readonly dilation?: number | readonly [number, number];
}

/** Options of {@link AvgPool2d}. */
export interface AvgPool2dOptions extends Pool2dOptions {
  /** Whether padding counts as zeros in the mean. Default true. */
  readonly countIncludePad?: boolean;
}

/**
 * Largest number of each window and channel.
 * @example
 * const y = new MaxPool2d(2).call(x); // x [batch, height, width, channels], y [batch, height / 2, width / 2, channels]
 */
export class MaxPool2d extends Module<[x: Tensor], Tensor> {
  readonly kernelSize: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
  readonly dilation: readonly [number, number];
  readonly ceilMode: boolean;

  /** @throws InputError when a size is not an integer in range. */
  constructor(kernelSize: number | readonly [number, number], options: MaxPool2dOptions = {}) {
    super();
    const { stride = kernelSize, padding = 0, dilation = 1, ceilMode = false } = options;
    this.kernelSize = pairOf("MaxPool2d", "kernelSize", kernelSize, 1);
    this.stride = pairOf("MaxPool2d", "stride", stride, 1);
    this.padding = pairOf("MaxPool2d", "padding", padding, 0);
    this.dilation = pairOf("MaxPool2d", "dilation", dilation, 1);
    this.ceilMode = ceilMode;
  }

  /**
   * @param x `[batch, height, width, channels]`
   * @returns `[batch, outHeight, outWidth, channels]`
   * @throws ShapeError for another rank.
   */
  protected forward(x: Tensor): Tensor {
    assertShape(x, IMAGE_AXES);
    const { kernelSize, stride, padding, dilation, ceilMode } = this;
    return maxPool2d(x, { kernelSize, stride, padding, dilation, ceilMode });
  }
}

/**
 * Mean of each window and channel.
 * @example
 * const y = new AvgPool2d(2).call(x); // x [batch, height, width, channels], y [batch, height / 2, width / 2, channels]
 */
export class AvgPool2d extends Module<[x: Tensor], Tensor> {
  readonly kernelSize: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
  readonly ceilMode: boolean;
  readonly countIncludePad: boolean;

  /** @throws InputError when a size is not an integer in range. */
  constructor(kernelSize: number | readonly [number, number], options: AvgPool2dOptions = {}) {
    super();
    const { stride = kernelSize, padding = 0, ceilMode = false, countIncludePad = true } = options;
    this.kernelSize = pairOf("AvgPool2d", "kernelSize", kernelSize, 1);
    this.stride = pairOf("AvgPool2d", "stride", stride, 1);
    this.padding = pairOf("AvgPool2d", "padding", padding, 0);
    this.ceilMode = ceilMode;
    this.countIncludePad = countIncludePad;
  }

  /**
   * @param x `[batch, height, width, channels]`
   * @returns `[batch, outHeight, outWidth, channels]`
   * @throws ShapeError for another rank.
   */
  protected forward(x: Tensor): Tensor {
    assertShape(x, IMAGE_AXES);
    const { kernelSize, stride, padding, ceilMode, countIncludePad } = this;
    return avgPool2d(x, { kernelSize, stride, padding, ceilMode, countIncludePad });
  }
}

/**
 * Mean over windows that are laid so that the output has a given size, whatever the input's.
 * @example
 * const y = new AdaptiveAvgPool2d(1).call(x); // x [batch, height, width, channels], y [batch, 1, 1, channels]
 */
export class AdaptiveAvgPool2d extends Module<[x: Tensor], Tensor> {
  /** Height and width of the output; null keeps the input's. */
  readonly outputSize: readonly [number | null, number | null];

  /** @throws InputError when a size is neither null nor an integer of at least 1. */
  constructor(outputSize: number | readonly [number | null, number | null]) {
    super();
    const one = typeof outputSize === "number" || !Array.isArray(outputSize);
    const sizes: readonly (number | null)[] = one ? [outputSize as number, outputSize as number] : outputSize;
    pairOf(
      "AdaptiveAvgPool2d",
      "outputSize",
      sizes.map((size) => (size === null ? 1 : size)),
      1,
    );
    this.outputSize = [sizes[0], sizes[1]];
  }

  /**
   * @param x `[batch, height, width, channels]`
   * @returns `[batch, outputHeight, outputWidth, channels]`
   * @throws ShapeError for another rank.
   */
  protected forward(x: Tensor): Tensor {
    assertShape(x, IMAGE_AXES);
    const [, height, width]: readonly number[] = x.shape;
    return adaptiveAvgPool2d(x, { outputSize: [this.outputSize[0] ?? height, this.outputSize[1] ?? width] });
  }
}
