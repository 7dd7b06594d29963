import { add, div, mul, sqrt, square, sub, type Tensor } from "@ai/tensor";
import type { Parameter } from "../../parameter.js";
import {
  assertNotNegative,
  assertShare,
  Optimizer,
  type OptimizerBuffer,
  type OptimizerGroupInput,
} from "./optimizer.js";
import { blend, descent, lerp, updateByOps } from "./plain-update.js";

/** Options of {@link RMSprop}; the defaults are PyTorch's. */
export interface RmspropOptions {
  /** Default 0.01. */
  readonly learningRate: number;
  /** Decay rate of the squared gradients. Default 0.99. */
  readonly alpha: number;
  /** Added to the denominator. Default 1e-8. */
  readonly epsilon: number;
  /** Factor of the L2 penalty, added to the gradient. Default 0. */
  readonly weightDecay: number;
  /** Share of the last step that the next one keeps. Default 0. */
  readonly momentum: number;
  /** Divide by the standard deviation, not by the root of the mean square. Default false. */
  readonly centered: boolean;
  /** Climb instead of descend. Default false. */
  readonly maximize: boolean;
}

const DEFAULTS: RmspropOptions = {
  learningRate: 1e-2,
  alpha: 0.99,
  epsilon: 1e-8,
  weightDecay: 0,
  momentum: 0,
  centered: false,
  maximize: false,
};

/**
 * Steps divided by the size of recent gradients, as `torch.optim.RMSprop`: `v ← αv + (1 − α)g²`,
 * `d = g / (√v + ε)`, `b ← momentum·b + d`, `p ← p − learningRate·b`; centered: `√(v − ḡ²)` with the mean gradient `ḡ`.
 * @see Tieleman, Hinton (2012), "Lecture 6.5: rmsprop", https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf
 * @see Graves (2013), "Generating Sequences With Recurrent Neural Networks", https://arxiv.org/abs/1308.0850 (centered)
 * @example
 * const optimizer = new RMSprop(model.parameters(), { learningRate: 1e-3, momentum: 0.9 });
 */
export class RMSprop extends Optimizer<RmspropOptions> {
  protected override readonly kind = "RMSprop";

  /** @throws InputError for options out of range. */
  constructor(
    parameters: readonly Parameter[] | readonly OptimizerGroupInput<RmspropOptions>[],
    options: Partial<RmspropOptions> = {},
  ) {
    super(parameters, DEFAULTS, options);
  }

  protected override assertOptions({
    alpha,
    learningRate,
    epsilon,
    weightDecay,
    momentum,
  }: RmspropOptions): void {
    assertNotNegative("RMSprop", { learningRate, epsilon, weightDecay, momentum });
    assertShare("RMSprop", "alpha", alpha);
  }

  protected override update(
    target: { value: Tensor },
    gradient: Tensor,
    options: RmspropOptions,
    buffer: (name: string) => OptimizerBuffer,
  ): void {
    const { learningRate, alpha, epsilon, momentum, centered } = options;
    const buffers = {
      meanSquare: buffer("meanSquare"),
      ...(centered ? { meanGradient: buffer("meanGradient") } : {}),
      ...(momentum > 0 ? { momentumBuffer: buffer("momentumBuffer") } : {}),
    } as Record<"meanSquare" | "meanGradient" | "momentumBuffer", OptimizerBuffer>;
    updateByOps(target, gradient, buffers, (old) => {
      const direction = descent(gradient, target.value, options);
      const meanSquare = blend(old.meanSquare, square(direction), 1 - alpha);
      const meanGradient = centered ? lerp(old.meanGradient, direction, 1 - alpha) : old.meanGradient;
      const spread = centered ? sub(meanSquare, square(meanGradient)) : meanSquare;
      const step = div(direction, add(sqrt(spread), epsilon));
      const momentumBuffer = momentum > 0 ? add(mul(old.momentumBuffer, momentum), step) : step;
      const parameter = sub(target.value, mul(momentumBuffer, learningRate));
      return { parameter, meanSquare, meanGradient, momentumBuffer };
    });
  }
}
