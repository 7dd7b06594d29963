import { InputError, WeightsError } from "@ai/tensor";
import { monitorMode } from "../monitor-mode.js";
import { assertOptionNames } from "../option-names.js";
import {
  assertRate,
  LearningRateSchedule,
  type ScheduledOptimizer,
  type ScheduledValues,
  type ScheduleState,
} from "./schedule.js";

const OPTIONS = [
  "monitor",
  "mode",
  "factor",
  "patience",
  "threshold",
  "thresholdMode",
  "cooldown",
  "minLearningRate",
  "epsilon",
] as const;

/** Options of {@link ReduceLROnPlateau}; the defaults are PyTorch's. */
export interface ReduceLrOnPlateauOptions {
  /** The value of an epoch that a trainer hands over. Default "validation.loss". */
  readonly monitor?: string;
  /** Whether a lower or a higher value is better. Default "min"; a `monitor` that is no loss or error needs it. */
  readonly mode?: "min" | "max";
  /** Factor of each reduction, in [0, 1). Default 0.1. */
  readonly factor?: number;
  /** Steps without improvement that are borne before the rate falls. Default 10. */
  readonly patience?: number;
  /** By how much a value has to be better than the best. Default 0.0001. */
  readonly threshold?: number;
  /** The threshold is a share of the best value ("relative", default) or a difference ("absolute"). */
  readonly thresholdMode?: "relative" | "absolute";
  /** Steps after a reduction in which nothing is counted. Default 0. */
  readonly cooldown?: number;
  /** The rate does not fall below it: one for all groups, or one a group. Default 0. */
  readonly minLearningRate?: number | readonly number[];
  /** A smaller change is left out. Default 1e-8. */
  readonly epsilon?: number;
}

/** Where a {@link ReduceLROnPlateau} stands: plain JSON. */
export interface ReduceLrOnPlateauState extends ScheduleState {
  /** Best value so far; null before the first one. */
  readonly best: number | null;
  readonly badSteps: number;
  readonly cooldownLeft: number;
  /** The rates in force, one a group. */
  readonly learningRates: readonly number[];
}

/**
 * The learning rate falls when a value has stopped improving, as `torch.optim.lr_scheduler.ReduceLROnPlateau`. Call
 * {@link step} with the value after each epoch; a trainer with `scheduleInterval: "epoch"` does.
 * @example
 * const schedule = new ReduceLROnPlateau(optimizer, { factor: 0.5, patience: 2 });
 * const trainer = new Trainer({ model, optimizer, loss, schedule, scheduleInterval: "epoch" });
 */
export class ReduceLROnPlateau extends LearningRateSchedule {
  protected override readonly kind = "ReduceLROnPlateau";
  override readonly chains = true;
  override readonly monitor: string;
  readonly #options: Required<ReduceLrOnPlateauOptions>;
  /** One a group. */
  readonly #lowest: readonly number[];
  #best: number | null = null;
  #badSteps = 0;
  #cooldownLeft = 0;
  #rates: readonly number[];

  /** @throws InputError for options out of range. */
  constructor(optimizer: ScheduledOptimizer, options: ReduceLrOnPlateauOptions = {}) {
    super(optimizer);
    assertOptionNames("ReduceLROnPlateau", options, OPTIONS);
    const all: Required<ReduceLrOnPlateauOptions> = {
      monitor: "validation.loss",
      factor: 0.1,
      patience: 10,
      threshold: 1e-4,
      thresholdMode: "relative",
      cooldown: 0,
      minLearningRate: 0,
      epsilon: 1e-8,
      ...options,
      mode: monitorMode("ReduceLROnPlateau", options.monitor ?? "validation.loss", options.mode),
    };
    const { thresholdMode, factor, patience, cooldown, threshold, minLearningRate, epsilon } = all;
    if (thresholdMode !== "relative" && thresholdMode !== "absolute")
      throw new InputError(
        `ReduceLROnPlateau: expected thresholdMode relative or absolute, got ${String(thresholdMode)}`,
      );
    if (!(typeof factor === "number" && factor >= 0 && factor < 1))
      throw new InputError(`ReduceLROnPlateau: expected a factor in [0, 1), got ${factor}`);
    for (const [name, value] of Object.entries({ patience, cooldown }))
      if (!Number.isInteger(value) || value < 0)
        throw new InputError(`ReduceLROnPlateau: expected an integer ${name} of at least 0, got ${value}`);
    for (const [name, value] of Object.entries({ threshold, epsilon }))
      assertRate("ReduceLROnPlateau", name, value);
    const lowest =
      typeof minLearningRate === "number" ? optimizer.groups.map(() => minLearningRate) : minLearningRate;
    if (!Array.isArray(lowest) || lowest.length !== optimizer.groups.length)
      throw new InputError(
        `ReduceLROnPlateau: expected one minLearningRate or ${optimizer.groups.length}, got ${Array.isArray(lowest) ? lowest.length : String(lowest)}`,
      );
    for (const rate of lowest) assertRate("ReduceLROnPlateau", "minLearningRate", rate);
    this.monitor = all.monitor;
    this.#options = all;
    this.#lowest = [...lowest];
    this.#rates = this.learningRates;
  }

