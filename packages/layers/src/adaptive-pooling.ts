import {
  adaptiveAvgPool1d,
  adaptiveAvgPool2d,
  adaptiveAvgPool3d,
  adaptiveMaxPool1d,
  adaptiveMaxPool1dWithIndices,
  adaptiveMaxPool2d,
  adaptiveMaxPool2dWithIndices,
  adaptiveMaxPool3d,
  adaptiveMaxPool3dWithIndices,
  type Tensor,
} from "@ai/tensor";
import { assertShape, sizesOf } from "./checks.js";
import type { MaxPoolOutput } from "./max-pooling.js";
import { Module } from "./module.js";
import { axesOf } from "./pooling.js";
import { assertOptionNames } from "./training/option-names.js";

/** Spatial size of the output: one number for all axes, or one each; null keeps the input's. */
export type AdaptiveSize = number | null | readonly (number | null)[];

/** Options of {@link AdaptiveMaxPool2d} and its like. */
export interface AdaptiveMaxPoolOptions<Indices extends boolean = boolean> {
  /** Give `{ values, indices }` instead of the values. Default false. */
  readonly returnIndices?: Indices;
}

abstract class AdaptivePool<Output> extends Module<[x: Tensor], Output> {
  /** One entry a spatial axis; null keeps the input's. */
  readonly outputSize: readonly (number | null)[];

  constructor(outputSize: AdaptiveSize, axes: number) {
    super();
    const one = typeof outputSize === "number" || outputSize === null;
    const sizes: readonly (number | null)[] = one
      ? new Array<number | null>(axes).fill(outputSize)
      : outputSize;
    const numbers = Array.isArray(sizes) ? sizes.map((size) => size ?? 1) : sizes;
    sizesOf(new.target.name, "outputSize", numbers as number[], { axes, minimum: 1 });
    this.outputSize = [...sizes];
  }

  /** Options of the op, of an input that has the right rank. */
  protected sizesFor(x: Tensor) {
    assertShape(x, axesOf(this.outputSize.length));
    return { outputSize: this.outputSize };
  }
}

/** Mean over windows of the length that are laid so that the output has a given size. */
export class AdaptiveAvgPool1d extends AdaptivePool<Tensor> {
  /** @throws InputError when a size is neither null nor an integer of at least 1. */
  constructor(outputSize: AdaptiveSize) {
    super(outputSize, 1);
  }

  /**
   * @param x `[batch, length, channels]`
   * @returns `[batch, outputLength, channels]`
   * @throws ShapeError for another rank.
   */
  protected forward(x: Tensor): Tensor {
    return adaptiveAvgPool1d(x, this.sizesFor(x));
  }
}

/**
 * Mean over windows that are laid so that the output has a given size, whatever the input's.
 * @example
 * const y = new AdaptiveAvgPool2d(1).call(x); // x [batch, height, width, channels], y [batch, 1, 1, channels]
 */
export class AdaptiveAvgPool2d extends AdaptivePool<Tensor> {
  /** @throws InputError when a size is neither null nor an integer of at least 1. */
  constructor(outputSize: AdaptiveSize) {
    super(outputSize, 2);
  }

  /**
   * @param x `[batch, height, width, channels]`
   * @returns `[batch, outputHeight, outputWidth, channels]`
   * @throws ShapeError for another rank.
   */
  protected forward(x: Tensor): Tensor {
    return adaptiveAvgPool2d(x, this.sizesFor(x));
  }
}

/** Mean over windows of a volume that are laid so that the output has a given size. */
export class AdaptiveAvgPool3d extends AdaptivePool<Tensor> {
  /** @throws InputError when a size is neither null nor an integer of at least 1. */
  constructor(outputSize: AdaptiveSize) {
    super(outputSize, 3);
  }

  /**
   * @param x `[batch, depth, height, width, channels]`
   * @returns `[batch, outputDepth, outputHeight, outputWidth, channels]`
   * @throws ShapeError for another rank.
   */
  protected forward(x: Tensor): Tensor {
    return adaptiveAvgPool3d(x, this.sizesFor(x));
  }
}

