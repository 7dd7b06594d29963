import { type ChannelStatistics, constant, type FoldableNorm, Module, StateTensor } from "@ai/layers";
import { batchNorm, type Tensor } from "@ai/tensor";

/**
 * Batch norm whose statistics and factors never change: `(x − mean) / √(variance + epsilon) · weight + bias`.
 * State: `weight`, `bias`, `running_mean`, `running_var`, all `[numFeatures]`.
 */
export class FrozenBatchNorm2d extends Module<[x: Tensor], Tensor> implements FoldableNorm {
  static override readonly checkpointNames: Readonly<Record<string, string>> = {
    runningMean: "running_mean",
    runningVariance: "running_var",
  };
  readonly weight: StateTensor;
  readonly bias: StateTensor;
  readonly runningMean: StateTensor;
  readonly runningVariance: StateTensor;

  /** @throws ShapeError for a number of features that is not an integer. */
  constructor(numFeatures: number) {
    super();
    const state = (value: number): StateTensor =>
      new StateTensor([numFeatures], { initializer: constant(value) });
    this.weight = state(1);
    this.bias = state(0);
    this.runningMean = state(0);
    this.runningVariance = state(1);
  }

  /** @internal */
  get fixedStatistics(): ChannelStatistics {
    const { runningMean: mean, runningVariance: variance, weight, bias } = this;
    return { mean, variance, weight, bias, epsilon: 1e-5 };
  }

  /** @param x `[batch, height, width, numFeatures]` @returns the shape of `x` */
  protected forward(x: Tensor): Tensor {
    return batchNorm(x, {
      mean: this.runningMean.value,
      variance: this.runningVariance.value,
      weight: this.weight.value,
      bias: this.bias.value,
      epsilon: 1e-5,
    });
  }
}
