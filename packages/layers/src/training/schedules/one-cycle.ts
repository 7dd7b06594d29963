import { InputError } from "@ai/tensor";
import { assertOptionNames } from "../option-names.js";
import { assertMomentum } from "./cycles.js";
import {
  assertCount,
  assertRate,
  LearningRateSchedule,
  type ScheduledOptimizer,
  type ScheduledValues,
} from "./schedule.js";

const OPTIONS = [
  "maxLearningRate",
  "totalSteps",
  "increasingShare",
  "annealing",
  "cycleMomentum?",
  "baseMomentum",
  "maxMomentum",
  "divisor",
  "finalDivisor",
  "threePhase?",
] as const;

/** Options of {@link OneCycleLR}; the defaults are PyTorch's. */
export interface OneCycleLrOptions {
  /** The highest learning rate, or one a group. */
  readonly maxLearningRate: number | readonly number[];
  /** Steps of the whole cycle; one more than these is an error. */
  readonly totalSteps: number;
  /** Share of the steps in which the rate rises. Default 0.3. */
  readonly increasingShare?: number;
  /** Shape of rise and fall. Default "cosine". */
  readonly annealing?: "cosine" | "linear";
  /** Move momentum against the learning rate. Default true; needs an optimizer with momentum or betas. */
  readonly cycleMomentum?: boolean;
  /** Momentum at the highest learning rate. Default 0.85. */
  readonly baseMomentum?: number;
  /** Momentum at both ends. Default 0.95. */
  readonly maxMomentum?: number;
  /** The first rate is `maxLearningRate / divisor`. Default 25. */
  readonly divisor?: number;
  /** The last rate is the first one divided by this. Default 10000. */
  readonly finalDivisor?: number;
  /** Fall to the first rate in as many steps as it rose, and only then to the last. Default false. */
  readonly threePhase?: boolean;
}

interface Phase {
  readonly end: number;
  readonly rates: (max: number) => readonly [number, number];
  readonly momenta: readonly [number, number];
}

/**
 * The learning rate rises once to its highest and falls far below where it began; momentum does the opposite.
 * As `torch.optim.lr_scheduler.OneCycleLR`.
 * @see Smith, Topin (2018), "Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates",
 * https://arxiv.org/abs/1708.07120
 * @example
 * const schedule = new OneCycleLR(optimizer, { maxLearningRate: 0.01, totalSteps: epochs * loader.length });
 */
export class OneCycleLR extends LearningRateSchedule {
  protected override readonly kind = "OneCycleLR";
  readonly #max: readonly number[];
  readonly #totalSteps: number;
  readonly #phases: readonly Phase[];
  readonly #cosine: boolean;
  readonly #cycleMomentum: boolean;

  /** @throws InputError for options out of range, or an optimizer without momentum while `cycleMomentum`. */
  constructor(optimizer: ScheduledOptimizer, options: OneCycleLrOptions) {
    super(optimizer);
    assertOptionNames("OneCycleLR", options, OPTIONS);
    const {
      maxLearningRate,
      totalSteps,
      increasingShare = 0.3,
      annealing = "cosine",
      cycleMomentum = true,
      baseMomentum = 0.85,
      maxMomentum = 0.95,
      divisor = 25,
      finalDivisor = 1e4,
      threePhase = false,
    } = options;
    assertCount("OneCycleLR", "totalSteps", totalSteps);
    if (!(typeof increasingShare === "number" && increasingShare >= 0 && increasingShare <= 1))
      throw new InputError(`OneCycleLR: expected an increasingShare in [0, 1], got ${increasingShare}`);
    if (annealing !== "cosine" && annealing !== "linear")
      throw new InputError(`OneCycleLR: expected annealing cosine or linear, got ${String(annealing)}`);
    for (const [name, momentum] of Object.entries({ baseMomentum, maxMomentum }))
      if (!(typeof momentum === "number" && momentum >= 0 && momentum < 1))
        throw new InputError(`OneCycleLR: expected a ${name} in [0, 1), got ${momentum}`);
    if (
      !(typeof divisor === "number" && divisor > 0) ||
      !(typeof finalDivisor === "number" && finalDivisor > 0)
    )
      throw new InputError(`OneCycleLR: expected divisors above 0, got ${divisor} and ${finalDivisor}`);
    this.#max =
      typeof maxLearningRate === "number"
        ? optimizer.groups.map(() => maxLearningRate)
        : [...maxLearningRate];
    if (this.#max.length !== optimizer.groups.length)
      throw new InputError(`OneCycleLR: expected ${optimizer.groups.length} rates, got ${this.#max.length}`);
    for (const rate of this.#max) assertRate("OneCycleLR", "maxLearningRate", rate);
    if (cycleMomentum) assertMomentum("OneCycleLR", optimizer);
    const first = (max: number): number => max / divisor;
    const last = (max: number): number => first(max) / finalDivisor;
    const rise: Phase = {
      end: increasingShare * totalSteps - 1,
      rates: (max) => [first(max), max],
      momenta: [maxMomentum, baseMomentum],
    };
    this.#phases = threePhase
      ? [
          rise,
          {
            end: 2 * increasingShare * totalSteps - 2,
            rates: (max) => [max, first(max)],
            momenta: [baseMomentum, maxMomentum],
          },
          {
            end: totalSteps - 1,
            rates: (max) => [first(max), last(max)],
            momenta: [maxMomentum, maxMomentum],
          },
        ]
      : [
          rise,
          { end: totalSteps - 1, rates: (max) => [max, last(max)], momenta: [baseMomentum, maxMomentum] },
        ];
    this.#totalSteps = totalSteps;
    this.#cosine = annealing === "cosine";
    this.#cycleMomentum = cycleMomentum;
    this.apply();
  }

  /** @throws InputError after the last of `totalSteps`. */
  override at(step: number, _initial: number, group: number): ScheduledValues {
    if (step > this.#totalSteps)
      throw new InputError(
        `OneCycleLR: expected at most ${this.#totalSteps} steps, got step ${step}; raise totalSteps`,
      );
    let index = this.#phases.findIndex(({ end }) => step <= end);
    if (index < 0) index = this.#phases.length - 1;
    const { end, rates, momenta } = this.#phases[index];
    const start = index === 0 ? 0 : this.#phases[index - 1].end;
    const share = end === start ? 1 : (step - start) / (end - start); // a phase of one step is at its end
    return {
      learningRate: this.#between(rates(this.#max[group]), share),
      ...(this.#cycleMomentum ? { momentum: this.#between(momenta, share) } : {}),
    };
  }

  #between([from, to]: readonly [number, number], share: number): number {
    if (!this.#cosine) return (to - from) * share + from;
    return to + ((from - to) / 2) * (Math.cos(Math.PI * share) + 1);
  }
}
