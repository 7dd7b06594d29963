import { assertOptionNames } from "../option-names.js";
import {
  assertCount,
  assertRate,
  LearningRateSchedule,
  type ScheduledOptimizer,
  type ScheduledValues,
} from "./schedule.js";

/** Options of {@link LinearLR}. */
export interface LinearLrOptions {
  /** Factor of the initial learning rate at step 0. Default 1/3. */
  readonly startFactor?: number;
  /** Factor from step `totalIterations` on. Default 1. */
  readonly endFactor?: number;
  /** Default 5. */
  readonly totalIterations?: number;
}

/**
 * A factor that moves in a straight line, then stays: warm-up, or linear decay. As `torch.optim.lr_scheduler.LinearLR`.
 * @example
 * const warmUp = new LinearLR(optimizer, { startFactor: 0.01, totalIterations: 500 });
 */
export class LinearLR extends LearningRateSchedule {
  protected override readonly kind = "LinearLR";
  override readonly chains = true;
  readonly #start: number;
  readonly #end: number;
  readonly #total: number;

  /** @throws InputError for a negative factor or a count below 1. */
  constructor(optimizer: ScheduledOptimizer, options: LinearLrOptions = {}) {
    super(optimizer);
    assertOptionNames("LinearLR", options, ["startFactor", "endFactor", "totalIterations"]);
    const { startFactor = 1 / 3, endFactor = 1, totalIterations = 5 } = options;
    assertRate("LinearLR", "startFactor", startFactor);
    assertRate("LinearLR", "endFactor", endFactor);
    assertCount("LinearLR", "totalIterations", totalIterations);
    this.#start = startFactor;
    this.#end = endFactor;
    this.#total = totalIterations;
    this.apply();
  }

  override at(step: number, initial: number): ScheduledValues {
    const share = Math.min(step, this.#total) / this.#total;
    return { learningRate: initial * (this.#start + (this.#end - this.#start) * share) };
  }
}
