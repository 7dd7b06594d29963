import { abs, add, div, maximum, mul, neg, sqrt, square, sub, type Tensor } from "@ai/tensor";
import type { Parameter } from "../../parameter.js";
import {
  assertBetas,
  assertNotNegative,
  Optimizer,
  type OptimizerBuffer,
  type OptimizerGroupInput,
  type UpdateContext,
} from "./optimizer.js";
import { blend, descent, lerp, updateByOps } from "./plain-update.js";

/** PyTorch's base of NAdam's rising momentum. */
const MOMENTUM_BASE = 0.96;
/** Below this length of the average its variance is not defined, and RAdam takes plain steps. */
const SHORTEST_AVERAGE = 5;

/** Options of {@link Adamax}; the defaults are PyTorch's. */
export interface AdamaxOptions {
  /** Default 0.002. */
  readonly learningRate: number;
  /** Decay rates of the mean and of the largest gradient. Default [0.9, 0.999]. */
  readonly betas: readonly [number, number];
  /** Added to the size of the gradient. Default 1e-8. */
  readonly epsilon: number;
  /** Factor of the L2 penalty, added to the gradient. Default 0. */
  readonly weightDecay: number;
  /** Climb instead of descend. Default false. */
  readonly maximize: boolean;
}

/**
 * Adam with the largest gradient in place of the root mean square, as `torch.optim.Adamax`: `m ← β₁m + (1 − β₁)g`,
 * `u ← max(β₂u, |g| + ε)`, `p ← p − learningRate / (1 − β₁ᵗ) · m / u`.
 * @see Kingma, Ba (2015), "Adam: A Method for Stochastic Optimization", https://arxiv.org/abs/1412.6980, section 7.1
 */
export class Adamax extends Optimizer<AdamaxOptions> {
  protected override readonly kind = "Adamax";

  /** @throws InputError for options out of range. */
  constructor(
    parameters: readonly Parameter[] | readonly OptimizerGroupInput<AdamaxOptions>[],
    options: Partial<AdamaxOptions> = {},
  ) {
    super(
      parameters,
      { learningRate: 2e-3, betas: [0.9, 0.999], epsilon: 1e-8, weightDecay: 0, maximize: false },
      options,
    );
  }

  protected override assertOptions({ learningRate, epsilon, weightDecay, betas }: AdamaxOptions): void {
    assertNotNegative("Adamax", { learningRate, epsilon, weightDecay });
    assertBetas("Adamax", betas);
  }

  protected override update(
    target: { value: Tensor },
    gradient: Tensor,
    options: AdamaxOptions,
    buffer: (name: string) => OptimizerBuffer,
    { steps }: UpdateContext,
  ): void {
    const { learningRate, betas, epsilon } = options;
    const buffers = { firstMoment: buffer("firstMoment"), largest: buffer("largest") };
    updateByOps(target, gradient, buffers, (old) => {
      const direction = descent(gradient, target.value, options);
      const firstMoment = lerp(old.firstMoment, direction, 1 - betas[0]);
      const largest = maximum(mul(old.largest, betas[1]), add(abs(direction), epsilon));
      const rate = learningRate / (1 - betas[0] ** steps);
      return { parameter: sub(target.value, mul(div(firstMoment, largest), rate)), firstMoment, largest };
    });
  }
}

/** Options of {@link RAdam}; the defaults are PyTorch's. */
export interface RAdamOptions {
  /** Default 0.001. */
  readonly learningRate: number;
  /** Decay rates of the two moments. Default [0.9, 0.999]. */
  readonly betas: readonly [number, number];
  /** Added to the denominator. Default 1e-8. */
  readonly epsilon: number;
  /** Factor of the L2 penalty, or the decay of the parameter itself with `decoupledWeightDecay`. Default 0. */
  readonly weightDecay: number;
  /** Shrink the parameter by `learningRate · weightDecay` instead of adding to the gradient. Default false. */
  readonly decoupledWeightDecay: boolean;
  /** Climb instead of descend. Default false. */
  readonly maximize: boolean;
}

/** Options of {@link NAdam}; the defaults are PyTorch's, its learning rate 0.002. */
export interface NAdamOptions extends RAdamOptions {
  /** How fast the momentum rises to the first beta. Default 0.004. */
  readonly momentumDecay: number;
}

const MOMENT_DEFAULTS: RAdamOptions = {
  learningRate: 1e-3,
  betas: [0.9, 0.999],
  epsilon: 1e-8,
  weightDecay: 0,
  decoupledWeightDecay: false,
  maximize: false,
};

interface Moments {
  readonly direction: Tensor;
  /** The parameter after its own decay. */
  readonly start: Tensor;
  readonly firstMoment: Tensor;
  readonly secondMoment: Tensor;
}

/** Both moments of an update of {@link NAdam} or {@link RAdam}, each `[...]`. */
function moments(
  parameter: Tensor,
  gradient: Tensor,
  { betas, weightDecay, decoupledWeightDecay, learningRate, maximize }: RAdamOptions,
  old: Readonly<Record<"firstMoment" | "secondMoment", Tensor>>,
): Moments {
  const signed = maximize ? neg(gradient) : gradient;
  const isPenalty = weightDecay !== 0 && !decoupledWeightDecay;
  const direction = isPenalty ? add(signed, mul(parameter, weightDecay)) : signed;
  return {
    direction,
    start: decoupledWeightDecay ? mul(parameter, 1 - learningRate * weightDecay) : parameter,
    firstMoment: lerp(old.firstMoment, direction, 1 - betas[0]),
    secondMoment: blend(old.secondMoment, square(direction), 1 - betas[1]),
  };
}

