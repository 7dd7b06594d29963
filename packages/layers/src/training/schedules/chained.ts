import { InputError } from "@ai/tensor";
import { assertOptionNames } from "../option-names.js";
import { CyclicLR } from "./cyclic.js";
import { OneCycleLR } from "./one-cycle.js";
import { ReduceLROnPlateau } from "./plateau.js";
import { LearningRateSchedule, type ScheduledOptimizer, type ScheduledValues } from "./schedule.js";

/** Options of {@link ChainedScheduler}. */
export interface ChainedSchedulerOptions {
  /** Each made for the same optimizer; each starts from what the one before gives. */
  readonly schedules: readonly LearningRateSchedule[];
}

/**
 * Several schedules at once, as `torch.optim.lr_scheduler.ChainedScheduler`: at each step every one goes on from the rate
 * that the one before it gives, which multiplies their factors. With one that does not chain (`LambdaLR`,
 * `InverseSquareRootLR`, `CosineAnnealingWarmRestarts`, `SequentialLR`), which in PyTorch undoes those before it, they are
 * multiplied too, and a schedule with a lowest rate moves between that and what the one before it gives.
 * @example
 * const schedule = new ChainedScheduler(optimizer, {
 *   schedules: [new ConstantLR(optimizer, { factor: 0.1, totalIterations: 20 }), new ExponentialLR(optimizer, { gamma: 0.99 })],
 * });
 */
export class ChainedScheduler extends LearningRateSchedule {
  protected override readonly kind = "ChainedScheduler";
  override readonly chains: boolean;
  readonly #schedules: readonly LearningRateSchedule[];
  /** The last rate of each group that was asked for: the next one follows from it. */
  readonly #last: { initial: number; step: number; rate: number }[] = [];

  /** @throws InputError unless there are schedules, none of which ignores the initial rate. */
  constructor(optimizer: ScheduledOptimizer, options: ChainedSchedulerOptions) {
    super(optimizer);
    assertOptionNames("ChainedScheduler", options, ["schedules"]);
    const { schedules } = options;
    if (!Array.isArray(schedules) || !schedules.every((each) => each instanceof LearningRateSchedule))
      throw new InputError("ChainedScheduler: expected an array of schedules, got something else");
    if (schedules.length === 0) throw new InputError("ChainedScheduler: expected schedules, got none");
    const [name] = Object.entries({ CyclicLR, OneCycleLR, ReduceLROnPlateau }).find(([, Kind]) =>
      schedules.some((each) => each instanceof Kind),
    ) ?? [undefined];
    if (name !== undefined)
      throw new InputError(
        `ChainedScheduler: expected schedules that are factors of the initial rate, got ${name}; use it alone`,
      );
    this.#schedules = [...schedules];
    this.chains = schedules.every((each) => each.chains);
    this.applyBefore(schedules[0]);
  }

  override at(step: number, initial: number, group: number): ScheduledValues {
    if (this.chains) return { learningRate: this.#recursive(step, initial, group) };
    const learningRate = this.#schedules.reduce(
      (rate, schedule) => schedule.at(step, rate, group).learningRate,
      initial,
    );
    return { learningRate };
  }

  #recursive(step: number, initial: number, group: number): number {
    const known = this.#last[group];
    let [at, rate] =
      known?.initial === initial && known.step <= step ? [known.step, known.rate] : [-1, initial];
    while (at < step) rate = this.from(rate, ++at, initial, group);
    this.#last[group] = { initial, step, rate };
    return rate;
  }

  override from(rate: number, step: number, initial: number, group: number): number {
    return this.#schedules.reduce((now, schedule) => schedule.from(now, step, initial, group), rate);
  }
}
