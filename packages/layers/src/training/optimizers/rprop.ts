import { clip, full, greater, InputError, less, mul, neg, sign, sub, type Tensor, where } from "@ai/tensor";
import type { Parameter } from "../../parameter.js";
import { assertNotNegative, Optimizer, type OptimizerBuffer, type OptimizerGroupInput } from "./optimizer.js";
import { updateByOps } from "./plain-update.js";

/** Options of {@link Rprop}; the defaults are PyTorch's. */
export interface RpropOptions {
  /** The first step of each weight. Default 0.01. */
  readonly learningRate: number;
  /** Factors of a step when the gradient changed its sign, in (0, 1), and when it did not, above 1. Default [0.5, 1.2]. */
  readonly etas: readonly [number, number];
  /** The smallest and the largest step. Default [1e-6, 50]. */
  readonly stepSizes: readonly [number, number];
  /** Climb instead of descend. Default false. */
  readonly maximize: boolean;
}

const DEFAULTS: RpropOptions = {
  learningRate: 1e-2,
  etas: [0.5, 1.2],
  stepSizes: [1e-6, 50],
  maximize: false,
};

/**
 * Steps of a size of their own for each weight, of the gradient only the sign, as `torch.optim.Rprop`:
 * `s ← clip(s · (g·g' > 0 ? η⁺ : g·g' < 0 ? η⁻ : 1), s_min, s_max)`, `p ← p − s · sign(g)`, with `g ← 0` where the sign
 * changed, and `g'` the gradient before. For whole data sets: with small batches signs change by chance.
 * @see Riedmiller, Braun (1993), "A Direct Adaptive Method for Faster Backpropagation Learning: The RPROP Algorithm",
 * https://doi.org/10.1109/ICNN.1993.298623
 * @example
 * const optimizer = new Rprop(model.parameters(), { learningRate: 1e-3 });
 */
export class Rprop extends Optimizer<RpropOptions> {
  protected override readonly kind = "Rprop";

  /** @throws InputError for options out of range. */
  constructor(
    parameters: readonly Parameter[] | readonly OptimizerGroupInput<RpropOptions>[],
    options: Partial<RpropOptions> = {},
  ) {
    super(parameters, DEFAULTS, options);
  }

  protected override assertOptions({ learningRate, etas, stepSizes }: RpropOptions): void {
    assertNotNegative("Rprop", { learningRate });
    const areEtas = isPair(etas) && etas[0] > 0 && etas[0] < 1 && etas[1] > 1;
    if (!areEtas)
      throw new InputError(
        `Rprop: expected etas of one factor in (0, 1) and one above 1, got ${String(etas)}`,
      );
    if (!(isPair(stepSizes) && stepSizes[0] >= 0 && stepSizes[0] <= stepSizes[1]))
      throw new InputError(
        `Rprop: expected stepSizes of a smallest step of at least 0 and a largest, got ${String(stepSizes)}`,
      );
  }

  protected override update(
    target: { value: Tensor },
    gradient: Tensor,
    { learningRate, etas, stepSizes, maximize }: RpropOptions,
    buffer: (name: string) => OptimizerBuffer,
  ): void {
    const stepBuffer = buffer("stepSize");
    const isFirst = stepBuffer.value === null;
    const buffers = { stepSize: stepBuffer, previous: buffer("previous") };
    updateByOps(target, gradient, buffers, (old) => {
      const direction = maximize ? neg(gradient) : gradient;
      const agreement = mul(direction, old.previous); // [...]
      const isTurned = less(agreement, 0);
      const factor = where(isTurned, etas[0], where(greater(agreement, 0), etas[1], 1));
      const before = isFirst ? full(gradient.shape, learningRate) : old.stepSize;
      const stepSize = clip(mul(before, factor), { min: stepSizes[0], max: stepSizes[1] });
      const previous = where(isTurned, 0, direction);
      const parameter = sub(target.value, mul(sign(previous), stepSize));
      return { parameter, stepSize, previous };
    });
  }
}

function isPair(values: readonly number[]): boolean {
  return Array.isArray(values) && values.length === 2 && values.every(Number.isFinite);
}
