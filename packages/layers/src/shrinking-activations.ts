import {
  abs,
  add,
  div,
  greater,
  InputError,
  lessEqual,
  mul,
  softmax,
  sub,
  type Tensor,
  tanh,
  where,
} from "@ai/tensor";
import type { SoftmaxOptions } from "./activations.js";
import { assertShape, assertTensor } from "./checks.js";
import { Module } from "./module.js";
import { axesOf } from "./pooling.js";
import { assertOptionNames } from "./training/option-names.js";

/** `x / (1 + |x|)`. */
export class Softsign extends Module<[x: Tensor], Tensor> {
  /** @param x `[...]` @returns `[...]` */
  protected forward(x: Tensor): Tensor {
    assertTensor(x);
    return div(x, add(abs(x), 1));
  }
}

/** `x − tanh(x)`. */
export class Tanhshrink extends Module<[x: Tensor], Tensor> {
  /** @param x `[...]` @returns `[...]` */
  protected forward(x: Tensor): Tensor {
    assertTensor(x);
    return sub(x, tanh(x));
  }
}

/** Options of {@link Softshrink} and {@link Hardshrink}. */
export interface ShrinkOptions {
  /** Up to here, on both sides of 0, the result is 0. Default 0.5. */
  readonly lambda?: number;
}

function lambdaOf(layer: string, { lambda = 0.5 }: ShrinkOptions): number {
  if (!(lambda >= 0 && Number.isFinite(lambda)))
    throw new InputError(`${layer}: expected a lambda of at least 0, got ${lambda}`);
  return lambda;
}

/** `x − lambda` above lambda, `x + lambda` below −lambda, 0 between; NaN stays NaN. */
export class Softshrink extends Module<[x: Tensor], Tensor> {
  readonly lambda: number;

  /** @throws InputError for a negative lambda. */
  constructor(options: ShrinkOptions = {}) {
    super();
    assertOptionNames(new.target.name, options, ["lambda"]);
    this.lambda = lambdaOf("Softshrink", options);
  }

  /** @param x `[...]` @returns `[...]` */
  protected forward(x: Tensor): Tensor {
    assertTensor(x);
    const shrunk = where(greater(x, 0), sub(x, this.lambda), add(x, this.lambda));
    return where(lessEqual(abs(x), this.lambda), 0, shrunk);
  }
}

/** `x` outside ±lambda, 0 between; NaN stays NaN. */
export class Hardshrink extends Module<[x: Tensor], Tensor> {
  readonly lambda: number;

  /** @throws InputError for a negative lambda. */
  constructor(options: ShrinkOptions = {}) {
    super();
    assertOptionNames(new.target.name, options, ["lambda"]);
    this.lambda = lambdaOf("Hardshrink", options);
  }

  /** @param x `[...]` @returns `[...]` */
  protected forward(x: Tensor): Tensor {
    assertTensor(x);
    return where(lessEqual(abs(x), this.lambda), 0, x);
  }
}

/** Options of {@link Threshold}. */
export interface ThresholdOptions {
  /** Numbers above it stay. */
  readonly threshold: number;
  /** What the others become. */
  readonly value: number;
}

/** `x` above the threshold, `value` up to it; NaN stays NaN. */
export class Threshold extends Module<[x: Tensor], Tensor> {
  readonly threshold: number;
  readonly value: number;

  /** @throws InputError for a number that is not finite. */
  constructor(options: ThresholdOptions) {
    super();
    assertOptionNames(new.target.name, options, ["threshold", "value"]);
    const { threshold, value } = options;
    if (!Number.isFinite(threshold) || !Number.isFinite(value))
      throw new InputError(
        `Threshold: expected a finite threshold and value, got ${String(threshold)} and ${String(value)}`,
      );
    this.threshold = threshold;
    this.value = value;
  }

  /** @param x `[...]` @returns `[...]` */
  protected forward(x: Tensor): Tensor {
    assertTensor(x);
    return where(lessEqual(x, this.threshold), this.value, x);
  }
}

/** `exp(−x) / Σ exp(−x)` along an axis. */
export class Softmin extends Module<[x: Tensor], Tensor> {
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
    assertTensor(x);
    return softmax(mul(x, -1), { axis: this.axis });
  }
}

/** `exp(x) / Σ exp(x)` over the channels of each pixel. */
export class Softmax2d extends Module<[x: Tensor], Tensor> {
  /**
   * @param x `[batch, height, width, channels]`
   * @returns `[batch, height, width, channels]`, of each pixel positive with sum 1
   * @throws ShapeError for another rank.
   */
  protected forward(x: Tensor): Tensor {
    assertShape(x, axesOf(2));
    return softmax(x);
  }
}
