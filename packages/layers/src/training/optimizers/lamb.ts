import {
  add,
  div,
  greater,
  logicalAnd,
  mul,
  neg,
  norm,
  sqrt,
  square,
  sub,
  type Tensor,
  where,
} from "@ai/tensor";
import type { Parameter } from "../../parameter.js";
import {
  assertBetas,
  assertNotNegative,
  Optimizer,
  type OptimizerBuffer,
  type OptimizerGroupInput,
  type UpdateContext,
} from "./optimizer.js";
import { blend, updateByOps } from "./plain-update.js";

/** Options of {@link LAMB}; the defaults are the paper's. */
export interface LambOptions {
  /** Default 0.001. */
  readonly learningRate: number;
  /** Decay rates of the two moments. Default [0.9, 0.999]. */
  readonly betas: readonly [number, number];
  /** Added to the denominator. Default 1e-6. */
  readonly epsilon: number;
  /** Decay of the parameter, part of the step before it is scaled. Default 0.01. */
  readonly weightDecay: number;
  /** Climb instead of descend. Default false. */
  readonly maximize: boolean;
}

/**
 * Adam whose step is scaled to the length of each parameter, for large batches: `u = m̂ / (√v̂ + ε) + weightDecay·p`,
 * `p ← p − learningRate · ‖p‖/‖u‖ · u`; the ratio is 1 where a length is 0.
 * @see You et al. (2020), "Large Batch Optimization for Deep Learning: Training BERT in 76 minutes",
 * https://arxiv.org/abs/1904.00962, algorithm 2
 */
export class LAMB extends Optimizer<LambOptions> {
  protected override readonly kind = "LAMB";

  /** @throws InputError for options out of range. */
  constructor(
    parameters: readonly Parameter[] | readonly OptimizerGroupInput<LambOptions>[],
    options: Partial<LambOptions> = {},
  ) {
    super(
      parameters,
      { learningRate: 1e-3, betas: [0.9, 0.999], epsilon: 1e-6, weightDecay: 1e-2, maximize: false },
      options,
    );
  }

  protected override assertOptions({ learningRate, epsilon, weightDecay, betas }: LambOptions): void {
    assertNotNegative("LAMB", { learningRate, epsilon, weightDecay });
    assertBetas("LAMB", betas);
  }

  protected override update(
    target: { value: Tensor },
    gradient: Tensor,
    { learningRate, betas, epsilon, weightDecay, maximize }: LambOptions,
    buffer: (name: string) => OptimizerBuffer,
    { steps }: UpdateContext,
  ): void {
    const buffers = { firstMoment: buffer("firstMoment"), secondMoment: buffer("secondMoment") };
    updateByOps(target, gradient, buffers, (old) => {
      const direction = maximize ? neg(gradient) : gradient;
      const firstMoment = blend(old.firstMoment, direction, 1 - betas[0]);
      const secondMoment = blend(old.secondMoment, square(direction), 1 - betas[1]);
      const mean = mul(firstMoment, 1 / (1 - betas[0] ** steps));
      const root = sqrt(mul(secondMoment, 1 / (1 - betas[1] ** steps)));
      const step = add(div(mean, add(root, epsilon)), mul(target.value, weightDecay));
      const [length, stepLength] = [norm(target.value), norm(step)]; // []
      const ratio = where(logicalAnd(greater(length, 0), greater(stepLength, 0)), div(length, stepLength), 1);
      const scaled = mul(step, mul(ratio, learningRate));
      return { parameter: sub(target.value, scaled), firstMoment, secondMoment };
    });
  }
}
