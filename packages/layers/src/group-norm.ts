import {
  add,
  batchNorm,
  groupNorm,
  InputError,
  mean,
  mul,
  noGrad,
  reshape,
  rmsNorm,
  type Shape,
  ShapeError,
  type Tensor,
  tidy,
  variance,
} from "@ai/tensor";
import { assertIntegers, assertProbability, assertTensor, formatShape } from "./checks.js";
import { constant } from "./initializers.js";
import { Module } from "./module.js";
import { Parameter, StateCounter, StateTensor } from "./parameter.js";
import { assertOptionNames } from "./training/option-names.js";

/** Options of {@link GroupNorm}. */
export interface GroupNormModuleOptions {
  /** Added to the variance. Default 1e-5. */
  readonly epsilon?: number;
  /** Whether there are `weight` and `bias`. Default true. */
  readonly affine?: boolean;
  /** Whether there is a `bias` beside the `weight`. Default true. */
  readonly bias?: boolean;
}

/** Options of {@link InstanceNorm1d}, {@link InstanceNorm2d} and {@link InstanceNorm3d}. */
export interface InstanceNormOptions {
  /** Added to the variance. Default 1e-5. */
  readonly epsilon?: number;
  /** Whether there are `weight` and `bias`. Default false. */
  readonly affine?: boolean;
  /** Whether there is a `bias` beside the `weight`. Default true. */
  readonly bias?: boolean;
  /** Whether statistics are gathered for evaluation; without them evaluation uses each sample's own. Default false. */
  readonly trackRunningStats?: boolean;
  /** Weight of the newest batch in the running statistics. Default 0.1. */
  readonly momentum?: number;
}

function assertEpsilon(layer: string, epsilon: number): void {
  if (!(typeof epsilon === "number" && epsilon >= 0))
    throw new InputError(`${layer}: expected an epsilon of at least 0, got ${epsilon}`);
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
    assertOptionNames(new.target.name, options, ["epsilon", "affine?", "bias?"]);
    const { epsilon = 1e-5, affine = true, bias = true } = options;
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
    this.bias = affine && bias ? new Parameter([numChannels], { initializer: constant(0) }) : undefined;
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

/**
 * Each channel of each sample by its own mean and variance: group norm with a group a channel. Running statistics are the
 * means over a batch of its samples' (the variance by n − 1).
 */
abstract class InstanceNorm extends Module<[x: Tensor], Tensor> {
  static override readonly checkpointNames: Readonly<Record<string, string>> = {
    runningMean: "running_mean",
    runningVariance: "running_var",
    numBatchesTracked: "num_batches_tracked",
  };
  readonly numFeatures: number;
  readonly epsilon: number;
  readonly weight: Parameter | undefined;
  readonly bias: Parameter | undefined;
  readonly momentum: number;
  readonly runningMean: StateTensor | undefined;
  readonly runningVariance: StateTensor | undefined;
  /** Stays as it is: PyTorch stores it and does not count either. */
  readonly numBatchesTracked: StateCounter | undefined;
  protected abstract readonly rank: number;

  /** @throws InputError for a number of features that is not a positive integer, an epsilon or a momentum out of range. */
  constructor(numFeatures: number, options: InstanceNormOptions = {}) {
    super();
    assertOptionNames(new.target.name, options, [
      "epsilon",
      "affine?",
      "bias?",
      "trackRunningStats?",
      "momentum",
    ]);
    const {
      epsilon = 1e-5,
      affine = false,
      bias = true,
      trackRunningStats = false,
      momentum = 0.1,
    } = options;
    const layer = new.target.name;
    assertIntegers(layer, { numFeatures });
    assertEpsilon(layer, epsilon);
    assertProbability(layer, "momentum", momentum);
    this.numFeatures = numFeatures;
    this.epsilon = epsilon;
    this.momentum = momentum;
    const state = (value: number): StateTensor | undefined =>
      trackRunningStats ? new StateTensor([numFeatures], { initializer: constant(value) }) : undefined;
    this.runningMean = state(0);
    this.runningVariance = state(1);
    this.numBatchesTracked = trackRunningStats ? new StateCounter() : undefined;
    this.weight = affine ? new Parameter([numFeatures], { initializer: constant(1) }) : undefined;
    this.bias = affine && bias ? new Parameter([numFeatures], { initializer: constant(0) }) : undefined;
  }

  /**
   * @param x `[batch, ..., numFeatures]`
   * @returns the shape of `x`
   * @throws ShapeError for another rank or number of channels, or a sample of one cell that has to give its own statistics.
   */
  protected forward(x: Tensor): Tensor {
    assertChannels(x, this.numFeatures, this.rank);
    const { runningMean, runningVariance } = this;
    if (!this.training && runningMean !== undefined && runningVariance !== undefined)
      return batchNorm(x, {
        mean: runningMean.value,
        variance: runningVariance.value,
        weight: this.weight?.value,
        bias: this.bias?.value,
        epsilon: this.epsilon,
      });
    if (x.shape.slice(1, -1).every((length) => length === 1))
      throw new ShapeError(`expected more than one cell a channel, got ${formatShape(x.shape)}`);
    if (runningMean !== undefined && runningVariance !== undefined)
      this.#track(x, runningMean, runningVariance);
    const { numFeatures: numGroups, weight, bias, epsilon } = this;
    return groupNorm(x, { numGroups, weight: weight?.value, bias: bias?.value, epsilon });
  }

  /** Moves the running statistics towards a batch's. */
  #track(x: Tensor, runningMean: StateTensor, runningVariance: StateTensor): void {
    const axes = x.shape.slice(1, -1).map((_, axis) => axis + 1);
    const blend = (old: Tensor, samples: Tensor): Tensor =>
      add(mul(old, 1 - this.momentum), mul(mean(samples, { axes: 0 }), this.momentum)); // [numFeatures]
    noGrad(() => {
      runningMean.setValue(tidy(() => blend(runningMean.value, mean(x, { axes }))));
      runningVariance.setValue(tidy(() => blend(runningVariance.value, variance(x, { axes }))));
    });
  }
}

