import { assertOptionNames } from "../option-names.js";
import {
  assertCount,
  assertRate,
  LearningRateSchedule,
  type ScheduledOptimizer,
  type ScheduledValues,
} from "./schedule.js";

/** Options of {@link CosineAnnealingWarmRestarts}. */
export interface CosineAnnealingWarmRestartsOptions {
  /** Steps of the first period (PyTorch's `T_0`). */
  readonly firstIterations: number;
  /** How many times longer each period is than the one before (PyTorch's `T_mult`), an integer. Default 1. */
  readonly periodFactor?: number;
  /** The lowest learning rate. Default 0. */
  readonly minLearningRate?: number;
}

/**
 * A half cosine from the initial rate down to the lowest, again and again:
 * `min + (initial − min) · (1 + cos(π · t / T)) / 2` at step t of a period of T steps.
 * As `torch.optim.lr_scheduler.CosineAnnealingWarmRestarts`.
 * @see Loshchilov, Hutter (2017), "SGDR: Stochastic Gradient Descent with Warm Restarts", https://arxiv.org/abs/1608.03983
 */
export class CosineAnnealingWarmRestarts extends LearningRateSchedule {
  protected override readonly kind = "CosineAnnealingWarmRestarts";
  readonly #first: number;
  readonly #factor: number;
  readonly #min: number;

  /** @throws InputError for counts below 1 or a negative rate. */
  constructor(optimizer: ScheduledOptimizer, options: CosineAnnealingWarmRestartsOptions) {
    super(optimizer);
    const name = "CosineAnnealingWarmRestarts";
    assertOptionNames(name, options, ["firstIterations", "periodFactor", "minLearningRate"]);
    const { firstIterations, periodFactor = 1, minLearningRate = 0 } = options;
    assertCount(name, "firstIterations", firstIterations);
    assertCount(name, "periodFactor", periodFactor);
    assertRate(name, "minLearningRate", minLearningRate);
    this.#first = firstIterations;
    this.#factor = periodFactor;
    this.#min = minLearningRate;
    this.apply();
  }

  override at(step: number, initial: number): ScheduledValues {
    let period = this.#first;
    let inside = this.#factor === 1 ? step % period : step;
    while (inside >= period) {
      inside -= period;
      period *= this.#factor;
    }
    const cosine = Math.cos((Math.PI * inside) / period);
    return { learningRate: this.#min + ((initial - this.#min) * (1 + cosine)) / 2 };
  }
}
