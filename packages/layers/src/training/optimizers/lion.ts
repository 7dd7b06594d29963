import { mul, neg, sign, sub, type Tensor } from "@ai/tensor";
import type { Parameter } from "../../parameter.js";
import {
  assertBetas,
  assertNotNegative,
  Optimizer,
  type OptimizerBuffer,
  type OptimizerGroupInput,
} from "./optimizer.js";
import { blend, updateByOps } from "./plain-update.js";

/** Options of {@link Lion}; the defaults are the paper's. */
export interface LionOptions {
  /** Default 0.0001: three to ten times less than AdamW's. */
  readonly learningRate: number;
  /** Weights of the momentum in the step and in itself. Default [0.9, 0.99]. */
  readonly betas: readonly [number, number];
  /** Decay of the parameter itself: three to ten times more than AdamW's. Default 0. */
  readonly weightDecay: number;
  /** Climb instead of descend. Default false. */
  readonly maximize: boolean;
}

/**
 * Steps of one size along the sign of the momentum: `c = β₁m + (1 − β₁)g`,
 * `p ← p − learningRate · (sign(c) + weightDecay·p)`, `m ← β₂m + (1 − β₂)g`. It holds one buffer a parameter.
 * @see Chen et al. (2023), "Symbolic Discovery of Optimization Algorithms", https://arxiv.org/abs/2302.06675, program 1
 * @example
 * const optimizer = new Lion(model.parameters(), { learningRate: 1e-4, weightDecay: 1 });
 */
export class Lion extends Optimizer<LionOptions> {
  protected override readonly kind = "Lion";

  /** @throws InputError for options out of range. */
  constructor(
    parameters: readonly Parameter[] | readonly OptimizerGroupInput<LionOptions>[],
    options: Partial<LionOptions> = {},
  ) {
    super(parameters, { learningRate: 1e-4, betas: [0.9, 0.99], weightDecay: 0, maximize: false }, options);
  }

  protected override assertOptions({ learningRate, weightDecay, betas }: LionOptions): void {
    assertNotNegative("Lion", { learningRate, weightDecay });
    assertBetas("Lion", betas);
  }

  protected override update(
    target: { value: Tensor },
    gradient: Tensor,
    { learningRate, betas, weightDecay, maximize }: LionOptions,
    buffer: (name: string) => OptimizerBuffer,
  ): void {
    updateByOps(target, gradient, { momentum: buffer("momentum") }, (old) => {
      const direction = maximize ? neg(gradient) : gradient;
      const step = sign(blend(old.momentum, direction, 1 - betas[0]));
      return {
        parameter: sub(mul(target.value, 1 - learningRate * weightDecay), mul(step, learningRate)),
        momentum: blend(old.momentum, direction, 1 - betas[1]),
      };
    });
  }
}
