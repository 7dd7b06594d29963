import { groupNorm, InputError, rmsNorm, type Shape, ShapeError, type Tensor } from "@ai/tensor";
import { assertIntegers, assertTensor, formatShape } from "./checks.js";
import { constant } from "./initializers.js";
import { Module } from "./module.js";
import { Parameter } from "./parameter.js";
import { assertOptionNames } from "./training/option-names.js";

/** Options of {@link GroupNorm}. */
export interface GroupNormModuleOptions {
  /** Added to the variance. Default 1e-5. */
  readonly epsilon?: number;
  /** Whether there are `weight` and `bias`. Default true; false in instance norms. */
  readonly affine?: boolean;
}

function assertEpsilon(layer: string, epsilon: number): void {
  if (!(epsilon >= 0)) throw new InputError(`${layer}: expected an epsilon of at least 0, got ${epsilon}`);
}

/**
 * `(x − mean) / √(variance + epsilon) · weight + bias`, with mean and variance of each group of channels of each sample.
 * Parameters: `weight`, `bias` `[numChannels]`.
 * @see Wu, He (2018), "Group normalization", https://arxiv.org/abs/1803.08494
 */
export class GroupNorm extends Module<[x: Tensor], Tensor> {
  readonly numGroups: number;
  readonly numChannels: number;
  readonly epsilon: number;
  readonly weight: Parameter | undefined;
  readonly bias: Parameter | undefined;

  /** @throws InputError for sizes that are not integers in range, or groups that do not divide the channels. */
  constructor(numGroups: number, numChannels: number, options: GroupNormModuleOptions = {}) {
    super();
    assertOptionNames(new.target.name, options, ["epsilon", "affine"]);
    const { epsilon = 1e-5, affine = true } = options;
    assertIntegers("GroupNorm", { numGroups, numChannels });
    assertEpsilon("GroupNorm", epsilon);
    if (numChannels % numGroups !== 0)
      throw new InputError(
        `GroupNorm: expected channels that ${numGroups} groups divide, got ${numChannels}`,
      );
    this.numGroups = numGroups;
    this.numChannels = numChannels;
    this.epsilon = epsilon;
    this.weight = affine ? new Parameter([numChannels], { initializer: constant(1) }) : undefined;
    this.bias = affine ? new Parameter([numChannels], { initializer: constant(0) }) : undefined;
  }

  /**
   * @param x `[batch, ..., numChannels]`
   * @returns the shape of `x`
   * @throws ShapeError for another number of channels, or a sample with one value a group.
   */
  protected forward(x: Tensor): Tensor {
    assertChannels(x, this.numChannels);
    const { numGroups, weight, bias, epsilon } = this;
    return groupNorm(x, { numGroups, weight: weight?.value, bias: bias?.value, epsilon });
  }
}

/** Spatial axes by rank, for messages. */
const AXES: Readonly<Record<number, string>> = { 3: "length", 4: "height, width", 5: "depth, height, width" };

function assertChannels(x: Tensor, channels: number, rank?: number): void {
  assertTensor(x);
  if (x.shape.length < 2 || x.shape.at(-1) !== channels || (rank !== undefined && x.shape.length !== rank))
    throw new ShapeError(
      `expected an input [batch, ${AXES[rank ?? 0] ?? "..."}, ${channels}], got ${formatShape(x.shape)}`,
    );
}

/** Each channel of each sample by its own mean and variance: group norm with a group a channel. */
abstract class InstanceNorm extends Module<[x: Tensor], Tensor> {
  readonly numFeatures: number;
  readonly epsilon: number;
  readonly weight: Parameter | undefined;
  readonly bias: Parameter | undefined;
  protected abstract readonly rank: number;

