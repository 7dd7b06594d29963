import {
  add,
  avgPool1d,
  div,
  InputError,
  mul,
  pad,
  pow,
  reshape,
  ShapeError,
  square,
  type Tensor,
  transpose,
} from "@ai/tensor";
import { assertIntegers, assertTensor, formatShape } from "./checks.js";
import { Module } from "./module.js";
import { assertOptionNames } from "./training/option-names.js";

/**
 * Deals the channels out anew, so that the next grouped convolution sees some of every group: channel `g · size + i` goes
 * to `i · groups + g`.
 * @see Zhang, Zhou, Lin, Sun (2018), "ShuffleNet", https://arxiv.org/abs/1707.01083
 */
export class ChannelShuffle extends Module<[x: Tensor], Tensor> {
  readonly groups: number;

  /** @throws InputError for groups that are not a positive integer. */
  constructor(groups: number) {
    super();
    assertIntegers("ChannelShuffle", { groups });
    this.groups = groups;
  }

  /**
   * @param x `[batch, ..., channels]`
   * @returns the shape of `x`
   * @throws ShapeError for channels that the groups do not divide.
   */
  protected forward(x: Tensor): Tensor {
    assertTensor(x);
    const channels = x.shape.at(-1) ?? 0;
    if (x.shape.length < 2 || channels % this.groups !== 0)
      throw new ShapeError(
        `expected an input [batch, ..., channels] with channels that ${this.groups} divides, got ${formatShape(x.shape)}`,
      );
    const size = channels / this.groups;
    const dealt = transpose(reshape(x, [-1, this.groups, size]), [0, 2, 1]); // [cells, size, groups]
    return reshape(dealt, x.shape);
  }
}

/** Options of {@link LocalResponseNorm}. */
export interface LocalResponseNormOptions {
  /** Default 1e-4. */
  readonly alpha?: number;
  /** Default 0.75. */
  readonly beta?: number;
  /** Default 1. */
  readonly k?: number;
}

/**
 * `x / (k + alpha · mean(x²))^beta`, the mean being that over `size` channels around each, zeros beyond the first and last.
 * @see Krizhevsky, Sutskever, Hinton (2012), "ImageNet classification with deep convolutional neural networks", section 3.3,
 * https://papers.nips.cc/paper/4824
 */
export class LocalResponseNorm extends Module<[x: Tensor], Tensor> {
  readonly size: number;
  readonly alpha: number;
  readonly beta: number;
  readonly k: number;

  /** @throws InputError for a size that is not a positive integer, or a number that is not finite. */
  constructor(size: number, options: LocalResponseNormOptions = {}) {
    super();
    assertOptionNames(new.target.name, options, ["alpha", "beta", "k"]);
    const { alpha = 1e-4, beta = 0.75, k = 1 } = options;
    assertIntegers("LocalResponseNorm", { size });
    for (const [name, value] of Object.entries({ alpha, beta, k }))
      if (!Number.isFinite(value))
        throw new InputError(`LocalResponseNorm: expected a finite number for ${name}, got ${String(value)}`);
    this.size = size;
    this.alpha = alpha;
    this.beta = beta;
    this.k = k;
  }

  /**
   * @param x `[batch, ..., channels]` with at least one axis between
   * @returns the shape of `x`
   * @throws ShapeError for another rank.
   */
  protected forward(x: Tensor): Tensor {
    assertTensor(x);
    if (x.shape.length < 3)
      throw new ShapeError(`expected an input [batch, ..., channels], got ${formatShape(x.shape)}`);
    const { size, alpha, beta, k } = this;
    const channels: number = x.shape.at(-1)!;
    const rows = reshape(square(x), [-1, channels, 1]); // [cells, channels, 1]
    const around = pad(rows, [
      [0, 0],
      [Math.floor(size / 2), Math.floor((size - 1) / 2)],
      [0, 0],
    ]);
    const means = reshape(avgPool1d(around, { kernelSize: size, stride: 1 }), x.shape);
    return div(x, pow(add(mul(means, alpha), k), beta));
  }
}
