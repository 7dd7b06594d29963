import { InputError } from "@ai/tensor";
import { assertOptionNames } from "../option-names.js";
import { OneCycleLR } from "./one-cycle.js";
import { ReduceLROnPlateau } from "./plateau.js";
import { LearningRateSchedule, type ScheduledOptimizer, type ScheduledValues } from "./schedule.js";

/** Options of {@link ChainedScheduler}. */
export interface ChainedSchedulerOptions {
  /** Each made for the same optimizer; each starts from what the one before gives. */
  readonly schedules: readonly LearningRateSchedule[];
}

/**
 * Several schedules at once: their factors are multiplied, as by `torch.optim.lr_scheduler.ChainedScheduler`. A schedule
 * with a lowest rate moves between that and what the one before it gives.
 * @example
 * const schedule = new ChainedScheduler(optimizer, {
 *   schedules: [new ConstantLR(optimizer, { factor: 0.1, totalIterations: 20 }), new ExponentialLR(optimizer, { gamma: 0.99 })],
 * });
 */
export class ChainedScheduler extends LearningRateSchedule {
  protected override readonly kind = "ChainedScheduler";
  readonly #schedules: readonly LearningRateSchedule[];

  /** @throws InputError unless there are schedules, none of which ignores the initial rate. */
  constructor(optimizer: ScheduledOptimizer, options: ChainedSchedulerOptions) {
    super(optimizer);
    assertOptionNames("ChainedScheduler", options, ["schedules"]);
    const { schedules } = options;
    if (!Array.isArray(schedules) || !schedules.every((each) => each instanceof LearningRateSchedule))
      throw new InputError("ChainedScheduler: expected an array of schedules, got something else");
    if (schedules.length === 0) throw new InputError("ChainedScheduler: expected schedules, got none");
    if (schedules.some((each) => each instanceof OneCycleLR || each instanceof ReduceLROnPlateau))
      throw new InputError(
        "ChainedScheduler: expected schedules that are factors of the initial rate, got OneCycleLR or ReduceLROnPlateau; use them alone",
      );
    this.#schedules = [...schedules];
    this.apply();
  }

  override at(step: number, initial: number, group: number): ScheduledValues {
    const learningRate = this.#schedules.reduce(
      (rate, schedule) => schedule.at(step, rate, group).learningRate,
      initial,
    );
    return { learningRate };
  }
}
