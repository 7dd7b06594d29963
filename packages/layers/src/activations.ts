import {
  elu,
  expm1,
  gelu,
  greater,
  greaterEqual,
  hardSigmoid,
  hardSwish,
  InputError,
  leakyRelu,
  lessEqual,
  logSigmoid,
  logSoftmax,
  mish,
  mul,
  relu,
  relu6,
  ShapeError,
  selu,
  sigmoid,
  silu,
  softmax,
  softplus,
  type Tensor,
  tanh,
  where,
} from "@ai/tensor";
import { assertIntegers, assertOneOf, assertTensor, formatShape } from "./checks.js";
import { type ActivationLayer, type FoldedActivation, keepsForward } from "./folding.js";
import { constant } from "./initializers.js";
import { Module } from "./module.js";
import { Parameter } from "./parameter.js";
import { assertOptionNames } from "./training/option-names.js";

/** `max(x, 0)`. */
export class ReLU extends Module<[x: Tensor], Tensor> implements ActivationLayer {
  /** @internal */
  get foldedActivation(): FoldedActivation | undefined {
    return keepsForward(this, ReLU) ? "relu" : undefined;
  }

  /** @param x `[...]` @returns `[...]` */
  protected forward(x: Tensor): Tensor {
    return relu(x);
  }
}

/** Options of {@link GELU}. */
export interface GELUOptions {
  /** `"none"` (default) is exact, `"tanh"` the approximation that GPT-2 uses. */
  readonly approximate?: "none" | "tanh";
}

/**
 * Gaussian error linear unit: `x · Φ(x)`.
 * @see Hendrycks, Gimpel (2016), "Gaussian error linear units", https://arxiv.org/abs/1606.08415
 */
export class GELU extends Module<[x: Tensor], Tensor> {
  readonly approximate: "none" | "tanh";

  /** @throws InputError for another `approximate`. */
  constructor(options: GELUOptions = {}) {
    super();
    assertOptionNames(new.target.name, options, ["approximate"]);
    const { approximate = "none" } = options;
    assertOneOf("GELU", "approximate", approximate, ["none", "tanh"]);
    this.approximate = approximate;
  }

  /** @param x `[...]` @returns `[...]` */
  protected forward(x: Tensor): Tensor {
    return gelu(x, { approximate: this.approximate });
  }
}

/** Options of {@link Softmax}. */
export interface SoftmaxOptions {
  /** Axis whose numbers become positive with sum 1. Default −1, the last. */
  readonly axis?: number;
}

/** `exp(x) / Σ exp(x)` along an axis. */
export class Softmax extends Module<[x: Tensor], Tensor> {
  readonly axis: number;

  constructor(options: SoftmaxOptions = {}) {
    super();
    assertOptionNames(new.target.name, options, ["axis"]);
    const { axis = -1 } = options;
    this.axis = axis;
  }

  /**
   * @param x `[...]`
   * @returns `[...]`
   * @throws InputError when the axis is out of range.
   */
  protected forward(x: Tensor): Tensor {
    return softmax(x, { axis: this.axis });
  }
}

/** `min(max(x, 0), 6)`. */
export class ReLU6 extends Module<[x: Tensor], Tensor> implements ActivationLayer {
  /** @internal */
  get foldedActivation(): FoldedActivation | undefined {
    return keepsForward(this, ReLU6) ? "relu6" : undefined;
  }

  /** @param x `[...]` @returns `[...]` */
  protected forward(x: Tensor): Tensor {
    return relu6(x);
  }
}

/**
 * Scaled exponential linear unit: keeps mean 0 and variance 1 from layer to layer.
 * @see Klambauer et al. (2017), "Self-normalizing neural networks", https://arxiv.org/abs/1706.02515
 */
export class SELU extends Module<[x: Tensor], Tensor> {
  /** @param x `[...]` @returns `[...]` */
  protected forward(x: Tensor): Tensor {
    return selu(x);
  }
}

/**
 * `x · σ(x)`, also known as swish.
 * @see Elfwing, Uchibe, Doya (2017), https://arxiv.org/abs/1702.03118
 */
export class SiLU extends Module<[x: Tensor], Tensor> implements ActivationLayer {
  /** @internal */
  get foldedActivation(): FoldedActivation | undefined {
    return keepsForward(this, SiLU) ? "silu" : undefined;
  }

  /** @param x `[...]` @returns `[...]` */
  protected forward(x: Tensor): Tensor {
    return silu(x);
  }
}

/**
 * `x · tanh(softplus(x))`.
 * @see Misra (2019), "Mish: a self regularized non-monotonic activation function", https://arxiv.org/abs/1908.08681
 */