  override at(_step: number, _initial: number, group: number): ScheduledValues {
    return { learningRate: this.#rates[group] };
  }

  /** The rate in force, or the reduced one. */
  override from(_rate: number, _step: number, _initial: number, group: number): number {
    return this.#rates[group];
  }

  /** Goes to the next step. @param value What is monitored. @throws InputError unless it is a number. */
  override step(value?: number): void {
    if (typeof value !== "number")
      throw new InputError(
        `ReduceLROnPlateau.step: expected the value of ${this.monitor}, got ${typeof value}; in a trainer set scheduleInterval to "epoch"`,
      );
    this.#rates = this.learningRates;
    if (this.#isBetter(value)) {
      this.#best = value;
      this.#badSteps = 0;
    } else this.#badSteps++;
    if (this.#cooldownLeft > 0) {
      this.#cooldownLeft--;
      this.#badSteps = 0;
    }
    if (this.#badSteps > this.#options.patience) {
      this.#reduce();
      this.#cooldownLeft = this.#options.cooldown;
      this.#badSteps = 0;
    }
    super.step();
  }

  #reduce(): void {
    const { factor, epsilon } = this.#options;
    this.#rates = this.#rates.map((rate, group) => {
      const lower = Math.max(rate * factor, this.#lowest[group]);
      return rate - lower > epsilon ? lower : rate;
    });
  }

  #isBetter(value: number): boolean {
    const { mode, threshold, thresholdMode } = this.#options;
    const sign = mode === "min" ? 1 : -1;
    const best = this.#best ?? sign * Number.POSITIVE_INFINITY;
    const bar = thresholdMode === "relative" ? best * (1 - sign * threshold) : best - sign * threshold;
    return sign * value < sign * bar;
  }

  override state(): ReduceLrOnPlateauState {
    return {
      ...super.state(),
      best: this.#best,
      badSteps: this.#badSteps,
      cooldownLeft: this.#cooldownLeft,
      learningRates: this.learningRates,
    };
  }

  override assertState(state: ScheduleState): void {
    super.assertState(state);
    const { best, badSteps, cooldownLeft, learningRates } = state as Partial<ReduceLrOnPlateauState>;
    const counts = [badSteps, cooldownLeft].every((count) => Number.isSafeInteger(count) && count! >= 0);
    const isValue = best === null || typeof best === "number";
    const areRates =
      Array.isArray(learningRates) &&
      learningRates.length === this.#rates.length &&
      learningRates.every(Number.isFinite);
    if (!counts || !isValue || !areRates)
      throw new WeightsError(
        `ReduceLROnPlateau.loadState: expected best, badSteps, cooldownLeft and learningRates, got ${JSON.stringify(state)}`,
      );
  }

  override loadState(state: ScheduleState): void {
    this.assertState(state);
    const { best, badSteps, cooldownLeft, learningRates } = state as ReduceLrOnPlateauState;
    this.#best = best;
    this.#badSteps = badSteps;
    this.#cooldownLeft = cooldownLeft;
    this.#rates = [...learningRates];
    super.loadState(state);
  }
}
