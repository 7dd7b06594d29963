import { add, InputError, keep, mul, noGrad, stopGradient, sub, type Tensor } from "@ai/tensor";
import type { Parameter } from "../../parameter.js";
import {
  assertNotNegative,
  Optimizer,
  type OptimizerBuffer,
  type OptimizerGroupInput,
  type UpdateContext,
} from "./optimizer.js";
import { descent, updateByOps } from "./plain-update.js";

/** Options of {@link ASGD}; the defaults are PyTorch's. */
export interface AsgdOptions {
  /** Default 0.01. */
  readonly learningRate: number;
  /** Decay of the weights and, with the step, of the rate (PyTorch's `lambd`). Default 1e-4. */
  readonly decay: number;
  /** Exponent of the falling rate. Default 0.75. */
  readonly alpha: number;
  /** The step after which weights are averaged (PyTorch's `t0`). Default 1e6. */
  readonly averageFrom: number;
  /** Factor of the L2 penalty, added to the gradient. Default 0. */
  readonly weightDecay: number;
  /** Climb instead of descend. Default false. */
  readonly maximize: boolean;
}

const DEFAULTS: AsgdOptions = {
  learningRate: 1e-2,
  decay: 1e-4,
  alpha: 0.75,
  averageFrom: 1e6,
  weightDecay: 0,
  maximize: false,
};

/**
 * Gradient descent with a falling rate and an average of the weights, as `torch.optim.ASGD`:
 * `p ← (1 − decay·ηₜ)·p − ηₜ·g`, `a ← a + μₜ·(p − a)`, with `η₁ = learningRate`,
 * `ηₜ₊₁ = learningRate / (1 + decay · learningRate · t)^alpha`, `μ₁ = 1` and `μₜ₊₁ = 1 / max(1, t − averageFrom)`.
 * The average is the result: {@link copyAverageToParameters} takes it.
 * @see Polyak, Juditsky (1992), "Acceleration of Stochastic Approximation by Averaging", https://doi.org/10.1137/0330046
 * @example
 * const optimizer = new ASGD(model.parameters(), { learningRate: 0.1, averageFrom: 1000 });
 * for (const grads of steps) optimizer.step(grads);
 * optimizer.copyAverageToParameters();
 */
export class ASGD extends Optimizer<AsgdOptions> {
  protected override readonly kind = "ASGD";

  /** @throws InputError for options out of range. */
  constructor(
    parameters: readonly Parameter[] | readonly OptimizerGroupInput<AsgdOptions>[],
    options: Partial<AsgdOptions> = {},
  ) {
    super(parameters, DEFAULTS, options);
  }

  protected override assertOptions(options: AsgdOptions): void {
    const { learningRate, decay, alpha, averageFrom, weightDecay } = options;
    assertNotNegative("ASGD", { learningRate, decay, alpha, averageFrom, weightDecay });
  }

  protected override update(
    target: { value: Tensor },
    gradient: Tensor,
    options: AsgdOptions,
    buffer: (name: string) => OptimizerBuffer,
    { steps, numbers }: UpdateContext,
  ): void {
    const { learningRate, decay, alpha, averageFrom } = options;
    const rate = numbers.get("rate") ?? learningRate;
    const share = numbers.get("share") ?? 1;
    updateByOps(target, gradient, { average: buffer("average") }, (old) => {
      const direction = descent(gradient, target.value, options);
      const parameter = sub(mul(target.value, 1 - decay * rate), mul(direction, rate));
      const average =
        share === 1 ? stopGradient(parameter) : add(old.average, mul(sub(parameter, old.average), share));
      return { parameter, average };
    });
    numbers.set("rate", learningRate / (1 + decay * learningRate * steps) ** alpha);
    numbers.set("share", 1 / Math.max(1, steps - averageFrom));
  }

  /**
   * Puts the averages in place of the weights: the result of a run. Parameters that had no update stay.
   * @throws InputError before the first step.
   */
  copyAverageToParameters(): void {
    const averages = this.parameters.map((_, index) => this.bufferOf(index, "average"));
    if (averages.every((average) => average === null))
      throw new InputError(
        "ASGD.copyAverageToParameters: expected an average, got none yet; call step first",
      );
    averages.forEach((average, index) => {
      if (average !== null) this.parameters[index].setValue(keep(noGrad(() => stopGradient(average))));
    });
  }
}