/**
 * Instance normalization of sequences. x `[batch, length, numFeatures]`
 *
 * Parameters, with `affine`: `weight` (ones) and `bias` (zeros) `[numFeatures]`. State, with `trackRunningStats`:
 * `running_mean`, `running_var` `[numFeatures]`, `num_batches_tracked`.
 * @see Ulyanov, Vedaldi, Lempitsky (2016), "Instance normalization", https://arxiv.org/abs/1607.08022
 */
export class InstanceNorm1d extends InstanceNorm {
  protected readonly rank = 3;
}

/**
 * Instance normalization of images; parameters and state as in {@link InstanceNorm1d}. x `[batch, height, width, numFeatures]`
 * @see Ulyanov, Vedaldi, Lempitsky (2016), "Instance normalization", https://arxiv.org/abs/1607.08022
 */
export class InstanceNorm2d extends InstanceNorm {
  protected readonly rank = 4;
}

/**
 * Instance normalization of volumes; parameters and state as in {@link InstanceNorm1d}. x `[batch, depth, height, width, numFeatures]`
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
 * `x / √(mean(x²) + epsilon) · weight` over the last axis, or the last ones. Parameter: `weight`, ones of the normalized shape.
 * @see Zhang, Sennrich (2019), "Root mean square layer normalization", https://arxiv.org/abs/1910.07467
 */
export class RMSNorm extends Module<[x: Tensor], Tensor> {
  readonly normalizedShape: Shape;
  readonly epsilon: number;
  readonly weight: Parameter | undefined;

  /** @throws InputError for a size that is not a positive integer, no sizes, or a negative epsilon. */
  constructor(normalizedShape: number | Shape, options: RMSNormOptions = {}) {
    super();
    assertOptionNames(new.target.name, options, ["epsilon", "elementwiseAffine?"]);
    const { epsilon = 2 ** -23, elementwiseAffine = true } = options;
    if (typeof normalizedShape !== "number" && !Array.isArray(normalizedShape))
      throw new InputError(`RMSNorm: expected a size or sizes, got ${typeof normalizedShape}`);
    this.normalizedShape = typeof normalizedShape === "number" ? [normalizedShape] : [...normalizedShape];
    assertIntegers("RMSNorm", { axes: this.normalizedShape.length });
    for (const length of this.normalizedShape) assertIntegers("RMSNorm", { length });
    assertEpsilon("RMSNorm", epsilon);
    this.epsilon = epsilon;
    this.weight = elementwiseAffine
      ? new Parameter(this.normalizedShape, { initializer: constant(1) })
      : undefined;
  }

  /**
   * @param x `[..., ...normalizedShape]`
   * @returns the shape of `x`
   * @throws ShapeError when the last axes differ from `normalizedShape`.
   */
  protected forward(x: Tensor): Tensor {
    assertTensor(x);
    const { normalizedShape, epsilon } = this;
    const before = x.shape.slice(0, Math.max(0, x.shape.length - normalizedShape.length));
    if (formatShape(x.shape) !== formatShape([...before, ...normalizedShape]))
      throw new ShapeError(
        `expected an input [..., ${normalizedShape.join(", ")}], got ${formatShape(x.shape)}`,
      );
    const weight = this.weight?.value;
    if (normalizedShape.length === 1) return rmsNorm(x, { weight, epsilon });
    const dim = normalizedShape.reduce((product, length) => product * length, 1);
    const flat = rmsNorm(reshape(x, [...before, dim]), { weight: weight && reshape(weight, [dim]), epsilon });
    return reshape(flat, x.shape);
  }
}
