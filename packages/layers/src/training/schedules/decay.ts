import { InputError } from "@ai/tensor";
import { assertOptionNames } from "../option-names.js";
import {
  assertCount,
  assertRate,
  LearningRateSchedule,
  type ScheduledOptimizer,
  type ScheduledValues,
} from "./schedule.js";

/** Options of {@link ExponentialLR}. */
export interface ExponentialLrOptions {
  /** Factor of every step. */
  readonly gamma: number;
}

/** `initial · gamma^step`, as `torch.optim.lr_scheduler.ExponentialLR`. */
export class ExponentialLR extends LearningRateSchedule {
  protected override readonly kind = "ExponentialLR";
  override readonly chains = true;
  readonly #gamma: number;

  /** @throws InputError for a negative gamma. */
  constructor(optimizer: ScheduledOptimizer, options: ExponentialLrOptions) {
    super(optimizer);
    assertOptionNames("ExponentialLR", options, ["gamma"]);
    assertRate("ExponentialLR", "gamma", options.gamma);
    this.#gamma = options.gamma;
    this.apply();
  }

  override at(step: number, initial: number): ScheduledValues {
    return { learningRate: initial * this.#gamma ** step };
  }
}

/** Options of {@link ConstantLR}. */
export interface ConstantLrOptions {
  /** Factor before step `totalIterations`. Default 1/3. */
  readonly factor?: number;
  /** The step from which the initial rate holds. Default 5. */
  readonly totalIterations?: number;
}

/** `initial · factor` at first, then `initial`, as `torch.optim.lr_scheduler.ConstantLR`. */
export class ConstantLR extends LearningRateSchedule {
  protected override readonly kind = "ConstantLR";
  override readonly chains = true;
  readonly #factor: number;
  readonly #total: number;

  /** @throws InputError for a negative factor or a count below 1. */
  constructor(optimizer: ScheduledOptimizer, options: ConstantLrOptions = {}) {
    super(optimizer);
    assertOptionNames("ConstantLR", options, ["factor", "totalIterations"]);
    const { factor = 1 / 3, totalIterations = 5 } = options;
    assertRate("ConstantLR", "factor", factor);
    assertCount("ConstantLR", "totalIterations", totalIterations);
    this.#factor = factor;
    this.#total = totalIterations;
    this.apply();
  }

  override at(step: number, initial: number): ScheduledValues {
    return { learningRate: step < this.#total ? initial * this.#factor : initial };
  }
}

/** Options of {@link PolynomialLR}. */
export interface PolynomialLrOptions {
  /** Steps until the rate is 0. Default 5. */
  readonly totalIterations?: number;
  /** Exponent of the share that is left. Default 1: a straight line. */
  readonly power?: number;
}

/** `initial · (1 − step / totalIterations)^power`, then 0, as `torch.optim.lr_scheduler.PolynomialLR`. */
export class PolynomialLR extends LearningRateSchedule {
  protected override readonly kind = "PolynomialLR";
  override readonly chains = true;
  readonly #total: number;
  readonly #power: number;

  /** @throws InputError for a count below 1 or a negative power. */
  constructor(optimizer: ScheduledOptimizer, options: PolynomialLrOptions = {}) {
    super(optimizer);
    assertOptionNames("PolynomialLR", options, ["totalIterations", "power"]);
    const { totalIterations = 5, power = 1 } = options;
    assertCount("PolynomialLR", "totalIterations", totalIterations);
    assertRate("PolynomialLR", "power", power);
    this.#total = totalIterations;
    this.#power = power;
    this.apply();
  }

  override at(step: number, initial: number): ScheduledValues {
    return { learningRate: initial * (1 - Math.min(step, this.#total) / this.#total) ** this.#power };
  }
}

/** Options of {@link InverseSquareRootLR}. */
export interface InverseSquareRootLrOptions {
  /** Steps in which the rate rises from 0 to the initial one. */
  readonly warmUpSteps: number;
  /** The rate falls as `1 / √(1 + steps after warm-up / timeScale)`. Default: `warmUpSteps`. */
  readonly timeScale?: number;
}

/**
 * A straight rise, then the inverse square root of the step: `initial · step / warmUpSteps`, then
 * `initial · √(timeScale / (step − warmUpSteps + timeScale))`. As `get_inverse_sqrt_schedule` of Hugging Face Transformers.
 * @see Vaswani et al. (2017), "Attention Is All You Need", https://arxiv.org/abs/1706.03762, section 5.3
 */
export class InverseSquareRootLR extends LearningRateSchedule {
  protected override readonly kind = "InverseSquareRootLR";
  readonly #warmUp: number;
  readonly #scale: number;

  /** @throws InputError for a count below 1 or a time scale that is not above 0. */
  constructor(optimizer: ScheduledOptimizer, options: InverseSquareRootLrOptions) {
    super(optimizer);
    assertOptionNames("InverseSquareRootLR", options, ["warmUpSteps", "timeScale"]);
    const { warmUpSteps, timeScale = warmUpSteps } = options;
    assertCount("InverseSquareRootLR", "warmUpSteps", warmUpSteps);
    if (!(timeScale > 0 && Number.isFinite(timeScale)))
      throw new InputError(`InverseSquareRootLR: expected a timeScale above 0, got ${timeScale}`);
    this.#warmUp = warmUpSteps;
    this.#scale = timeScale;
    this.apply();
  }

  override at(step: number, initial: number): ScheduledValues {
    if (step < this.#warmUp) return { learningRate: (initial * step) / this.#warmUp };
    return { learningRate: initial * Math.sqrt(this.#scale / (step - this.#warmUp + this.#scale)) };
  }
}

/** Options of {@link LambdaLR}. */
export interface LambdaLrOptions {
  /** Factor of the initial learning rate at a step. */
  readonly factor: (step: number, group: number) => number;
}

/** `initial · factor(step)`, as `torch.optim.lr_scheduler.LambdaLR`. The function is not part of a saved state. */
export class LambdaLR extends LearningRateSchedule {
  protected override readonly kind = "LambdaLR";
  readonly #factor: (step: number, group: number) => number;

  /** @throws InputError for a factor that is no function, or gives no finite number of at least 0. */
  constructor(optimizer: ScheduledOptimizer, options: LambdaLrOptions) {
    super(optimizer);
    assertOptionNames("LambdaLR", options, ["factor"]);
    if (typeof options.factor !== "function")
      throw new InputError(`LambdaLR: expected a function as factor, got ${typeof options.factor}`);
    this.#factor = options.factor;
    this.apply();
  }

  override at(step: number, initial: number, group: number): ScheduledValues {
    const factor = this.#factor(step, group);
    assertRate("LambdaLR", "factor", factor);
    return { learningRate: initial * factor };
  }
}
