import { linear, ShapeError, type Tensor } from "@ai/tensor";
import { assertIntegers, assertTensor, formatShape } from "./checks.js";
import { fanInUniform } from "./initializers.js";
import { Module } from "./module.js";
import { type Initializer, Parameter } from "./parameter.js";
import { assertOptionNames } from "./training/option-names.js";

/** Options of {@link Linear}. */
export interface LinearOptions {
  /** Whether to add a bias. Default true. */
  readonly bias?: boolean;
  /** Draws the first bias. Default U(±1/√inFeatures), like the weight. */
  readonly biasInitializer?: Initializer;
}

/**
 * Affine map of the last axis: `x · weightᵀ + bias`.
 *
 * Parameters: `weight` `[outFeatures, inFeatures]`, `bias` `[outFeatures]`, both from U(±1/√inFeatures).
 * @example
 * const layer = new Linear(784, 10);
 * const logits = layer.call(x); // x [batch, 784], logits [batch, 10]
 */
export class Linear extends Module<[x: Tensor], Tensor> {
  static override readonly quantizableWeights: RegExp | undefined = /^weight$/;
  readonly inFeatures: number;
  readonly outFeatures: number;
  /** May be replaced by another layer's, to share it. */
  weight: Parameter;
  readonly bias: Parameter | undefined;

  /** @throws InputError when a size is not an integer of at least 0. */
  constructor(inFeatures: number, outFeatures: number, options: LinearOptions = {}) {
    super();
    assertOptionNames(new.target.name, options, ["bias?", "biasInitializer"]);
    const { bias = true, biasInitializer } = options;
    assertIntegers("Linear", { inFeatures, outFeatures }, 0);
    this.inFeatures = inFeatures;
    this.outFeatures = outFeatures;
    const initializer = fanInUniform(inFeatures);
    this.weight = new Parameter([outFeatures, inFeatures], { initializer });
    this.bias = bias
      ? new Parameter([outFeatures], { initializer: biasInitializer ?? initializer })
      : undefined;
  }

  /**
   * @param x `[..., inFeatures]`
   * @returns `[..., outFeatures]`
   * @throws ShapeError when the last axis has another size.
   */
  protected forward(x: Tensor): Tensor {
    assertTensor(x);
    if (x.shape.at(-1) !== this.inFeatures)
      throw new ShapeError(`expected an input [..., ${this.inFeatures}], got ${formatShape(x.shape)}`);
    return linear(x, this.weight.value, this.bias?.value);
  }

  override multiplyAdds(_inputs: [x: Tensor], output: Tensor): number {
    return output.size * this.inFeatures;
  }
}
