import type { Tensor } from "@ai/tensor";
import { Conv2d, type Conv2dOptions } from "./conv.js";
import { Module } from "./module.js";
import { assertOptionNames } from "./training/option-names.js";

/**
 * A convolution in two: each channel by a kernel of its own, then a mixture of the channels in each cell. A kernel of
 * `k · k` cells needs `inChannels · (k · k + outChannels)` numbers instead of `inChannels · k · k · outChannels`.
 *
 * Submodules: `depthwise` (a group a channel, without bias), `pointwise` (of size 1, with the bias).
 * @see Howard et al. (2017), "MobileNets", https://arxiv.org/abs/1704.04861, section 3.1
 * @example
 * const layer = new DepthwiseSeparableConv2d(16, 32, 3, { padding: 1 });
 * const y = layer.call(x); // x [batch, height, width, 16], y [batch, height, width, 32]
 */
export class DepthwiseSeparableConv2d extends Module<[x: Tensor], Tensor> {
  readonly depthwise: Conv2d;
  readonly pointwise: Conv2d;

  /**
   * @param options Stride, padding and dilation are those of `depthwise`, bias that of `pointwise`; `groups`: of channels that
   * `pointwise` does not mix.
   * @throws InputError for sizes that are not integers in range, channels that `groups` does not divide, or unknown options.
   */
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: number | readonly number[],
    options: Conv2dOptions = {},
  ) {
    super();
    const known = ["stride", "padding", "paddingMode", "dilation", "groups", "bias?"] as const;
    assertOptionNames(new.target.name, options, known);
    const { groups, bias, ...spatial } = options;
    this.depthwise = new Conv2d(inChannels, inChannels, kernelSize, {
      ...spatial,
      groups: inChannels,
      bias: false,
    });
    this.pointwise = new Conv2d(inChannels, outChannels, 1, { groups, bias });
  }

  /**
   * @param x `[batch, height, width, inChannels]`
   * @returns `[batch, outHeight, outWidth, outChannels]`
   * @throws ShapeError for another rank or number of channels.
   */
  protected forward(x: Tensor): Tensor {
    return this.pointwise.call(this.depthwise.call(x));
  }
}
