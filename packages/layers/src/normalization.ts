import {
  add,
  type BatchNormTrainingOptions,
  batchNorm,
  batchNormTraining,
  InputError,
  layerNorm,
  mul,
  noGrad,
  type Shape,
  ShapeError,
  type Tensor,
  tidy,
  zeros,
} from "@ai/tensor";
import { assertIntegers, assertShape, assertTensor, formatShape } from "./checks.js";
import { type ChannelStatistics, type FoldableNorm, keepsForward } from "./folding.js";
import { constant } from "./initializers.js";
import { Module } from "./module.js";
import { Parameter, StateCounter, StateTensor } from "./parameter.js";
import { assertOptionNames } from "./training/option-names.js";

/** Options of {@link BatchNorm1d}, {@link BatchNorm2d} and {@link BatchNorm3d}. */
export interface BatchNormOptions {
  /** Added to the variance. Default 1e-5. */
  readonly epsilon?: number;
  /** Weight of the newest batch in the running statistics; null averages all batches alike. Default 0.1. */
  readonly momentum?: number | null;
  /** Whether there are `weight` and `bias`. Default true. */
  readonly affine?: boolean;
  /** Whether statistics are gathered for evaluation; without them evaluation uses the batch's own. Default true. */
  readonly trackRunningStats?: boolean;
}

/**
 * `(x − mean) / √(variance + epsilon) · weight + bias` for each channel, over all other axes.
 * In training the batch's own statistics are used and gathered (the variance by n − 1), in evaluation the gathered ones.
 */
abstract class BatchNorm extends Module<[x: Tensor], Tensor> {
  static override readonly checkpointNames: Readonly<Record<string, string>> = {
    runningMean: "running_mean",
    runningVariance: "running_var",
    numBatchesTracked: "num_batches_tracked",
  };
  readonly numFeatures: number;
  readonly epsilon: number;
  readonly momentum: number | null;
  readonly weight: Parameter | undefined;
  readonly bias: Parameter | undefined;
  readonly runningMean: StateTensor | undefined;
  readonly runningVariance: StateTensor | undefined;
  readonly numBatchesTracked: StateCounter | undefined;

  /** @throws InputError for a number of features, an epsilon or a momentum out of range. */
  constructor(numFeatures: number, options: BatchNormOptions = {}) {
    super();
    assertOptionNames(new.target.name, options, ["epsilon", "momentum", "affine?", "trackRunningStats?"]);
    const { epsilon = 1e-5, momentum = 0.1, affine = true, trackRunningStats = true } = options;
    const layer = new.target.name;
    assertIntegers(layer, { numFeatures });
    if (!(typeof epsilon === "number" && epsilon >= 0))
      throw new InputError(`${layer}: expected an epsilon of at least 0, got ${epsilon}`);
    if (momentum !== null && !(typeof momentum === "number" && momentum >= 0 && momentum <= 1))
      throw new InputError(`${layer}: expected a momentum in [0, 1] or null, got ${momentum}`);
    this.numFeatures = numFeatures;
    this.epsilon = epsilon;
    this.momentum = momentum;
    this.weight = affine ? new Parameter([numFeatures], { initializer: constant(1) }) : undefined;
    this.bias = affine ? new Parameter([numFeatures], { initializer: constant(0) }) : undefined;
    this.runningMean = trackRunningStats
      ? new StateTensor([numFeatures], { initializer: constant(0) })
      : undefined;
    this.runningVariance = trackRunningStats
      ? new StateTensor([numFeatures], { initializer: constant(1) })
      : undefined;
    this.numBatchesTracked = trackRunningStats ? new StateCounter() : undefined;
  }