export class Mish extends Module<[x: Tensor], Tensor> {
  /** @param x `[...]` @returns `[...]` */
  protected forward(x: Tensor): Tensor {
    return mish(x);
  }
}

/**
 * `x · relu6(x + 3) / 6`.
 * @see Howard et al. (2019), "Searching for MobileNetV3", https://arxiv.org/abs/1905.02244
 */
export class Hardswish extends Module<[x: Tensor], Tensor> {
  /** @param x `[...]` @returns `[...]` */
  protected forward(x: Tensor): Tensor {
    return hardSwish(x);
  }
}

/** `relu6(x + 3) / 6`. */
export class Hardsigmoid extends Module<[x: Tensor], Tensor> {
  /** @param x `[...]` @returns `[...]` */
  protected forward(x: Tensor): Tensor {
    return hardSigmoid(x);
  }
}

/** `1 / (1 + exp(−x))`. */
export class Sigmoid extends Module<[x: Tensor], Tensor> {
  /** @param x `[...]` @returns `[...]` */
  protected forward(x: Tensor): Tensor {
    return sigmoid(x);
  }
}

/** `tanh(x)`. */
export class Tanh extends Module<[x: Tensor], Tensor> {
  /** @param x `[...]` @returns `[...]` */
  protected forward(x: Tensor): Tensor {
    return tanh(x);
  }
}

/** `ln σ(x)`, stable for any x. */
export class LogSigmoid extends Module<[x: Tensor], Tensor> {
  /** @param x `[...]` @returns `[...]` */
  protected forward(x: Tensor): Tensor {
    return logSigmoid(x);
  }
}

/** Options of {@link LeakyReLU}. */
export interface LeakyReLUOptions {
  /** Slope for negative numbers. Default 0.01. */
  readonly negativeSlope?: number;
}

/** `x` where it is positive, `negativeSlope · x` elsewhere. */
export class LeakyReLU extends Module<[x: Tensor], Tensor> {
  readonly negativeSlope: number;

  /** @throws InputError for a slope that is no number. */
  constructor(options: LeakyReLUOptions = {}) {
    super();
    assertOptionNames(new.target.name, options, ["negativeSlope"]);
    const { negativeSlope = 0.01 } = options;
    this.negativeSlope = finite("LeakyReLU", "negativeSlope", negativeSlope);
  }

  /** @param x `[...]` @returns `[...]` */
  protected forward(x: Tensor): Tensor {
    return leakyRelu(x, { negativeSlope: this.negativeSlope });
  }
}

/** Options of {@link PReLU}. */
export interface PReLUOptions {
  /** One slope for all (1, default) or one a channel, the last axis. */
  readonly numParameters?: number;
  /** Where the slopes start. Default 0.25. */
  readonly init?: number;
}

/**
 * `x` where it is positive, `weight · x` elsewhere, with learned slopes. Parameter: `weight` `[numParameters]`.
 * @see He, Zhang, Ren, Sun (2015), "Delving deep into rectifiers", https://arxiv.org/abs/1502.01852
 */
export class PReLU extends Module<[x: Tensor], Tensor> {
  readonly weight: Parameter;

  /** @throws InputError for a number of parameters below 1 or a start that is no number. */
  constructor(options: PReLUOptions = {}) {
    super();
    assertOptionNames(new.target.name, options, ["numParameters", "init"]);
    const { numParameters = 1, init = 0.25 } = options;
    assertIntegers("PReLU", { numParameters });
    this.weight = new Parameter([numParameters], { initializer: constant(finite("PReLU", "init", init)) });
  }

  /**
   * @param x `[..., channels]`
   * @returns `[..., channels]`
   * @throws ShapeError when there is more than one slope and not one a channel.
   */
  protected forward(x: Tensor): Tensor {
    assertTensor(x);
    const [count] = this.weight.shape;
    if (count !== 1 && x.shape.at(-1) !== count)
      throw new ShapeError(`expected an input of ${count} channels, got ${formatShape(x.shape)}`);
    const positive = greater(x, 0);
    // the inner 0: an infinite x would give the slope a gradient of 0 · ∞
    return where(positive, x, mul(this.weight.value, where(positive, 0, x)));
  }
}

/** Options of {@link ELU} and {@link CELU}. */
export interface ELUOptions {
  /** Where the curve ends for −∞ is −alpha. Default 1. */
  readonly alpha?: number;
}

/**
 * `x` where it is positive, `alpha · (exp(x) − 1)` elsewhere.
 * @see Clevert, Unterthiner, Hochreiter (2015), https://arxiv.org/abs/1511.07289
 */
