import { InputError } from "@ai/tensor";
import { assertOptionNames } from "../option-names.js";
import {
  assertRate,
  LearningRateSchedule,
  type ScheduledOptimizer,
  type ScheduledValues,
} from "./schedule.js";

/** Options of {@link MultiplicativeLR}. */
export interface MultiplicativeLrOptions {
  /**
   * Factor of the rate in force at a step, from 1 (from 0 where a `SequentialLR` lets it follow another one); a function of
   * its arguments alone.
   */
  readonly factor: (step: number, group: number) => number;
}

/**
 * `rate ← rate · factor(step)`, as `torch.optim.lr_scheduler.MultiplicativeLR`: the product of the factors of steps 1, 2 …
 * The function is not part of a saved state.
 * @example
 * const schedule = new MultiplicativeLR(optimizer, { factor: (epoch) => (epoch % 10 === 0 ? 0.5 : 1) });
 */
export class MultiplicativeLR extends LearningRateSchedule {
  protected override readonly kind = "MultiplicativeLR";
  override readonly chains = true;
  readonly #factor: (step: number, group: number) => number;
  /** The last rate of each group that was asked for: the next one follows from it. */
  readonly #last: { initial: number; step: number; rate: number }[] = [];

  /** @throws InputError for a factor that is no function, or gives no finite number of at least 0. */
  constructor(optimizer: ScheduledOptimizer, options: MultiplicativeLrOptions) {
    super(optimizer);
    assertOptionNames("MultiplicativeLR", options, ["factor"]);
    if (typeof options.factor !== "function")
      throw new InputError(`MultiplicativeLR: expected a function as factor, got ${typeof options.factor}`);
    this.#factor = options.factor;
    this.apply();
  }

  override at(step: number, initial: number, group: number): ScheduledValues {
    const known = this.#last[group];
    let [at, rate] =
      known?.initial === initial && known.step <= step ? [known.step, known.rate] : [0, initial];
    while (at < step) rate = this.from(rate, ++at, initial, group);
    this.#last[group] = { initial, step, rate };
    return { learningRate: rate };
  }

  override from(rate: number, step: number, _initial: number, group: number): number {
    return step === 0 ? rate : this.#times(rate, step, group);
  }

  /** What it begins with after another schedule. @param rate The last one of that. @internal */
  takeOver(rate: number, group: number): number {
    return this.#times(rate, 0, group);
  }

  #times(rate: number, step: number, group: number): number {
    const factor = this.#factor(step, group);
    assertRate("MultiplicativeLR", "factor", factor);
    return rate * factor;
  }
}