  /** Normalizes the last axis of `x` `[..., numFeatures]`. */
  protected normalize(x: Tensor): Tensor {
    const affine = { weight: this.weight?.value, bias: this.bias?.value, epsilon: this.epsilon };
    if (!this.training && this.runningMean !== undefined && this.runningVariance !== undefined)
      return batchNorm(x, { mean: this.runningMean.value, variance: this.runningVariance.value, ...affine });
    const count = x.size / this.numFeatures;
    if (count === 0) return this.#normalizeNothing(x, affine);
    if (this.training && count === 1)
      throw new InputError(
        `expected more than one value per channel in training, got ${formatShape(x.shape)}; use a larger batch`,
      );
    return tidy(() => {
      const batch = batchNormTraining(x, affine);
      if (this.training) this.#track(batch.mean, batch.variance, count);
      return batch.output;
    });
  }

  /** An empty batch, such as the boxes of a picture without any: it counts, and moves no statistics, as in PyTorch. */
  #normalizeNothing(x: Tensor, affine: BatchNormTrainingOptions): Tensor {
    if (this.training && this.numBatchesTracked !== undefined) this.numBatchesTracked.value++;
    const shape = [this.numFeatures];
    return batchNorm(x, { mean: zeros(shape), variance: zeros(shape, "float32", 1), ...affine });
  }

  /** Moves the running statistics towards a batch's. */
  #track(batchMean: Tensor, batchVariance: Tensor, count: number): void {
    const { runningMean, runningVariance, numBatchesTracked } = this;
    if (runningMean === undefined || runningVariance === undefined || numBatchesTracked === undefined) return;
    numBatchesTracked.value++;
    const share = this.momentum ?? 1 / numBatchesTracked.value;
    noGrad(() => {
      const blend = (old: Tensor, now: Tensor, scale: number): Tensor =>
        tidy(() => add(mul(old, 1 - share), mul(now, share * scale)));
      runningMean.setValue(blend(runningMean.value, batchMean, 1));
      runningVariance.setValue(blend(runningVariance.value, batchVariance, count / (count - 1)));
    });
  }
}

/**
 * Batch normalization of vectors or sequences, each channel over the batch (and the length).
 *
 * Parameters: `weight` (ones) and `bias` (zeros) `[numFeatures]`. State: `running_mean`, `running_var` `[numFeatures]`,
 * `num_batches_tracked`.
 * @see Ioffe, Szegedy (2015), "Batch normalization", https://arxiv.org/abs/1502.03167
 */
export class BatchNorm1d extends BatchNorm {
  /**
   * @param x `[batch, numFeatures]` or `[batch, length, numFeatures]`
   * @returns the shape of `x`
   * @throws ShapeError for another rank or number of channels; InputError in training for a single value per channel.
   */
  protected forward(x: Tensor): Tensor {
    assertTensor(x);
    assertShape(
      x,
      x.shape.length === 3 ? ["batch", "length", "channels"] : ["batch", "channels"],
      this.numFeatures,
    );
    return this.normalize(x);
  }
}

/**
 * Batch normalization of images, each channel over the batch, height and width.
 *
 * Parameters: `weight` (ones) and `bias` (zeros) `[numFeatures]`. State: `running_mean`, `running_var` `[numFeatures]`,
 * `num_batches_tracked`.
 * @see Ioffe, Szegedy (2015), "Batch normalization", https://arxiv.org/abs/1502.03167
 */
export class BatchNorm2d extends BatchNorm implements FoldableNorm {
  /** @internal */
  get fixedStatistics(): ChannelStatistics | undefined {
    const { runningMean: mean, runningVariance: variance, weight, bias, epsilon } = this;
    const depends = this.training || !keepsForward(this, BatchNorm2d);
    return depends || mean === undefined || variance === undefined
      ? undefined
      : { mean, variance, weight, bias, epsilon };
  }

  /**
   * @param x `[batch, height, width, numFeatures]`
   * @returns the shape of `x`
   * @throws ShapeError for another rank or number of channels; InputError in training for a single value per channel.
   */
  protected forward(x: Tensor): Tensor {
    assertShape(x, ["batch", "height", "width", "channels"], this.numFeatures, "; images are channels-last");
    return this.normalize(x);
  }
}

