import { gelu, InputError, mul, ShapeError, sigmoid, silu, split, type Tensor } from "@ai/tensor";
import { assertTensor, formatShape } from "./checks.js";
import { Module } from "./module.js";
import { assertOptionNames } from "./training/option-names.js";

/** Options of the gated linear units. */
export interface GLUOptions {
  /** Axis that is cut into value and gate. Default −1, the last. */
  readonly axis?: number;
}

/** Cuts the input in two along an axis; one half lets the other through. */
abstract class Gated extends Module<[x: Tensor], Tensor> {
  readonly axis: number;

  /** @throws InputError for an axis that is no integer. */
  constructor(options: GLUOptions = {}) {
    super();
    assertOptionNames(new.target.name, options, ["axis"]);
    const { axis = -1 } = options;
    if (!Number.isInteger(axis))
      throw new InputError(`${new.target.name}: expected an integer axis, got ${String(axis)}`);
    this.axis = axis;
  }

  /** What the gate is passed through. */
  protected abstract gate(x: Tensor): Tensor;

  /**
   * @param x `[..., 2 · dim, ...]`: the value, then the gate.
   * @returns `[..., dim, ...]`
   * @throws ShapeError when there is no such axis or its size is odd.
   */
  protected forward(x: Tensor): Tensor {
    assertTensor(x);
    const axis = this.axis < 0 ? this.axis + x.shape.length : this.axis;
    const length = x.shape[axis];
    if (length === undefined || length % 2 !== 0)
      throw new ShapeError(`expected an even size of axis ${this.axis}, got ${formatShape(x.shape)}`);
    const [value, gate] = split(x, 2, { axis }); // [..., dim, ...] each
    return mul(value, this.gate(gate));
  }
}

/**
 * Gated linear unit: `value · σ(gate)`.
 * @see Dauphin, Fan, Auli, Grangier (2016), "Language modeling with gated convolutional networks", https://arxiv.org/abs/1612.08083
 */
export class GLU extends Gated {
  protected gate(x: Tensor): Tensor {
    return sigmoid(x);
  }
}

/**
 * `value · silu(gate)`: what Llama's feed-forward layers use.
 * @see Shazeer (2020), "GLU variants improve Transformer", https://arxiv.org/abs/2002.05202
 */
export class SwiGLU extends Gated {
  protected gate(x: Tensor): Tensor {
    return silu(x);
  }
}

/**
 * `value · gelu(gate)`.
 * @see Shazeer (2020), "GLU variants improve Transformer", https://arxiv.org/abs/2002.05202
 */
export class GeGLU extends Gated {
  protected gate(x: Tensor): Tensor {
    return gelu(x);
  }
}
