import { InputError, WeightsError } from "@ai/tensor";

/** What a schedule may set in a group of an optimizer. */
export interface ScheduledOptions {
  readonly learningRate: number;
  readonly momentum?: number;
  readonly betas?: readonly [number, number];
}

/** An optimizer, as a schedule sees it. */
export interface ScheduledOptimizer {
  readonly groups: readonly { options: object; initialLearningRate?: number }[];
}

/** What holds at one step in one group. */
export interface ScheduledValues {
  readonly learningRate: number;
  /** SGD's momentum or Adam's first beta; left alone when absent. */
  readonly momentum?: number;
}

/** Where a schedule stands: plain JSON. */
export interface ScheduleState {
  readonly name: string;
  readonly steps: number;
  readonly initialLearningRates: readonly number[];
}

/** The schedule that moved an optimizer's rates last. */
const moving = new WeakMap<ScheduledOptimizer, LearningRateSchedule>();

/**
 * Sets the learning rates of an optimizer's groups as a function of the number of steps.
 * Step 0 holds from construction on; call {@link step} after each step (or epoch) of the optimizer.
 *
 * A rate is a function of the step alone, so two schedules cannot move one optimizer side by side:
 * {@link ChainedScheduler} multiplies them, {@link SequentialLR} lets one follow another. One that is made after
 * another's last step takes over from it.
 */
export abstract class LearningRateSchedule {
  /** Calls of {@link step} so far. */
  steps = 0;
  /** Name of the value of an epoch that {@link step} needs; undefined for schedules that need none. */
  readonly monitor?: string | undefined;
  /** The schedule's name in a saved state; class names do not survive bundlers. */
  protected abstract readonly kind: string;
  readonly #optimizer: ScheduledOptimizer;
  #initial: readonly number[];
  /** The schedule before this one. */
  readonly #previous: LearningRateSchedule | undefined;

  protected constructor(optimizer: ScheduledOptimizer) {
    this.#optimizer = optimizer;
    this.#previous = moving.get(optimizer);
    this.#initial = optimizer.groups.map((group) => {
      group.initialLearningRate ??= rateOf(group.options);
      return group.initialLearningRate;
    });
  }

  /** What holds at a step, from 0. @param initial The group's learning rate before any schedule. */
  abstract at(step: number, initial: number, group: number): ScheduledValues;

  /** Whether it moves the rates of this optimizer. @internal */
  moves(optimizer: ScheduledOptimizer): boolean {
    return this.#optimizer === optimizer;
  }

  /** The learning rates in force, one a group. */
  get learningRates(): number[] {
    return this.#optimizer.groups.map(({ options }) => rateOf(options));
  }

  /**
   * Goes to the next step.
   * @param _value What {@link monitor} names; others ignore it.
   * @throws InputError when another schedule moves the same optimizer.
   */
  step(_value?: number): void {
    this.assertAlone();
    moving.set(this.#optimizer, this);
    this.steps++;
    this.apply();
  }

  /** @throws InputError when another schedule moves the same optimizer. */
  protected assertAlone(): void {
    const other = moving.get(this.#optimizer);
    if (other !== undefined && other !== this && other !== this.#previous)
      throw new InputError(
        `${this.kind}.step: expected one schedule for an optimizer, got a step after those of ${other.kind}; put both in a ChainedScheduler (at once) or a SequentialLR (one after another)`,
      );
  }

  /** Sets what holds at the current step. */
  protected apply(): void {
    this.#optimizer.groups.forEach((group, index) => {
      const { learningRate, momentum } = this.at(this.steps, this.#initial[index], index);
      group.options = { ...group.options, learningRate, ...momentumOptions(group.options, momentum) };
    });
  }

  /** Where it stands. */
  state(): ScheduleState {
    return { name: this.kind, steps: this.steps, initialLearningRates: [...this.#initial] };
  }

  /** Checks that a saved state fits this schedule, and changes nothing. @throws WeightsError when it does not, or is none. */
  assertState(state: ScheduleState): void {
    const { name, steps, initialLearningRates: rates } = (state ?? {}) as Partial<ScheduleState>;
    const fits =
      name === this.kind &&
      Number.isSafeInteger(steps) &&
      (steps as number) >= 0 &&
      Array.isArray(rates) &&
      rates.length === this.#initial.length &&
      rates.every(Number.isFinite);
    if (!fits)
      throw new WeightsError(
        `${this.kind}.loadState: expected a state of ${this.kind} with ${this.#initial.length} groups, got ${JSON.stringify(state) ?? typeof state}`,
      );
  }

  /** Goes on from a saved state and sets the rates of its step. @throws WeightsError for another schedule's state; nothing changes then. */
  loadState(state: ScheduleState): void {
    this.assertState(state);
    this.steps = state.steps;
    this.#initial = [...state.initialLearningRates];
    this.apply();
  }
}

function rateOf(options: object): number {
  return (options as ScheduledOptions).learningRate;
}

function momentumOptions(options: object, momentum: number | undefined): object {
  if (momentum === undefined) return {};
  const { betas } = options as ScheduledOptions;
  return betas === undefined ? { momentum } : { betas: [momentum, betas[1]] };
}

/** @throws InputError for a count that is not a positive integer. */
export function assertCount(operation: string, name: string, value: number): void {
  if (!Number.isInteger(value) || value < 1)
    throw new InputError(`${operation}: expected an integer ${name} of at least 1, got ${value}`);
}

/** @throws InputError for a number that is not finite or below 0. */
export function assertRate(operation: string, name: string, value: number): void {
  if (!(value >= 0 && Number.isFinite(value)))
    throw new InputError(`${operation}: expected a finite ${name} of at least 0, got ${value}`);
}