/**
 * Batch normalization of volumes, each channel over the batch, depth, height and width.
 *
 * Parameters: `weight` (ones) and `bias` (zeros) `[numFeatures]`. State: `running_mean`, `running_var` `[numFeatures]`,
 * `num_batches_tracked`.
 * @see Ioffe, Szegedy (2015), "Batch normalization", https://arxiv.org/abs/1502.03167
 */
export class BatchNorm3d extends BatchNorm {
  /**
   * @param x `[batch, depth, height, width, numFeatures]`
   * @returns the shape of `x`
   * @throws ShapeError for another rank or number of channels; InputError in training for a single value per channel.
   */
  protected forward(x: Tensor): Tensor {
    const axes = ["batch", "depth", "height", "width", "channels"];
    assertShape(x, axes, this.numFeatures, "; volumes are channels-last");
    return this.normalize(x);
  }
}

/** Options of {@link LayerNorm}. */
export interface LayerNormOptions {
  /** Added to the variance. Default 1e-5. */
  readonly epsilon?: number;
  /** Whether there are `weight` and `bias`. Default true. */
  readonly elementwiseAffine?: boolean;
  /** Whether there is a `bias` beside the `weight`. Default true. */
  readonly bias?: boolean;
}

/**
 * Layer normalization of the last axes: `(x − mean) / √(variance + epsilon) · weight + bias`.
 *
 * Parameters: `weight` (ones) and `bias` (zeros), both of the normalized shape.
 * @see Ba, Kiros, Hinton (2016), "Layer normalization", https://arxiv.org/abs/1607.06450
 * @example
 * const y = new LayerNorm(512).call(x); // x and y [batch, length, 512]
 */
export class LayerNorm extends Module<[x: Tensor], Tensor> {
  readonly normalizedShape: Shape;
  readonly epsilon: number;
  readonly weight: Parameter | undefined;
  readonly bias: Parameter | undefined;

  /** @throws InputError for sizes or an epsilon out of range. */
  constructor(normalizedShape: number | Shape, options: LayerNormOptions = {}) {
    super();
    assertOptionNames(new.target.name, options, ["epsilon", "elementwiseAffine?", "bias?"]);
    const { epsilon = 1e-5, elementwiseAffine = true, bias = true } = options;
    if (typeof normalizedShape !== "number" && !Array.isArray(normalizedShape))
      throw new InputError(`LayerNorm: expected a size or sizes, got ${typeof normalizedShape}`);
    this.normalizedShape = typeof normalizedShape === "number" ? [normalizedShape] : [...normalizedShape];
    assertIntegers("LayerNorm", { axes: this.normalizedShape.length });
    for (const length of this.normalizedShape) assertIntegers("LayerNorm", { length });
    if (!(typeof epsilon === "number" && epsilon >= 0))
      throw new InputError(`LayerNorm: expected an epsilon of at least 0, got ${epsilon}`);
    this.epsilon = epsilon;
    const shape = this.normalizedShape;
    this.weight = elementwiseAffine ? new Parameter(shape, { initializer: constant(1) }) : undefined;
    this.bias = elementwiseAffine && bias ? new Parameter(shape, { initializer: constant(0) }) : undefined;
  }

  /**
   * @param x `[..., ...normalizedShape]`
   * @returns the shape of `x`
   * @throws ShapeError when the last axes differ from `normalizedShape`.
   */
  protected forward(x: Tensor): Tensor {
    assertTensor(x);
    const numAxes = this.normalizedShape.length;
    const last = x.shape.slice(Math.max(0, x.shape.length - numAxes));
    if (last.length !== numAxes || last.some((length, axis) => length !== this.normalizedShape[axis]))
      throw new ShapeError(
        `expected an input that ends in ${formatShape(this.normalizedShape)}, got ${formatShape(x.shape)}`,
      );
    return layerNorm(x, {
      weight: this.weight?.value,
      bias: this.bias?.value,
      epsilon: this.epsilon,
      numAxes,
    });
  }
}
