import { gelu, relu, softmax, type Tensor } from "@ai/tensor";
import { assertOneOf } from "./checks.js";
import { Module } from "./module.js";

/** `max(x, 0)`. */
export class ReLU extends Module<[x: Tensor], Tensor> {
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
  constructor({ approximate = "none" }: GELUOptions = {}) {
    super();
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

  constructor({ axis = -1 }: SoftmaxOptions = {}) {
    super();
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
