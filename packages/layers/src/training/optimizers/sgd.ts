import { InputError, sgdUpdate, type Tensor } from "@ai/tensor";
import type { Parameter } from "../../parameter.js";
import { assertNotNegative, Optimizer, type OptimizerBuffer, type OptimizerGroupInput } from "./optimizer.js";

/** Options of {@link SGD}. */
export interface SgdOptions {
  readonly learningRate: number;
  /** Share of the last step that the next one keeps. Default 0. */
  readonly momentum: number;
  /** Share of the gradient that momentum leaves out. Default 0. */
  readonly dampening: number;
  /** Factor of the L2 penalty, added to the gradient. Default 0. */
  readonly weightDecay: number;
  /** Look ahead along the momentum. Default false. */
  readonly nesterov: boolean;
  /** Climb instead of descend. Default false. */
  readonly maximize: boolean;
}

const DEFAULTS: SgdOptions = {
  learningRate: Number.NaN, // none: it must be given
  momentum: 0,
  dampening: 0,
  weightDecay: 0,
  nesterov: false,
  maximize: false,
};

/**
 * Stochastic gradient descent with momentum, as `torch.optim.SGD`:
 * `g ← gradient + weightDecay·p`, `b ← momentum·b + (1 − dampening)·g`, `p ← p − learningRate·(nesterov ? g + momentum·b : b)`.
 * @see Sutskever, Martens, Dahl, Hinton (2013), "On the importance of initialization and momentum in deep learning",
 * https://proceedings.mlr.press/v28/sutskever13.html
 * @example
 * const optimizer = new SGD(model.parameters(), { learningRate: 0.1, momentum: 0.9, nesterov: true });
 */
export class SGD extends Optimizer<SgdOptions> {
  protected override readonly kind = "SGD";
  /** @throws InputError for options out of range, or nesterov without momentum or with dampening. */
  constructor(
    parameters: readonly Parameter[] | readonly OptimizerGroupInput<SgdOptions>[],
    options: Partial<SgdOptions> & Pick<SgdOptions, "learningRate">,
  ) {
    super(parameters, DEFAULTS, options);
  }

  protected override assertOptions(options: SgdOptions): void {
    const { learningRate, momentum, weightDecay, dampening, nesterov } = options;
    assertNotNegative("SGD", { learningRate, momentum, weightDecay });
    if (!Number.isFinite(dampening))
      throw new InputError(`SGD: expected a finite dampening, got ${dampening}`);
    if (nesterov && (momentum === 0 || dampening !== 0))
      throw new InputError(
        `SGD: expected momentum and no dampening with nesterov, got ${momentum} and ${dampening}`,
      );
  }

  protected override update(
    target: { value: Tensor },
    gradient: Tensor,
    { learningRate, momentum, dampening, weightDecay, nesterov, maximize }: SgdOptions,
    buffer: (name: string) => OptimizerBuffer,
  ): void {
    const options = { learningRate, momentum, dampening, weightDecay, nesterov, maximize };
    const all = momentum === 0 ? options : { ...options, momentumBuffer: buffer("momentumBuffer") };
    sgdUpdate(target, gradient, all);
  }
}
