import { assertOptionNames } from "../option-names.js";
import {
  assertCount,
  assertRate,
  LearningRateSchedule,
  type ScheduledOptimizer,
  type ScheduledValues,
} from "./schedule.js";

/** Options of {@link StepLR}. */
export interface StepLrOptions {
  /** Steps between two changes. */
  readonly stepSize: number;
  /** Factor of each change. Default 0.1. */
  readonly gamma?: number;
}

/** `initial · gamma^⌊step / stepSize⌋`, as `torch.optim.lr_scheduler.StepLR`. */
export class StepLR extends LearningRateSchedule {
  protected override readonly kind = "StepLR";
  override readonly chains = true;
  readonly #stepSize: number;
  readonly #gamma: number;

  /** @throws InputError for a stepSize below 1 or a negative gamma. */
  constructor(optimizer: ScheduledOptimizer, options: StepLrOptions) {
    super(optimizer);
    assertOptionNames("StepLR", options, ["stepSize", "gamma"]);
    const { stepSize, gamma = 0.1 } = options;
    assertCount("StepLR", "stepSize", stepSize);
    assertRate("StepLR", "gamma", gamma);
    this.#stepSize = stepSize;
    this.#gamma = gamma;
    this.apply();
  }

  override at(step: number, initial: number): ScheduledValues {
    return { learningRate: initial * this.#gamma ** Math.floor(step / this.#stepSize) };
  }
}
