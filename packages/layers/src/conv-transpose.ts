import {
  type ConvTransposeOptions,
  convTranspose1d,
  convTranspose2d,
  convTranspose3d,
  InputError,
  type Tensor,
} from "@ai/tensor";
import { assertIntegers, assertShape, formatShape, sizesOf } from "./checks.js";
import { fanInUniform } from "./initializers.js";
import { Module } from "./module.js";
import { Parameter } from "./parameter.js";
import { assertOptionNames } from "./training/option-names.js";

/** Options of every transposed convolution. */
const OPTION_NAMES = ["stride", "padding", "outputPadding", "dilation", "groups", "bias?"] as const;

/** Options of {@link ConvTranspose1d} and {@link ConvTranspose2d}: one number for all axes, or one each. */
export interface ConvTransposeModuleOptions {
  /** Factor of enlargement. Default 1. */
  readonly stride?: number | readonly number[];
  /** Cells cut off each side of the result. Default 0. */
  readonly padding?: number | readonly number[];
  /** Cells added at the end of the result, less than stride or dilation. Default 0. */
  readonly outputPadding?: number | readonly number[];
  /** Distance between the cells of the kernel. Default 1. */
  readonly dilation?: number | readonly number[];
  /** Groups of channels that do not see each other. Default 1. */
  readonly groups?: number;
  /** Whether to add a bias. Default true. */
  readonly bias?: boolean;
}

/** Options of a call of {@link ConvTranspose1d}, {@link ConvTranspose2d} and {@link ConvTranspose3d}. */
export interface ConvTransposeCallOptions {
  /**
   * Spatial sizes of the result, one an axis, in place of `outputPadding`: several inputs of a convolution with a stride give
   * the same size, and this says which is meant.
   */
  readonly outputSize?: readonly number[];
}

type Inputs = [x: Tensor, options?: ConvTransposeCallOptions];

/** What all share: only the op differs. @internal */
export abstract class ConvTranspose extends Module<Inputs, Tensor> {
  static override readonly quantizableWeights: RegExp | undefined = /^weight$/;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernelSize: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly outputPadding: readonly number[];
  readonly dilation: readonly number[];
  readonly groups: number;
  readonly weight: Parameter;
  readonly bias: Parameter | undefined;

  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: number | readonly number[],
    { axes, ...options }: ConvTransposeModuleOptions & { readonly axes: number },
  ) {
    super();
    const { stride = 1, padding = 0, outputPadding = 0, dilation = 1, groups = 1, bias = true } = options;
    const layer = new.target.name;
    assertIntegers(layer, { inChannels, outChannels, groups });
    if (inChannels % groups !== 0 || outChannels % groups !== 0)
      throw new InputError(
        `${layer}: expected channels that groups divides, got ${inChannels} and ${outChannels} for ${groups} groups`,
      );
    this.inChannels = inChannels;
    this.outChannels = outChannels;
    this.kernelSize = sizesOf(layer, "kernelSize", kernelSize, { axes, minimum: 1 });
    this.stride = sizesOf(layer, "stride", stride, { axes, minimum: 1 });
    this.padding = sizesOf(layer, "padding", padding, { axes, minimum: 0 });
    this.outputPadding = sizesOf(layer, "outputPadding", outputPadding, { axes, minimum: 0 });
    this.dilation = sizesOf(layer, "dilation", dilation, { axes, minimum: 1 });
    this.groups = groups;
    const tooFar = this.outputPadding.some(
      (cells, axis) => cells >= Math.max(this.stride[axis], this.dilation[axis]),
    );
    if (tooFar)
      throw new InputError(
        `${layer}: expected outputPadding below stride or dilation, got ${this.outputPadding.join(", ")}`,
      );
    const cells = this.kernelSize.reduce((product, length) => product * length, 1);
    // as PyTorch, whose fan-in counts the second axis of its weight
    const initializer = fanInUniform((cells * outChannels) / groups);
    const spatial = this.kernelSize.map((_, axis) => axis);
    this.weight = new Parameter([...this.kernelSize, outChannels / groups, inChannels], {
      initializer,
      checkpointPermutation: [axes + 1, axes, ...spatial],
    });
    this.bias = bias ? new Parameter([outChannels], { initializer }) : undefined;
  }

  /** Options of the op. */
  protected optionsFor(x: Tensor, options: ConvTransposeCallOptions = {}): ConvTransposeOptions {
    assertOptionNames("call", options, ["outputSize"]);
    const { stride, padding, outputPadding, dilation, groups } = this;
    const { outputSize } = options;
    return {
      stride: [...stride],
      padding: [...padding],
      outputPadding: outputSize === undefined ? [...outputPadding] : this.#missingCells(x, outputSize),
      dilation: [...dilation],
      groups,
      bias: this.bias?.value,
    };
  }

  /** Cells to add to what the input gives, for an output of that size. */
  #missingCells(x: Tensor, outputSize: readonly number[]): number[] {
    const least = this.kernelSize.map(
      (cells, axis) =>
        (x.shape[axis + 1]! - 1) * this.stride[axis] -
        2 * this.padding[axis] +
        this.dilation[axis] * (cells - 1) +
        1,
    );
    const most = least.map((length, axis) => length + this.stride[axis] - 1);
    if (
      !Array.isArray(outputSize) ||
      outputSize.length !== least.length ||
      !outputSize.every(
        (length, axis) => Number.isInteger(length) && length >= least[axis] && length <= most[axis],
      )
    )
      throw new InputError(
        `expected an outputSize from ${formatShape(least)} to ${formatShape(most)}, got ${JSON.stringify(outputSize)}`,
      );
    return outputSize.map((length, axis) => length - least[axis]);
  }

  override multiplyAdds([x]: Inputs, _output: Tensor): number {
    const { shape } = this.weight;
    return x.size * shape.slice(0, -1).reduce((product, length) => product * length, 1);
  }
}

