import { assertOptionNames } from "../option-names.js";
import {
  assertCount,
  assertRate,
  LearningRateSchedule,
  type ScheduledOptimizer,
  type ScheduledValues,
} from "./schedule.js";

/** Options of {@link CosineAnnealingLR}. */
export interface CosineAnnealingLrOptions {
  /** Steps from the initial learning rate down to the lowest (PyTorch's `T_max`); afterwards it rises again. */
  readonly totalIterations: number;
  /** The lowest learning rate. Default 0. */
  readonly minLearningRate?: number;
}

/**
 * `min + (initial − min) · (1 + cos(π · step / totalIterations)) / 2`, as `torch.optim.lr_scheduler.CosineAnnealingLR`.
 * @see Loshchilov, Hutter (2017), "SGDR: Stochastic Gradient Descent with Warm Restarts", https://arxiv.org/abs/1608.03983
 */
export class CosineAnnealingLR extends LearningRateSchedule {
  protected override readonly kind = "CosineAnnealingLR";
  override readonly chains = true;
  readonly #total: number;
  readonly #min: number;

  /** @throws InputError for a count below 1 or a negative rate. */
  constructor(optimizer: ScheduledOptimizer, options: CosineAnnealingLrOptions) {
    super(optimizer);
    assertOptionNames("CosineAnnealingLR", options, ["totalIterations", "minLearningRate"]);
    const { totalIterations, minLearningRate = 0 } = options;
    assertCount("CosineAnnealingLR", "totalIterations", totalIterations);
    assertRate("CosineAnnealingLR", "minLearningRate", minLearningRate);
    this.#total = totalIterations;
    this.#min = minLearningRate;
    this.apply();
  }

  override at(step: number, initial: number): ScheduledValues {
    const cosine = Math.cos((Math.PI * step) / this.#total);
    return { learningRate: this.#min + ((initial - this.#min) * (1 + cosine)) / 2 };
  }

  /** `min + (rate − min) · (1 + cos(π · step / total)) / (1 + cos(π · (step − 1) / total))`; after the lowest it rises to the initial rate. */
  override from(rate: number, step: number, initial: number): number {
    if (step === 0) return rate;
    const height = (at: number): number => 1 + Math.cos((Math.PI * at) / this.#total);
    if ((step - 1 - this.#total) % (2 * this.#total) === 0)
      return rate + ((initial - this.#min) * height(this.#total - 1)) / 2;
    return this.#min + ((rate - this.#min) * height(step)) / height(step - 1);
  }
}
