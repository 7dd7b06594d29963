import { InputError } from "@ai/tensor";
import { assertOptionNames } from "../option-names.js";
import { assertMomentum, perGroup } from "./cycles.js";
import {
  assertCount,
  assertRate,
  LearningRateSchedule,
  type ScheduledOptimizer,
  type ScheduledValues,
} from "./schedule.js";

const OPTIONS = [
  "baseLearningRate",
  "maxLearningRate",
  "stepsUp",
  "stepsDown",
  "mode",
  "gamma",
  "scale",
  "scaleBy",
  "cycleMomentum?",
  "baseMomentum",
  "maxMomentum",
] as const;

/** Options of {@link CyclicLR}; the defaults are PyTorch's. */
export interface CyclicLrOptions {
  /** The lowest rate, with which each cycle begins and ends: one for all groups, or one a group. */
  readonly baseLearningRate: number | readonly number[];
  /** The highest rate before it is scaled: one for all groups, or one a group. */
  readonly maxLearningRate: number | readonly number[];
  /** Steps in which the rate rises (PyTorch's `step_size_up`). Default 2000. */
  readonly stepsUp?: number;
  /** Steps in which it falls. Default: `stepsUp`. */
  readonly stepsDown?: number;
  /**
   * How high a cycle goes: each as high ("triangular", default), each half as high as the one before ("triangular2"), or
   * `gamma^step` as high ("exponentialRange"). Not with `scale`.
   */
  readonly mode?: "triangular" | "triangular2" | "exponentialRange";
  /** Base of "exponentialRange". Default 1. */
  readonly gamma?: number;
  /** A rule of your own in place of `mode`: the height at a cycle, from 1, or at a step, from 0. Not part of a saved state. */
  readonly scale?: (at: number) => number;
  /** What `scale` gets: the number of the cycle ("cycle", default) or of the step ("step"). */
  readonly scaleBy?: "cycle" | "step";
  /** Move momentum against the learning rate. Default true; needs an optimizer with momentum or betas. */
  readonly cycleMomentum?: boolean;
  /** Momentum at the highest learning rate: one for all groups, or one a group. Default 0.8. */
  readonly baseMomentum?: number | readonly number[];
  /** Momentum at the lowest learning rate: one for all groups, or one a group. Default 0.9. */
  readonly maxMomentum?: number | readonly number[];
}

/**
 * The learning rate rises and falls between two bounds again and again, as `torch.optim.lr_scheduler.CyclicLR`:
 * `base + (max − base) · triangle(step) · scale`, momentum `max − (max − base) · triangle(step) · scale`.
 * @see Smith (2017), "Cyclical Learning Rates for Training Neural Networks", https://arxiv.org/abs/1506.01186
 * @example
 * const schedule = new CyclicLR(optimizer, { baseLearningRate: 1e-4, maxLearningRate: 1e-2, stepsUp: 500, mode: "triangular2" });
 */
export class CyclicLR extends LearningRateSchedule {
  protected override readonly kind = "CyclicLR";
  readonly #base: readonly number[];
  readonly #max: readonly number[];
  readonly #length: number;
  readonly #risingShare: number;
  readonly #scale: (cycle: number, step: number) => number;
  readonly #momenta: readonly { readonly base: number; readonly max: number }[] | undefined;

  /** @throws InputError for options out of range, or an optimizer without momentum while `cycleMomentum`. */
  constructor(optimizer: ScheduledOptimizer, options: CyclicLrOptions) {
    const rates = checkedRates(optimizer, options);
    // what the optimizer was given does not count: also for schedules that are made later
    optimizer.groups.forEach((group, index) => {
      group.options = { ...group.options, learningRate: rates.base[index] };
    });
    super(optimizer);
    const { stepsUp = 2000, stepsDown = stepsUp, cycleMomentum = true } = options;
    const { baseMomentum = 0.8, maxMomentum = 0.9 } = options;
    this.#base = rates.base;
    this.#max = rates.max;
    this.#length = stepsUp + stepsDown;
    this.#risingShare = stepsUp / this.#length;
    this.#scale = scaleOf(options);
    const lowest = perGroup("CyclicLR", "baseMomentum", baseMomentum, optimizer);
    const highest = perGroup("CyclicLR", "maxMomentum", maxMomentum, optimizer);
    this.#momenta = cycleMomentum ? lowest.map((base, group) => ({ base, max: highest[group] })) : undefined;
    this.apply();
  }