/**
 * The gradient of {@link Conv1d} as a layer: enlarges sequences.
 *
 * Parameters: `weight` `[kernelSize, outChannels / groups, inChannels]`, in checkpoints
 * `[inChannels, outChannels / groups, kernelSize]`; `bias` `[outChannels]`.
 * @see Zeiler et al. (2010), "Deconvolutional networks", https://doi.org/10.1109/CVPR.2010.5539957
 */
export class ConvTranspose1d extends ConvTranspose {
  /** @throws InputError for sizes that are not integers in range, or channels that `groups` does not divide. */
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: number | readonly number[],
    options: ConvTransposeModuleOptions = {},
  ) {
    assertOptionNames(new.target.name, options, OPTION_NAMES);
    super(inChannels, outChannels, kernelSize, { ...options, axes: 1 });
  }

  /**
   * @param x `[batch, length, inChannels]`
   * @returns `[batch, (length − 1) · stride − 2 · padding + dilation · (kernelSize − 1) + outputPadding + 1, outChannels]`
   * @throws ShapeError for another rank or number of channels; InputError for an `outputSize` that the input cannot give.
   */
  protected forward(...[x, options]: Inputs): Tensor {
    assertShape(x, ["batch", "length", "channels"], this.inChannels, "; sequences are channels-last");
    return convTranspose1d(x, this.weight.value, this.optionsFor(x, options));
  }
}

/**
 * The gradient of Conv2d as a layer: enlarges images.
 *
 * Parameters: `weight` `[kernelHeight, kernelWidth, outChannels / groups, inChannels]`, in checkpoints
 * `[inChannels, outChannels / groups, kernelHeight, kernelWidth]`; `bias` `[outChannels]`.
 * @see Zeiler et al. (2010), "Deconvolutional networks", https://doi.org/10.1109/CVPR.2010.5539957
 * @example
 * const y = new ConvTranspose2d(64, 32, 2, { stride: 2 }).call(x); // [batch, height, width, 64] to [batch, 2 · height, 2 · width, 32]
 */
export class ConvTranspose2d extends ConvTranspose {
  /** @throws InputError for sizes that are not integers in range, or channels that `groups` does not divide. */
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: number | readonly number[],
    options: ConvTransposeModuleOptions = {},
  ) {
    assertOptionNames(new.target.name, options, OPTION_NAMES);
    super(inChannels, outChannels, kernelSize, { ...options, axes: 2 });
  }

  /**
   * @param x `[batch, height, width, inChannels]`
   * @returns `[batch, outHeight, outWidth, outChannels]`; each size as in {@link ConvTranspose1d}
   * @throws ShapeError for another rank or number of channels; InputError for an `outputSize` that the input cannot give.
   */
  protected forward(...[x, options]: Inputs): Tensor {
    assertShape(x, ["batch", "height", "width", "channels"], this.inChannels, "; images are channels-last");
    return convTranspose2d(x, this.weight.value, this.optionsFor(x, options));
  }
}

/**
 * The gradient of {@link Conv3d} as a layer: enlarges volumes.
 *
 * Parameters: `weight` `[depth, height, width, outChannels / groups, inChannels]`, in checkpoints channels first as
 * PyTorch's; `bias` `[outChannels]`.
 * @see Zeiler et al. (2010), "Deconvolutional networks", https://doi.org/10.1109/CVPR.2010.5539957
 */
export class ConvTranspose3d extends ConvTranspose {
  /** @throws InputError for sizes that are not integers in range, or channels that `groups` does not divide. */
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: number | readonly number[],
    options: ConvTransposeModuleOptions = {},
  ) {
    assertOptionNames(new.target.name, options, OPTION_NAMES);
    super(inChannels, outChannels, kernelSize, { ...options, axes: 3 });
  }

  /**
   * @param x `[batch, depth, height, width, inChannels]`
   * @returns `[batch, outDepth, outHeight, outWidth, outChannels]`; each size as in {@link ConvTranspose1d}
   * @throws ShapeError for another rank or number of channels; InputError for an `outputSize` that the input cannot give.
   */
  protected forward(...[x, options]: Inputs): Tensor {
    const axes = ["batch", "depth", "height", "width", "channels"];
    assertShape(x, axes, this.inChannels, "; volumes are channels-last");
    return convTranspose3d(x, this.weight.value, this.optionsFor(x, options));
  }
}
