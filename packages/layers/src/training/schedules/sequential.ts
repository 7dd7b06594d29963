import { InputError } from "@ai/tensor";
import { assertOptionNames } from "../option-names.js";
import { MultiplicativeLR } from "./multiplicative.js";
import { OneCycleLR } from "./one-cycle.js";
import { ReduceLROnPlateau } from "./plateau.js";
import { LearningRateSchedule, type ScheduledOptimizer, type ScheduledValues } from "./schedule.js";

/** Options of {@link SequentialLR}. */
export interface SequentialLrOptions {
  /** One after another, each made for the same optimizer; each starts at its own step 0. */
  readonly schedules: readonly LearningRateSchedule[];
  /** The steps at which the second, third … take over. */
  readonly milestones: readonly number[];
}

/**
 * Schedules one after another, as `torch.optim.lr_scheduler.SequentialLR`: for example warm-up, then cosine. Each begins
 * with the initial rate, `MultiplicativeLR` with the one before it.
 * @example
 * const schedule = new SequentialLR(optimizer, {
 *   schedules: [new LinearLR(optimizer, { startFactor: 0.01, totalIterations: 100 }),
 *     new CosineAnnealingLR(optimizer, { totalIterations: 900 })],
 *   milestones: [100],
 * });
 */
export class SequentialLR extends LearningRateSchedule {
  protected override readonly kind = "SequentialLR";
  readonly #schedules: readonly LearningRateSchedule[];
  readonly #milestones: readonly number[];

  /** @throws InputError unless there is one rising milestone fewer than schedules. */
  constructor(optimizer: ScheduledOptimizer, options: SequentialLrOptions) {
    super(optimizer);
    assertOptionNames("SequentialLR", options, ["schedules", "milestones"]);
    const { schedules, milestones } = options;
    if (!Array.isArray(schedules) || !Array.isArray(milestones))
      throw new InputError("SequentialLR: expected arrays of schedules and milestones, got something else");
    if (schedules.length === 0 || milestones.length !== schedules.length - 1)
      throw new InputError(
        `SequentialLR: expected one milestone fewer than schedules, got ${milestones.length} for ${schedules.length}`,
      );
    if (
      milestones.some(
        (milestone, index) => !Number.isInteger(milestone) || milestone <= (milestones[index - 1] ?? 0),
      )
    )
      throw new InputError(`SequentialLR: expected rising milestones above 0, got ${milestones.join(", ")}`);
    if (schedules.some((schedule) => schedule instanceof OneCycleLR))
      throw new InputError(
        "SequentialLR: expected schedules without a warm-up of their own, got OneCycleLR; use it alone",
      );
    if (schedules.some((schedule) => schedule instanceof ReduceLROnPlateau))
      throw new InputError(
        "SequentialLR: expected schedules that depend on the step alone, got ReduceLROnPlateau; use it alone",
      );
    this.#schedules = [...schedules];
    this.#milestones = [...milestones];
    this.apply();
  }

  override at(step: number, initial: number, group: number): ScheduledValues {
    let index = 0;
    while (index < this.#milestones.length && step >= this.#milestones[index]) index++;
    const schedule = this.#schedules[index];
    if (index === 0) return schedule.at(step, initial, group);
    const start = this.#milestones[index - 1];
    if (!(schedule instanceof MultiplicativeLR)) return schedule.at(step - start, initial, group);
    const { learningRate } = this.at(start - 1, initial, group);
    return schedule.at(step - start, schedule.takeOver(learningRate, group), group);
  }
}
