import { adamwUpdate, type Tensor } from "@ai/tensor";
import type { Parameter } from "../../parameter.js";
import {
  assertBetas,
  assertNotNegative,
  Optimizer,
  type OptimizerBuffer,
  type OptimizerGroupInput,
  type UpdateContext,
} from "./optimizer.js";

/** Options of {@link Adam} and {@link AdamW}. */
export interface AdamOptions {
  /** Default 0.001. */
  readonly learningRate: number;
  /** Decay rates of the two moments. Default [0.9, 0.999]. */
  readonly betas: readonly [number, number];
  /** Added to the denominator. Default 1e-8. */
  readonly epsilon: number;
  /** Adam: factor of an L2 penalty, default 0. AdamW: decay of the parameter itself, default 0.01. */
  readonly weightDecay: number;
  /** Divide by the largest second moment so far. Default false. */
  readonly amsgrad: boolean;
  /** Climb instead of descend. Default false. */
  readonly maximize: boolean;
}

const DEFAULTS: AdamOptions = {
  learningRate: 1e-3,
  betas: [0.9, 0.999],
  epsilon: 1e-8,
  weightDecay: 0,
  amsgrad: false,
  maximize: false,
};

abstract class AdamFamily extends Optimizer<AdamOptions> {
  protected abstract readonly decoupledWeightDecay: boolean;

  protected override assertOptions(options: AdamOptions): void {
    const { learningRate, epsilon, weightDecay, betas } = options;
    assertNotNegative("Adam", { learningRate, epsilon, weightDecay });
    assertBetas("Adam", betas);
  }

  protected override update(
    target: { value: Tensor },
    gradient: Tensor,
    { learningRate, betas, epsilon, weightDecay, amsgrad, maximize }: AdamOptions,
    buffer: (name: string) => OptimizerBuffer,
    { steps }: UpdateContext,
  ): void {
    // written out: copying options by rest and spread took as long as the update of a small parameter
    const options = {
      learningRate,
      betas,
      epsilon,
      weightDecay,
      maximize,
      step: steps,
      firstMoment: buffer("firstMoment"),
      secondMoment: buffer("secondMoment"),
      decoupledWeightDecay: this.decoupledWeightDecay,
    };
    const all = amsgrad ? { ...options, maxSecondMoment: buffer("maxSecondMoment") } : options;
    adamwUpdate(target, gradient, all);
  }
}

/**
 * Adam, as `torch.optim.Adam`: `m ← β₁m + (1 − β₁)g`, `v ← β₂v + (1 − β₂)g²`,
 * `p ← p − learningRate · m̂ / (√v̂ + ε)` with `m̂ = m / (1 − β₁ᵗ)` and `v̂ = v / (1 − β₂ᵗ)`; weight decay joins the gradient.
 * @see Kingma, Ba (2015), "Adam: A Method for Stochastic Optimization", https://arxiv.org/abs/1412.6980
 * @see Reddi, Kale, Kumar (2018), "On the Convergence of Adam and Beyond", https://arxiv.org/abs/1904.09237 (amsgrad)
 * @example
 * const optimizer = new Adam(model.parameters(), { learningRate: 1e-3 });
 */
export class Adam extends AdamFamily {
  protected override readonly kind = "Adam";
  protected override readonly decoupledWeightDecay = false;

  /** @throws InputError for options out of range. */
  constructor(
    parameters: readonly Parameter[] | readonly OptimizerGroupInput<AdamOptions>[],
    options: Partial<AdamOptions> = {},
  ) {
    super(parameters, DEFAULTS, options);
  }
}

/**
 * Adam whose weight decay shrinks the parameter itself, as `torch.optim.AdamW`:
 * `p ← (1 − learningRate·weightDecay)·p` before Adam's step.
 * @see Loshchilov, Hutter (2019), "Decoupled Weight Decay Regularization", https://arxiv.org/abs/1711.05101
 * @example
 * const optimizer = new AdamW(model.parameters(), { learningRate: 3e-4, weightDecay: 0.1 });
 */
export class AdamW extends AdamFamily {
  protected override readonly kind = "AdamW";
  protected override readonly decoupledWeightDecay = true;

  /** @throws InputError for options out of range. */
  constructor(
    parameters: readonly Parameter[] | readonly OptimizerGroupInput<AdamOptions>[],
    options: Partial<AdamOptions> = {},
  ) {
    super(parameters, { ...DEFAULTS, weightDecay: 1e-2 }, options);
  }
}
