import { InputError, leakyRelu, lessEqual, mul, randomUniform, type Tensor, where } from "@ai/tensor";
import { assertTensor } from "./checks.js";
import { Module } from "./module.js";
import { assertOptionNames } from "./training/option-names.js";

/** Options of {@link RReLU}. */
export interface RReLUOptions {
  /** Least slope. Default 1/8. */
  readonly lower?: number;
  /** Largest slope. Default 1/3. */
  readonly upper?: number;
}

/**
 * `x` where it is positive, `slope · x` elsewhere: in training a slope for each number, drawn evenly from
 * `[lower, upper)` of the default generator; in evaluation their mean.
 * @see Xu, Wang, Chen, Li (2015), "Empirical evaluation of rectified activations in convolution network",
 * https://arxiv.org/abs/1505.00853
 */
export class RReLU extends Module<[x: Tensor], Tensor> {
  readonly lower: number;
  readonly upper: number;

  /** @throws InputError for a slope that is not finite, or lower above upper. */
  constructor(options: RReLUOptions = {}) {
    super();
    assertOptionNames(new.target.name, options, ["lower", "upper"]);
    const { lower = 1 / 8, upper = 1 / 3 } = options;
    if (!Number.isFinite(lower) || !Number.isFinite(upper) || lower > upper)
      throw new InputError(
        `${new.target.name}: expected finite slopes lower ≤ upper, got ${String(lower)} and ${String(upper)}`,
      );
    this.lower = lower;
    this.upper = upper;
  }

  /** @param x `[...]` @returns `[...]` */
  protected forward(x: Tensor): Tensor {
    assertTensor(x);
    const { lower, upper } = this;
    if (!this.training) return leakyRelu(x, { negativeSlope: (lower + upper) / 2 });
    return where(lessEqual(x, 0), mul(x, randomUniform(x.shape, { min: lower, max: upper })), x);
  }
}