abstract class AdaptiveMaxPool<Indices extends boolean> extends AdaptivePool<MaxPoolOutput<Indices>> {
  readonly returnIndices: boolean;

  constructor(
    outputSize: AdaptiveSize,
    { axes, returnIndices = false as Indices }: AdaptiveMaxPoolOptions<Indices> & { readonly axes: number },
  ) {
    super(outputSize, axes);
    this.returnIndices = returnIndices;
  }
}

/** Maximum over windows of the length that are laid so that the output has a given size. */
export class AdaptiveMaxPool1d<Indices extends boolean = false> extends AdaptiveMaxPool<Indices> {
  /** @throws InputError when a size is neither null nor an integer of at least 1. */
  constructor(outputSize: AdaptiveSize, options: AdaptiveMaxPoolOptions<Indices> = {}) {
    assertOptionNames(new.target.name, options as AdaptiveMaxPoolOptions, ["returnIndices?"]);
    super(outputSize, { ...options, axes: 1 });
  }

  /**
   * @param x `[batch, length, channels]`
   * @returns `[batch, outputLength, channels]`; with `returnIndices` `{ values, indices }` of that shape, indices int32.
   * @throws ShapeError for another rank.
   */
  protected forward(x: Tensor): MaxPoolOutput<Indices> {
    const pool = this.returnIndices ? adaptiveMaxPool1dWithIndices : adaptiveMaxPool1d;
    return pool(x, this.sizesFor(x)) as MaxPoolOutput<Indices>;
  }
}

/**
 * Maximum over windows that are laid so that the output has a given size, whatever the input's.
 * @example
 * const y = new AdaptiveMaxPool2d([7, 7]).call(x); // x [batch, height, width, channels], y [batch, 7, 7, channels]
 */
export class AdaptiveMaxPool2d<Indices extends boolean = false> extends AdaptiveMaxPool<Indices> {
  /** @throws InputError when a size is neither null nor an integer of at least 1. */
  constructor(outputSize: AdaptiveSize, options: AdaptiveMaxPoolOptions<Indices> = {}) {
    assertOptionNames(new.target.name, options as AdaptiveMaxPoolOptions, ["returnIndices?"]);
    super(outputSize, { ...options, axes: 2 });
  }

  /**
   * @param x `[batch, height, width, channels]`
   * @returns `[batch, outputHeight, outputWidth, channels]`; with `returnIndices` `{ values, indices }` of that shape.
   * @throws ShapeError for another rank.
   */
  protected forward(x: Tensor): MaxPoolOutput<Indices> {
    const pool = this.returnIndices ? adaptiveMaxPool2dWithIndices : adaptiveMaxPool2d;
    return pool(x, this.sizesFor(x)) as MaxPoolOutput<Indices>;
  }
}

/** Maximum over windows of a volume that are laid so that the output has a given size. */
export class AdaptiveMaxPool3d<Indices extends boolean = false> extends AdaptiveMaxPool<Indices> {
  /** @throws InputError when a size is neither null nor an integer of at least 1. */
  constructor(outputSize: AdaptiveSize, options: AdaptiveMaxPoolOptions<Indices> = {}) {
    assertOptionNames(new.target.name, options as AdaptiveMaxPoolOptions, ["returnIndices?"]);
    super(outputSize, { ...options, axes: 3 });
  }

  /**
   * @param x `[batch, depth, height, width, channels]`
   * @returns `[batch, outputDepth, outputHeight, outputWidth, channels]`; with `returnIndices` `{ values, indices }`.
   * @throws ShapeError for another rank.
   */
  protected forward(x: Tensor): MaxPoolOutput<Indices> {
    const pool = this.returnIndices ? adaptiveMaxPool3dWithIndices : adaptiveMaxPool3d;
    return pool(x, this.sizesFor(x)) as MaxPoolOutput<Indices>;
  }
}
