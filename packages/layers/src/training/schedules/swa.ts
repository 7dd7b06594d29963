import { InputError } from "@ai/tensor";
import { assertOptionNames } from "../option-names.js";
import { ReduceLROnPlateau } from "./plateau.js";
import {
  assertRate,
  LearningRateSchedule,
  type ScheduledOptimizer,
  type ScheduledValues,
} from "./schedule.js";

const OPTIONS = ["swaLearningRate", "annealingSteps", "annealing", "before", "startStep"] as const;

/** Options of {@link SWALR}. */
export interface SwaLrOptions {
  /** The rate at the end, one for all groups or one a group (PyTorch's `swa_lr`). */
  readonly swaLearningRate: number | readonly number[];
  /** Steps on the way there (PyTorch's `anneal_epochs`); 0 goes there at once. Default 10. */
  readonly annealingSteps?: number;
  /** Shape of the way (PyTorch's `anneal_strategy`). Default "cosine". */
  readonly annealing?: "cosine" | "linear";
  /** What holds until `startStep`, made for the same optimizer. Default: the initial rate. */
  readonly before?: LearningRateSchedule;
  /** The step from which the rate moves. Default 0. */
  readonly startStep?: number;
}

/**
 * From the rate at `startStep` to a fixed one, for weights that are averaged: `swa · a + start · (1 − a)`, where a goes
 * from 0 to 1 in a half cosine or a straight line. As `torch.optim.swa_utils.SWALR`: step it in the place of another
 * schedule from some epoch on, or let it hold that one as `before`, for a trainer, which has one schedule.
 * @see Izmailov, Podoprikhin, Garipov, Vetrov, Wilson (2018), "Averaging Weights Leads to Wider Optima and Better
 * Generalization", https://arxiv.org/abs/1803.05407
 * @example
 * const before = new CosineAnnealingLR(optimizer, { totalIterations: 100 });
 * const schedule = new SWALR(optimizer, { swaLearningRate: 0.05, before, startStep: 75 });
 */
export class SWALR extends LearningRateSchedule {
  protected override readonly kind = "SWALR";
  readonly #rates: readonly number[];
  readonly #steps: number;
  readonly #isLinear: boolean;
  readonly #before: LearningRateSchedule | undefined;
  readonly #start: number;
  override readonly chains: boolean;

  /** @throws InputError for rates or counts out of range, or a schedule before it that depends on more than the step. */
  constructor(optimizer: ScheduledOptimizer, options: SwaLrOptions) {
    super(optimizer);
    assertOptionNames("SWALR", options, OPTIONS);
    const { swaLearningRate, annealingSteps = 10, annealing = "cosine", before, startStep = 0 } = options;
    const groups = optimizer.groups.length;
    const rates =
      typeof swaLearningRate === "number" ? new Array<number>(groups).fill(swaLearningRate) : swaLearningRate;
    if (!Array.isArray(rates) || rates.length !== groups)
      throw new InputError(
        `SWALR: expected one swaLearningRate or ${groups}, got ${Array.isArray(rates) ? rates.length : String(rates)}`,
      );
    for (const rate of rates) assertRate("SWALR", "swaLearningRate", rate);
    for (const [name, value] of Object.entries({ annealingSteps, startStep }))
      if (!Number.isInteger(value) || value < 0)
        throw new InputError(`SWALR: expected an integer ${name} of at least 0, got ${value}`);
    if (annealing !== "cosine" && annealing !== "linear")
      throw new InputError(`SWALR: expected annealing cosine or linear, got ${String(annealing)}`);
    if (before !== undefined && !(before instanceof LearningRateSchedule))
      throw new InputError(`SWALR: expected a schedule as before, got ${typeof before}`);
    if (before instanceof ReduceLROnPlateau)
      throw new InputError(
        "SWALR: expected a schedule before it that depends on the step alone, got ReduceLROnPlateau",
      );
    if (before !== undefined && startStep === 0)
      throw new InputError("SWALR: expected a startStep above 0 with a schedule before it, got 0");
    this.#rates = [...rates];
    this.#steps = annealingSteps;
    this.#isLinear = annealing === "linear";
    this.#before = before;
    this.#start = startStep;
    this.chains = before === undefined;
    this.apply();
  }

  override at(step: number, initial: number, group: number): ScheduledValues {
    const values = this.#before?.at(Math.min(step, this.#start), initial, group) ?? { learningRate: initial };
    if (step < this.#start) return values;
    const share = this.#shareAt(step);
    return { ...values, learningRate: this.#rates[group] * share + values.learningRate * (1 - share) };
  }

  /** On from the rate in force: the one that it would have begun with takes the place of the initial one. */
  override from(rate: number, step: number, _initial: number, group: number): number {
    const [goal, before, share] = [this.#rates[group], this.#shareAt(step - 1), this.#shareAt(step)];
    const start = before === 1 ? goal : (rate - before * goal) / (1 - before);
    return goal * share + start * (1 - share);
  }

  /** How far it is on its way, from 0 to 1. */
  #shareAt(step: number): number {
    if (step < this.#start) return 0;
    const way = this.#steps === 0 ? 1 : Math.min(1, (step - this.#start) / this.#steps);
    return this.#isLinear ? way : (1 - Math.cos(Math.PI * way)) / 2;
  }
}