export class ELU extends Module<[x: Tensor], Tensor> {
  readonly alpha: number;

  /** @throws InputError for an alpha that is no number. */
  constructor(options: ELUOptions = {}) {
    super();
    assertOptionNames(new.target.name, options, ["alpha"]);
    const { alpha = 1 } = options;
    this.alpha = finite("ELU", "alpha", alpha);
  }

  /** @param x `[...]` @returns `[...]` */
  protected forward(x: Tensor): Tensor {
    return elu(x, { alpha: this.alpha });
  }
}

/**
 * `x` where it is positive, `alpha · (exp(x / alpha) − 1)` elsewhere: ELU with a continuous derivative for any alpha.
 * @see Barron (2017), "Continuously differentiable exponential linear units", https://arxiv.org/abs/1704.07483
 */
export class CELU extends Module<[x: Tensor], Tensor> {
  readonly alpha: number;

  /** @throws InputError for an alpha of 0 or that is no number. */
  constructor(options: ELUOptions = {}) {
    super();
    assertOptionNames(new.target.name, options, ["alpha"]);
    const { alpha = 1 } = options;
    if (finite("CELU", "alpha", alpha) === 0)
      throw new InputError("CELU: expected alpha other than 0, got 0; the curve is scaled by it");
    this.alpha = alpha;
  }

  /** @param x `[...]` @returns `[...]` */
  protected forward(x: Tensor): Tensor {
    const { alpha } = this;
    if (alpha > 0) return mul(elu(mul(x, 1 / alpha)), alpha);
    assertTensor(x);
    const positive = greater(x, 0);
    return where(positive, x, mul(expm1(mul(where(positive, 0, x), 1 / alpha)), alpha));
  }
}

/** Options of {@link Softplus}. */
export interface SoftplusModuleOptions {
  /** Default 1. */
  readonly beta?: number;
  /** Where `beta · x` is above it the result is `x`. Default 20. */
  readonly threshold?: number;
}

/** `ln(1 + exp(beta · x)) / beta`. */
export class Softplus extends Module<[x: Tensor], Tensor> {
  readonly beta: number;
  readonly threshold: number;

  /** @throws InputError for a number that is not finite. */
  constructor(options: SoftplusModuleOptions = {}) {
    super();
    assertOptionNames(new.target.name, options, ["beta", "threshold"]);
    const { beta = 1, threshold = 20 } = options;
    this.beta = finite("Softplus", "beta", beta);
    this.threshold = finite("Softplus", "threshold", threshold);
  }

  /** @param x `[...]` @returns `[...]` */
  protected forward(x: Tensor): Tensor {
    return softplus(x, { beta: this.beta, threshold: this.threshold });
  }
}

/** Options of {@link Hardtanh}. */
export interface HardtanhOptions {
  /** Default −1. */
  readonly min?: number;
  /** Default 1. */
  readonly max?: number;
}

/** `x`, but at least `min` and at most `max`; its gradient there is 0. */
export class Hardtanh extends Module<[x: Tensor], Tensor> {
  readonly min: number;
  readonly max: number;

  /** @throws InputError when `min` is not below `max`. */
  constructor(options: HardtanhOptions = {}) {
    super();
    assertOptionNames(new.target.name, options, ["min", "max"]);
    const { min = -1, max = 1 } = options;
    if (typeof min !== "number" || typeof max !== "number" || !(min < max))
      throw new InputError(`Hardtanh: expected min below max, got ${min} and ${max}`);
    this.min = min;
    this.max = max;
  }

  /** @param x `[...]` @returns `[...]` */
  protected forward(x: Tensor): Tensor {
    assertTensor(x);
    const inside = where(greaterEqual(x, this.max), this.max, x);
    return where(lessEqual(x, this.min), this.min, inside);
  }
}

/** `ln softmax(x)` along an axis, stable for any x. */
export class LogSoftmax extends Module<[x: Tensor], Tensor> {
  readonly axis: number;

  constructor(options: SoftmaxOptions = {}) {
    super();
    assertOptionNames(new.target.name, options, ["axis"]);
    const { axis = -1 } = options;
    this.axis = axis;
  }

  /**
   * @param x `[...]`
   * @returns `[...]`
   * @throws InputError when the axis is out of range.
   */
  protected forward(x: Tensor): Tensor {
    return logSoftmax(x, { axis: this.axis });
  }
}

function finite(layer: string, name: string, value: number): number {
  if (!Number.isFinite(value))
    throw new InputError(`${layer}: expected a finite number for ${name}, got ${String(value)}`);
  return value;
}