  /** @throws InputError for a number of features that is not a positive integer, or a negative epsilon. */
  constructor(numFeatures: number, options: GroupNormModuleOptions = {}) {
    super();
    assertOptionNames(new.target.name, options, ["epsilon", "affine"]);
    const { epsilon = 1e-5, affine = false } = options;
    const layer = new.target.name;
    assertIntegers(layer, { numFeatures });
    assertEpsilon(layer, epsilon);
    this.numFeatures = numFeatures;
    this.epsilon = epsilon;
    this.weight = affine ? new Parameter([numFeatures], { initializer: constant(1) }) : undefined;
    this.bias = affine ? new Parameter([numFeatures], { initializer: constant(0) }) : undefined;
  }

  /**
   * @param x `[batch, ..., numFeatures]`
   * @returns the shape of `x`
   * @throws ShapeError for another rank or number of channels, or a sample of one cell.
   */
  protected forward(x: Tensor): Tensor {
    assertChannels(x, this.numFeatures, this.rank);
    if (x.shape.slice(1, -1).every((length) => length === 1))
      throw new ShapeError(`expected more than one cell a channel, got ${formatShape(x.shape)}`);
    const { numFeatures: numGroups, weight, bias, epsilon } = this;
    return groupNorm(x, { numGroups, weight: weight?.value, bias: bias?.value, epsilon });
  }
}

/**
 * Instance normalization of sequences, without running statistics. x `[batch, length, numFeatures]`
 * @see Ulyanov, Vedaldi, Lempitsky (2016), "Instance normalization", https://arxiv.org/abs/1607.08022
 */
export class InstanceNorm1d extends InstanceNorm {
  protected readonly rank = 3;
}

/**
 * Instance normalization of images, without running statistics. x `[batch, height, width, numFeatures]`
 * @see Ulyanov, Vedaldi, Lempitsky (2016), "Instance normalization", https://arxiv.org/abs/1607.08022
 */
export class InstanceNorm2d extends InstanceNorm {
  protected readonly rank = 4;
}

/**
 * Instance normalization of volumes, without running statistics. x `[batch, depth, height, width, numFeatures]`
 * @see Ulyanov, Vedaldi, Lempitsky (2016), "Instance normalization", https://arxiv.org/abs/1607.08022
 */
export class InstanceNorm3d extends InstanceNorm {
  protected readonly rank = 5;
}

/** Options of {@link RMSNorm}. */
export interface RMSNormOptions {
  /** Added to the mean of squares. Default: the distance from 1 to the next float32, as PyTorch. */
  readonly epsilon?: number;
  /** Whether there is a `weight`. Default true. */
  readonly elementwiseAffine?: boolean;
}

/**
 * `x / √(mean(x²) + epsilon) · weight` over the last axis. Parameter: `weight` `[dim]`.
 * @see Zhang, Sennrich (2019), "Root mean square layer normalization", https://arxiv.org/abs/1910.07467
 */
export class RMSNorm extends Module<[x: Tensor], Tensor> {
  readonly normalizedShape: Shape;
  readonly epsilon: number;
  readonly weight: Parameter | undefined;

  /** @throws InputError for a size that is not a positive integer, or a negative epsilon. */
  constructor(dim: number, options: RMSNormOptions = {}) {
    super();
    assertOptionNames(new.target.name, options, ["epsilon", "elementwiseAffine"]);
    const { epsilon = 2 ** -23, elementwiseAffine = true } = options;
    assertIntegers("RMSNorm", { dim });
    assertEpsilon("RMSNorm", epsilon);
    this.normalizedShape = [dim];
    this.epsilon = epsilon;
    this.weight = elementwiseAffine ? new Parameter([dim], { initializer: constant(1) }) : undefined;
  }

  /**
   * @param x `[..., dim]`
   * @returns `[..., dim]`
   * @throws ShapeError when the last axis has another size.
   */
  protected forward(x: Tensor): Tensor {
    assertTensor(x);
    const [dim] = this.normalizedShape;
    if (x.shape.at(-1) !== dim)
      throw new ShapeError(`expected an input [..., ${dim}], got ${formatShape(x.shape)}`);
    return rmsNorm(x, { weight: this.weight?.value, epsilon: this.epsilon });
  }
}
