import { conv2d, type Tensor } from "@ai/tensor";
import { assertShape } from "./checks.js";
import { CONVOLUTION_OPTIONS, ConvNd, type ConvNdOptions, type Sides } from "./conv-nd.js";
import {
  type FoldedActivation,
  type FoldedConvolution,
  type FoldingConvolution,
  foldNormalization,
  keepsForward,
} from "./folding.js";
import type { AnyModule } from "./module.js";
import { assertOptionNames } from "./training/option-names.js";

/** Options of {@link Conv2d}: one number for both axes, or height and width. */
export type Conv2dOptions = ConvNdOptions;

/**
 * Convolution over images (cross-correlation, as everywhere in deep learning).
 *
 * Parameters: `weight` `[kernelHeight, kernelWidth, inChannels / groups, outChannels]`, in checkpoints
 * `[outChannels, inChannels / groups, kernelHeight, kernelWidth]`; `bias` `[outChannels]`; both from U(±1/√fanIn).
 * @example
 * const layer = new Conv2d(3, 16, 3, { padding: 1 });
 * const y = layer.call(x); // x [batch, height, width, 3], y [batch, height, width, 16]
 */
export class Conv2d extends ConvNd implements FoldingConvolution {
  declare readonly kernelSize: readonly [height: number, width: number];
  declare readonly stride: readonly [height: number, width: number];
  declare readonly dilation: readonly [height: number, width: number];
  declare readonly padding: readonly [height: Sides, width: Sides];

  #folded: (FoldedConvolution & { readonly activation: FoldedActivation | undefined }) | undefined;

  /** @throws InputError for sizes that are not integers in range, channels that `groups` does not divide, or "same" with a stride. */
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: number | readonly number[],
    options: Conv2dOptions = {},
  ) {
    assertOptionNames(new.target.name, options, CONVOLUTION_OPTIONS);
    super(inChannels, outChannels, kernelSize, { ...options, axes: 2 });
  }

  /**
   * Calls this layer with the normalization and the activation behind it, in one pass.
   * @param x `[batch, height, width, inChannels]`
   * @returns `[batch, outHeight, outWidth, outChannels]`; undefined where the layers have to be called one by one.
   * @internal
   */
  callNormalized(x: Tensor, norm: AnyModule, activation?: FoldedActivation): Tensor | undefined {
    if (!keepsForward(this, Conv2d)) return undefined;
    const folded = foldNormalization(this as unknown as AnyModule & ConvNd, norm);
    if (folded === undefined) return undefined;
    this.#folded = { ...folded, activation };
    try {
      return this.call(x);
    } finally {
      this.#folded = undefined;
    }
  }

  /**
   * @param x `[batch, height, width, inChannels]`
   * @returns `[batch, outHeight, outWidth, outChannels]`
   * @throws ShapeError for another rank or number of channels.
   */
  protected forward(x: Tensor): Tensor {
    assertShape(x, ["batch", "height", "width", "channels"], this.inChannels, "; images are channels-last");
    const prepared = this.prepare(x);
    if (this.#folded === undefined) return conv2d(prepared.x, this.weight.value, prepared.options);
    const { weight, bias, activation } = this.#folded;
    return conv2d(prepared.x, weight, { ...prepared.options, bias, activation });
  }
}
