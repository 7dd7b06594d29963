import { add, div, full, mul, sqrt, square, sub, type Tensor } from "@ai/tensor";
import type { Parameter } from "../../parameter.js";
import {
  assertNotNegative,
  assertShare,
  Optimizer,
  type OptimizerBuffer,
  type OptimizerGroupInput,
  type UpdateContext,
} from "./optimizer.js";
import { blend, descent, updateByOps } from "./plain-update.js";

/** Options of {@link Adagrad}; the defaults are PyTorch's. */
export interface AdagradOptions {
  /** Default 0.01. */
  readonly learningRate: number;
  /** The rate of step t is `learningRate / (1 + (t − 1) · learningRateDecay)`. Default 0. */
  readonly learningRateDecay: number;
  /** Factor of the L2 penalty, added to the gradient. Default 0. */
  readonly weightDecay: number;
  /** What the sums of squares start with. Default 0. */
  readonly initialAccumulator: number;
  /** Added to the denominator. Default 1e-10. */
  readonly epsilon: number;
  /** Climb instead of descend. Default false. */
  readonly maximize: boolean;
}

const ADAGRAD_DEFAULTS: AdagradOptions = {
  learningRate: 1e-2,
  learningRateDecay: 0,
  weightDecay: 0,
  initialAccumulator: 0,
  epsilon: 1e-10,
  maximize: false,
};

/**
 * Steps divided by the root of all squared gradients so far, as `torch.optim.Adagrad`: `s ← s + g²`,
 * `p ← p − rate · g / (√s + ε)`.
 * @see Duchi, Hazan, Singer (2011), "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization",
 * https://jmlr.org/papers/v12/duchi11a.html
 */
export class Adagrad extends Optimizer<AdagradOptions> {
  protected override readonly kind = "Adagrad";

  /** @throws InputError for options out of range. */
  constructor(
    parameters: readonly Parameter[] | readonly OptimizerGroupInput<AdagradOptions>[],
    options: Partial<AdagradOptions> = {},
  ) {
    super(parameters, ADAGRAD_DEFAULTS, options);
  }

  protected override assertOptions(options: AdagradOptions): void {
    const { learningRate, learningRateDecay, weightDecay, initialAccumulator, epsilon } = options;
    assertNotNegative("Adagrad", {
      learningRate,
      learningRateDecay,
      weightDecay,
      initialAccumulator,
      epsilon,
    });
  }

  protected override update(
    target: { value: Tensor },
    gradient: Tensor,
    options: AdagradOptions,
    buffer: (name: string) => OptimizerBuffer,
    { steps }: UpdateContext,
  ): void {
    const { learningRate, learningRateDecay, initialAccumulator, epsilon } = options;
    const rate = learningRate / (1 + (steps - 1) * learningRateDecay);
    const sumBuffer = buffer("sum");
    const isFirst = sumBuffer.value === null;
    updateByOps(target, gradient, { sum: sumBuffer }, (old) => {
      const direction = descent(gradient, target.value, options);
      const start = isFirst ? full(gradient.shape, initialAccumulator) : old.sum;
      const sum = add(start, square(direction));
      const step = div(direction, add(sqrt(sum), epsilon));
      return { parameter: sub(target.value, mul(step, rate)), sum };
    });
  }
}

/** Options of {@link Adadelta}; the defaults are PyTorch's. */
export interface AdadeltaOptions {
  /** Default 1. */
  readonly learningRate: number;
  /** Decay rate of both means. Default 0.9. */
  readonly rho: number;
  /** Added below both roots. Default 1e-6. */
  readonly epsilon: number;
  /** Factor of the L2 penalty, added to the gradient. Default 0. */
  readonly weightDecay: number;
  /** Climb instead of descend. Default false. */
  readonly maximize: boolean;
}

const ADADELTA_DEFAULTS: AdadeltaOptions = {
  learningRate: 1,
  rho: 0.9,
  epsilon: 1e-6,
  weightDecay: 0,
  maximize: false,
};

/**
 * Steps in the unit of the parameters, as `torch.optim.Adadelta`: `v ← ρv + (1 − ρ)g²`,
 * `d = g · √(u + ε) / √(v + ε)`, `u ← ρu + (1 − ρ)d²`, `p ← p − learningRate·d`.
 * @see Zeiler (2012), "ADADELTA: An Adaptive Learning Rate Method", https://arxiv.org/abs/1212.5701
 */
export class Adadelta extends Optimizer<AdadeltaOptions> {
  protected override readonly kind = "Adadelta";

  /** @throws InputError for options out of range. */
  constructor(
    parameters: readonly Parameter[] | readonly OptimizerGroupInput<AdadeltaOptions>[],
    options: Partial<AdadeltaOptions> = {},
  ) {
    super(parameters, ADADELTA_DEFAULTS, options);
  }

  protected override assertOptions({ learningRate, rho, epsilon, weightDecay }: AdadeltaOptions): void {
    assertNotNegative("Adadelta", { learningRate, epsilon, weightDecay });
    assertShare("Adadelta", "rho", rho);
  }

  protected override update(
    target: { value: Tensor },
    gradient: Tensor,
    options: AdadeltaOptions,
    buffer: (name: string) => OptimizerBuffer,
  ): void {
    const { learningRate, rho, epsilon } = options;
    const buffers = { meanSquare: buffer("meanSquare"), meanSquareStep: buffer("meanSquareStep") };
    updateByOps(target, gradient, buffers, (old) => {
      const direction = descent(gradient, target.value, options);
      const meanSquare = blend(old.meanSquare, square(direction), 1 - rho);
      const ratio = div(sqrt(add(old.meanSquareStep, epsilon)), sqrt(add(meanSquare, epsilon)));
      const step = mul(ratio, direction);
      const meanSquareStep = blend(old.meanSquareStep, square(step), 1 - rho);
      return { parameter: sub(target.value, mul(step, learningRate)), meanSquare, meanSquareStep };
    });
  }
}