/**
 * Adam with Nesterov's look ahead, as `torch.optim.NAdam`: with `μₜ = β₁ · (1 − 0.96^(t · momentumDecay) / 2)`,
 * `p ← p − learningRate · ((1 − μₜ) / (1 − Πμ) · g + μₜ₊₁ / (1 − Πμ · μₜ₊₁) · m) / (√v̂ + ε)`.
 * @see Dozat (2016), "Incorporating Nesterov Momentum into Adam", https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ
 */
export class NAdam extends Optimizer<NAdamOptions> {
  protected override readonly kind = "NAdam";

  /** @throws InputError for options out of range. */
  constructor(
    parameters: readonly Parameter[] | readonly OptimizerGroupInput<NAdamOptions>[],
    options: Partial<NAdamOptions> = {},
  ) {
    super(parameters, { ...MOMENT_DEFAULTS, learningRate: 2e-3, momentumDecay: 4e-3 }, options);
  }

  protected override assertOptions(options: NAdamOptions): void {
    const { learningRate, epsilon, weightDecay, momentumDecay, betas } = options;
    assertNotNegative("NAdam", { learningRate, epsilon, weightDecay, momentumDecay });
    assertBetas("NAdam", betas);
  }

  protected override update(
    target: { value: Tensor },
    gradient: Tensor,
    options: NAdamOptions,
    buffer: (name: string) => OptimizerBuffer,
    { steps, numbers }: UpdateContext,
  ): void {
    const { learningRate, betas, epsilon, momentumDecay } = options;
    const momentum = (step: number): number => betas[0] * (1 - 0.5 * MOMENTUM_BASE ** (step * momentumDecay));
    const [now, next] = [momentum(steps), momentum(steps + 1)];
    const product = (numbers.get("momentumProduct") ?? 1) * now;
    numbers.set("momentumProduct", product);
    const buffers = { firstMoment: buffer("firstMoment"), secondMoment: buffer("secondMoment") };
    updateByOps(target, gradient, buffers, (old) => {
      const { direction, start, firstMoment, secondMoment } = moments(target.value, gradient, options, old);
      const root = sqrt(mul(secondMoment, 1 / (1 - betas[1] ** steps)));
      const ahead = add(
        mul(direction, (1 - now) / (1 - product)),
        mul(firstMoment, next / (1 - product * next)),
      );
      const step = div(ahead, add(root, epsilon));
      return { parameter: sub(start, mul(step, learningRate)), firstMoment, secondMoment };
    });
  }
}

/**
 * Adam that takes plain momentum steps until its second moment can be trusted, as `torch.optim.RAdam`: with
 * `ρ∞ = 2 / (1 − β₂) − 1` and `ρₜ = ρ∞ − 2t·β₂ᵗ / (1 − β₂ᵗ)`, Adam's step times
 * `√((ρₜ−4)(ρₜ−2)ρ∞ / ((ρ∞−4)(ρ∞−2)ρₜ))` where `ρₜ > 5`, else `learningRate · m̂`.
 * @see Liu, Jiang, He, Chen, Liu, Gao, Han (2020), "On the Variance of the Adaptive Learning Rate and Beyond",
 * https://arxiv.org/abs/1908.03265
 */
export class RAdam extends Optimizer<RAdamOptions> {
  protected override readonly kind = "RAdam";

  /** @throws InputError for options out of range. */
  constructor(
    parameters: readonly Parameter[] | readonly OptimizerGroupInput<RAdamOptions>[],
    options: Partial<RAdamOptions> = {},
  ) {
    super(parameters, MOMENT_DEFAULTS, options);
  }

  protected override assertOptions({ learningRate, epsilon, weightDecay, betas }: RAdamOptions): void {
    assertNotNegative("RAdam", { learningRate, epsilon, weightDecay });
    assertBetas("RAdam", betas);
  }

  protected override update(
    target: { value: Tensor },
    gradient: Tensor,
    options: RAdamOptions,
    buffer: (name: string) => OptimizerBuffer,
    { steps }: UpdateContext,
  ): void {
    const { learningRate, betas, epsilon } = options;
    const corrections = betas.map((beta) => 1 - beta ** steps);
    const longest = 2 / (1 - betas[1]) - 1;
    const length = longest - (2 * steps * betas[1] ** steps) / corrections[1];
    const buffers = { firstMoment: buffer("firstMoment"), secondMoment: buffer("secondMoment") };
    updateByOps(target, gradient, buffers, (old) => {
      const { start, firstMoment, secondMoment } = moments(target.value, gradient, options, old);
      const mean = mul(firstMoment, 1 / corrections[0]);
      if (length <= SHORTEST_AVERAGE)
        return { parameter: sub(start, mul(mean, learningRate)), firstMoment, secondMoment };
      const rectified = Math.sqrt(
        ((length - 4) * (length - 2) * longest) / ((longest - 4) * (longest - 2) * length),
      );
      const factor = learningRate * rectified * Math.sqrt(corrections[1]);
      const step = mul(div(mean, add(sqrt(secondMoment), epsilon)), factor);
      return { parameter: sub(start, step), firstMoment, secondMoment };
    });
  }
}
