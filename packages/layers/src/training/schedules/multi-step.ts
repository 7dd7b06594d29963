import { InputError } from "@ai/tensor";
import { assertOptionNames } from "../option-names.js";
import {
  assertRate,
  LearningRateSchedule,
  type ScheduledOptimizer,
  type ScheduledValues,
} from "./schedule.js";

/** Options of {@link MultiStepLR}. */
export interface MultiStepLrOptions {
  /** Steps at which the rate changes, rising; one that is given twice counts twice. */
  readonly milestones: readonly number[];
  /** Factor of each change. Default 0.1. */
  readonly gamma?: number;
}

/** `initial · gamma^(milestones that are reached)`, as `torch.optim.lr_scheduler.MultiStepLR`. */
export class MultiStepLR extends LearningRateSchedule {
  protected override readonly kind = "MultiStepLR";
  override readonly chains = true;
  readonly #milestones: readonly number[];
  readonly #gamma: number;

  /** @throws InputError for milestones that are no rising counts, or a negative gamma. */
  constructor(optimizer: ScheduledOptimizer, options: MultiStepLrOptions) {
    super(optimizer);
    assertOptionNames("MultiStepLR", options, ["milestones", "gamma"]);
    const { milestones, gamma = 0.1 } = options;
    const areRising =
      Array.isArray(milestones) &&
      milestones.every((each, index) => Number.isInteger(each) && each >= (milestones[index - 1] ?? 0));
    if (!areRising)
      throw new InputError(
        `MultiStepLR: expected rising milestones of at least 0, got ${String(milestones)}`,
      );
    assertRate("MultiStepLR", "gamma", gamma);
    this.#milestones = [...milestones];
    this.#gamma = gamma;
    this.apply();
  }

  override at(step: number, initial: number): ScheduledValues {
    const reached = this.#milestones.filter((milestone) => milestone <= step).length;
    return { learningRate: initial * this.#gamma ** reached };
  }
}
