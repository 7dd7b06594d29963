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
  /** The rates in force, one a group; without them those of the schedule alone hold. */
  readonly learningRates?: readonly number[];
}

/** The schedule that moved an optimizer's rates last. */
const moving = new WeakMap<ScheduledOptimizer, LearningRateSchedule>();

/**
 * Sets the learning rates of an optimizer's groups as a function of the number of steps.
 * Step 0 holds from construction on; call {@link step} after each step (or epoch) of the optimizer.
 *
 * Several schedules may move one optimizer, as PyTorch's do: one that {@link chains} goes on from the rate in force,
 * whoever set it (`rate · factor(step) / factor(step − 1)` where its own is `initial · factor(step)`). The others set
 * what follows from the step alone, and refuse to undo what another one did meanwhile. {@link ChainedScheduler} holds
 * several as one, {@link SequentialLR} lets one follow another.
 */
export abstract class LearningRateSchedule {
  /** Calls of {@link step} so far. */
  steps = 0;
  /** Name of the value of an epoch that {@link step} needs; undefined for schedules that need none. */
  readonly monitor?: string | undefined;
  /** Whether it goes on from the rate in force; false: its rates follow from the step alone. */
  readonly chains: boolean = false;
  /** The schedule's name in a saved state; class names do not survive bundlers. */
  protected abstract readonly kind: string;
  readonly #optimizer: ScheduledOptimizer;
  #initial: readonly number[];
  /** The rates that it was made with. */
  #found: readonly number[];
  /** The schedule before this one. */
  readonly #previous: LearningRateSchedule | undefined;

  protected constructor(optimizer: ScheduledOptimizer) {
    this.#optimizer = optimizer;
    this.#previous = moving.get(optimizer);
    this.#found = this.learningRates;
    this.#initial = optimizer.groups.map((group) => {
      group.initialLearningRate ??= rateOf(group.options);
      return group.initialLearningRate;
    });
  }

  /** What holds at a step, from 0. @param initial The group's learning rate before any schedule. */
  abstract at(step: number, initial: number, group: number): ScheduledValues;

  /**
   * The rate at a step when another one than its own of the step before is in force: of a schedule that {@link chains}.
   * By default it changes by the factor by which its own does; one of 0 leaves it.
   * @param rate The rate in force. @param initial The group's learning rate before any schedule.
   */
  from(rate: number, step: number, _initial: number, group: number): number {
    if (step === 0) return this.at(0, rate, group).learningRate;
    const before = this.at(step - 1, 1, group).learningRate;
    return before === 0 ? rate : (rate * this.at(step, 1, group).learningRate) / before;
  }

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
   * @throws InputError when another schedule has moved the same optimizer and this one does not chain.
   */
  step(_value?: number): void {
    this.#assertAlone();
    moving.set(this.#optimizer, this);
    this.steps++;
    this.apply();
  }

  /** @throws InputError when this would undo what another schedule did. */
  #assertAlone(): void {
    const other = moving.get(this.#optimizer);
    if (this.chains || other === undefined || other === this || other === this.#previous) return;
    throw new InputError(
      `${this.kind}.step: expected one schedule for an optimizer where its rate follows from the step alone, got a step after those of ${other.kind}; put both in a ChainedScheduler (at once) or a SequentialLR (one after another)`,
    );
  }

  /** Sets what holds at the current step. @param rates In force before, one a group. */
  protected apply(rates: readonly number[] = this.learningRates): void {
    this.#set((index) => {
      const initial = this.#initial[index];
      if (!this.chains) return this.at(this.steps, initial, index);
      // alone it takes its own rates: the factors' product would gather rounding errors
      const own = this.steps === 0 ? initial : this.at(this.steps - 1, initial, index).learningRate;
      const values = this.at(this.steps, initial, index);
      if (rates[index] === own) return values;
      return { ...values, learningRate: this.from(rates[index], this.steps, initial, index) };
    });
  }

  /** Sets what holds at first, from the rates that were in force before a part of it was made. */
  protected applyBefore(part: LearningRateSchedule): void {
    this.#found = part.#found;
    this.apply(this.#found);
  }

  #set(valuesOf: (group: number) => ScheduledValues): void {
    this.#optimizer.groups.forEach((group, index) => {
      const { learningRate, momentum } = valuesOf(index);
      group.options = { ...group.options, learningRate, ...momentumOptions(group.options, momentum) };
    });
  }

  /** Where it stands. */
  state(): ScheduleState {
    const { kind: name, steps, learningRates } = this;
    return { name, steps, initialLearningRates: [...this.#initial], learningRates };
  }

  /** Checks that a saved state fits this schedule, and changes nothing. @throws WeightsError when it does not, or is none. */
  assertState(state: ScheduleState): void {
    const {
      name,
      steps,
      initialLearningRates: initial,
      learningRates = initial,
    } = (state ?? {}) as Partial<ScheduleState>;
    const areRates = (rates: unknown): boolean =>
      Array.isArray(rates) && rates.length === this.#initial.length && rates.every(Number.isFinite);
    const fits =
      name === this.kind &&
      Number.isSafeInteger(steps) &&
      (steps as number) >= 0 &&
      areRates(initial) &&
      areRates(learningRates);
    if (!fits)
      throw new WeightsError(
        `${this.kind}.loadState: expected a state of ${this.kind} with ${this.#initial.length} groups, got ${JSON.stringify(state) ?? typeof state}`,
      );
  }

  /** Goes on from a saved state and sets the rates that were in force. @throws WeightsError for another schedule's state; nothing changes then. */
  loadState(state: ScheduleState): void {
    this.assertState(state);
    this.steps = state.steps;
    this.#initial = [...state.initialLearningRates];
    const { learningRates } = state;
    this.#set((index) => {
      const values = this.at(this.steps, this.#initial[index], index);
      return learningRates === undefined ? values : { ...values, learningRate: learningRates[index] };
    });
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