  override at(step: number, _initial: number, group: number): ScheduledValues {
    const cycle = Math.floor(1 + step / this.#length);
    const share = 1 + step / this.#length - cycle;
    const isRising = share <= this.#risingShare;
    const height = isRising ? share / this.#risingShare : (share - 1) / (this.#risingShare - 1);
    const scale = this.#scale(cycle, step);
    const between = (from: number, to: number): number => from + (to - from) * height * scale;
    const learningRate = between(this.#base[group], this.#max[group]);
    if (!(learningRate >= 0))
      throw new InputError(
        `CyclicLR: expected a scale that keeps the learning rate at least 0, got ${scale} at step ${step}`,
      );
    const momenta = this.#momenta?.[group];
    return momenta === undefined
      ? { learningRate }
      : { learningRate, momentum: between(momenta.max, momenta.base) };
  }
}

function checkedRates(
  optimizer: ScheduledOptimizer,
  options: CyclicLrOptions,
): Readonly<Record<"base" | "max", readonly number[]>> {
  assertOptionNames("CyclicLR", options, OPTIONS);
  const { baseLearningRate, maxLearningRate, stepsUp = 2000, stepsDown = stepsUp } = options;
  const { mode = "triangular", gamma = 1, scale, scaleBy, cycleMomentum = true } = options;
  assertCount("CyclicLR", "stepsUp", stepsUp);
  assertCount("CyclicLR", "stepsDown", stepsDown);
  assertRate("CyclicLR", "gamma", gamma);
  if (!["triangular", "triangular2", "exponentialRange"].includes(mode))
    throw new InputError(
      `CyclicLR: expected mode triangular, triangular2 or exponentialRange, got ${String(mode)}`,
    );
  if (scale !== undefined && (typeof scale !== "function" || options.mode !== undefined))
    throw new InputError(
      `CyclicLR: expected a function as scale and no mode beside it, got ${typeof scale} and ${String(options.mode)}`,
    );
  if (scaleBy !== undefined && (scale === undefined || !["cycle", "step"].includes(scaleBy)))
    throw new InputError(`CyclicLR: expected scaleBy cycle or step beside scale, got ${String(scaleBy)}`);
  if (options.gamma !== undefined && mode !== "exponentialRange")
    throw new InputError(`CyclicLR: expected gamma with mode exponentialRange, got it with ${mode}`);
  const { baseMomentum = 0.8, maxMomentum = 0.9 } = options;
  for (const [name, given] of Object.entries({ baseMomentum, maxMomentum }))
    for (const momentum of perGroup("CyclicLR", name, given, optimizer))
      if (!(typeof momentum === "number" && momentum >= 0 && momentum < 1))
        throw new InputError(`CyclicLR: expected a ${name} in [0, 1), got ${momentum}`);
  if (cycleMomentum) assertMomentum("CyclicLR", optimizer);
  const base = perGroup("CyclicLR", "baseLearningRate", baseLearningRate, optimizer);
  const max = perGroup("CyclicLR", "maxLearningRate", maxLearningRate, optimizer);
  for (const rate of base) assertRate("CyclicLR", "baseLearningRate", rate);
  for (const rate of max) assertRate("CyclicLR", "maxLearningRate", rate);
  return { base, max };
}

function scaleOf({
  mode,
  gamma = 1,
  scale,
  scaleBy,
}: CyclicLrOptions): (cycle: number, step: number) => number {
  if (scale !== undefined)
    return (cycle, step) => {
      const height = scale(scaleBy === "step" ? step : cycle);
      if (!Number.isFinite(height))
        throw new InputError(`CyclicLR: expected a finite scale, got ${String(height)}`);
      return height;
    };
  if (mode === "triangular2") return (cycle) => 2 ** (1 - cycle);
  if (mode === "exponentialRange") return (_, step) => gamma ** step;
  return () => 1;
}
