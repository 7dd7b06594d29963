import {
  add,
  clip,
  div,
  InputError,
  maximum,
  mean,
  mul,
  neg,
  norm,
  rsqrt,
  type Shape,
  square,
  sub,
  type Tensor,
  zeros,
} from "@ai/tensor";
import type { Parameter } from "../../parameter.js";
import { fromCheckpointLayout, toCheckpointLayout } from "./checkpoint-layout.js";
import {
  assertNotNegative,
  Optimizer,
  type OptimizerBuffer,
  type OptimizerGroupInput,
  type UpdateContext,
} from "./optimizer.js";
import { lerp, updateByOps } from "./plain-update.js";

/** Options of {@link Adafactor}; the defaults are PyTorch's. */
export interface AdafactorOptions {
  /** Largest relative step; the rate of step t is at most `1 / √t`. Default 0.01. */
  readonly learningRate: number;
  /** Exponent of the step in the decay of the second moment, below 0. Default −0.8. */
  readonly beta2Decay: number;
  /** Bounds from below: of the second moment's root, and of the parameter's size. Default [2⁻²³, 0.001]. */
  readonly epsilons: readonly [number, number];
  /** Largest root mean square of an update before it is scaled (PyTorch's `d`). Default 1. */
  readonly clipThreshold: number;
  /** Decay of the parameter itself. Default 0. */
  readonly weightDecay: number;
  /** Climb instead of descend. Default false. */
  readonly maximize: boolean;
}

const DEFAULTS: AdafactorOptions = {
  learningRate: 1e-2,
  beta2Decay: -0.8,
  epsilons: [2 ** -23, 1e-3],
  clipThreshold: 1,
  weightDecay: 0,
  maximize: false,
};

/**
 * Adaptive steps with memory for one row and one column of each matrix only, as `torch.optim.Adafactor`: the second
 * moment of the last two axes is `row · column / mean(row)`, the step is scaled by the parameter's root mean square.
 * @see Shazeer, Stern (2018), "Adafactor: Adaptive Learning Rates with Sublinear Memory Cost", https://arxiv.org/abs/1804.04235
 */
export class Adafactor extends Optimizer<AdafactorOptions> {
  protected override readonly kind = "Adafactor";

  /** @throws InputError for options out of range. */
  constructor(
    parameters: readonly Parameter[] | readonly OptimizerGroupInput<AdafactorOptions>[],
    options: Partial<AdafactorOptions> = {},
  ) {
    super(parameters, DEFAULTS, options);
  }

  protected override assertOptions(options: AdafactorOptions): void {
    const { learningRate, beta2Decay, epsilons, clipThreshold, weightDecay } = options;
    assertNotNegative("Adafactor", { learningRate, weightDecay });
    if (
      !Array.isArray(epsilons) ||
      epsilons.length !== 2 ||
      !epsilons.every((each) => typeof each === "number" && each >= 0)
    )
      throw new InputError(`Adafactor: expected two epsilons of at least 0, got ${String(epsilons)}`);
    if (!(typeof beta2Decay === "number" && beta2Decay <= 0))
      throw new InputError(`Adafactor: expected beta2Decay of at most 0, got ${beta2Decay}`);
    if (!(typeof clipThreshold === "number" && clipThreshold >= 1))
      throw new InputError(`Adafactor: expected clipThreshold of at least 1, got ${clipThreshold}`);
  }

  protected override bufferShape(name: string, parameter: Parameter): Shape | undefined {
    const shape = parameter.checkpointShape;
    if (shape.length < 2) return name === "variance" ? shape : undefined;
    if (name === "rowVariance") return [...shape.slice(0, -1), 1];
    return name === "columnVariance" ? [...shape.slice(0, -2), 1, shape[shape.length - 1]] : undefined;
  }

  protected override update(
    target: { value: Tensor },
    gradient: Tensor,
    options: AdafactorOptions,
    buffer: (name: string) => OptimizerBuffer,
    { steps, parameter: owner }: UpdateContext,
  ): void {
    const { learningRate, beta2Decay, epsilons, clipThreshold, weightDecay, maximize } = options;
    const isFactored = owner.shape.length > 1;
    const names = isFactored ? ["rowVariance", "columnVariance"] : ["variance"];
    const buffers = Object.fromEntries(names.map((name) => [name, buffer(name)]));
    const share = steps ** beta2Decay;
    updateByOps(target, gradient, buffers, () => {
      const previous = (name: string): Tensor => buffers[name].value ?? zeros(this.bufferShape(name, owner)!);
      const value = toCheckpointLayout(owner, target.value); // [..., rows, columns]
      const direction = toCheckpointLayout(owner, maximize ? neg(gradient) : gradient);
      const squares = square(direction);
      const kept: Record<string, Tensor> = {};
      let variance: Tensor;
      if (isFactored) {
        const row = lerp(previous("rowVariance"), mean(squares, { axes: -1, keepDims: true }), share); // [..., rows, 1]
        const column = lerp(previous("columnVariance"), mean(squares, { axes: -2, keepDims: true }), share); // [..., 1, columns]
        const level = clip(mean(row, { axes: -2, keepDims: true }), { min: epsilons[0] }); // [..., 1, 1]
        variance = div(mul(row, column), level); // [..., rows, columns]
        Object.assign(kept, { rowVariance: row, columnVariance: column });
      } else {
        variance = lerp(previous("variance"), squares, share);
        kept.variance = variance;
      }
      const step = mul(rsqrt(clip(variance, { min: epsilons[0] ** 2 })), direction);
      const root = Math.sqrt(value.size);
      const size = maximum(mul(norm(value), 1 / root), epsilons[1]); // []
      const excess = maximum(mul(norm(step), 1 / (root * clipThreshold)), 1); // []
      const rate = mul(div(size, excess), Math.min(learningRate, 1 / Math.sqrt(steps)));
      const moved = sub(mul(value, 1 - learningRate * weightDecay), mul(step, rate));
      return { ...kept, parameter: fromCheckpointLayout(owner, add(moved, 0)) };
    });
  }
}
