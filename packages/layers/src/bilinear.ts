import { add, einsum, reshape, ShapeError, type Tensor } from "@ai/tensor";
import { assertIntegers, assertTensor, formatShape } from "./checks.js";
import { fanInUniform } from "./initializers.js";
import { Module } from "./module.js";
import { Parameter } from "./parameter.js";
import { assertOptionNames } from "./training/option-names.js";

/** Options of {@link Bilinear}. */
export interface BilinearOptions {
  /** Whether to add a bias. Default true. */
  readonly bias?: boolean;
}

/**
 * `y_o = Σ_ij a_i · weight_oij · b_j + bias_o`.
 * Parameters: `weight` `[outFeatures, in1Features, in2Features]`, `bias` `[outFeatures]`, both from U(±1/√in1Features).
 */
export class Bilinear extends Module<[a: Tensor, b: Tensor], Tensor> {
  static override readonly quantizableWeights: RegExp | undefined = /^weight$/;
  readonly weight: Parameter;
  readonly bias: Parameter | undefined;

  /** @throws InputError for sizes that are not positive integers. */
  constructor(in1Features: number, in2Features: number, outFeatures: number, options: BilinearOptions = {}) {
    super();
    assertOptionNames(new.target.name, options, ["bias?"]);
    const { bias = true } = options;
    assertIntegers("Bilinear", { in1Features, in2Features, outFeatures });
    const initializer = fanInUniform(in1Features);
    this.weight = new Parameter([outFeatures, in1Features, in2Features], { initializer });
    this.bias = bias ? new Parameter([outFeatures], { initializer }) : undefined;
  }

  /**
   * @param a `[..., in1Features]`
   * @param b `[..., in2Features]`, the same axes before
   * @returns `[..., outFeatures]`
   * @throws ShapeError when the sizes do not fit.
   */
  protected forward(a: Tensor, b: Tensor): Tensor {
    assertTensor(a, "the first input");
    assertTensor(b, "the second input");
    const [, in1, in2] = this.weight.shape;
    if (
      a.shape.at(-1) !== in1 ||
      b.shape.at(-1) !== in2 ||
      formatShape(a.shape.slice(0, -1)) !== formatShape(b.shape.slice(0, -1))
    )
      throw new ShapeError(
        `expected inputs [..., ${in1}] and [..., ${in2}] that agree before, got ${formatShape(a.shape)} and ${formatShape(b.shape)}`,
      );
    const rows = a.size / in1;
    const product = einsum(
      "bi,oij,bj->bo",
      reshape(a, [rows, in1]),
      this.weight.value,
      reshape(b, [rows, in2]),
    ); // [rows, outFeatures]
    const sum = this.bias === undefined ? product : add(product, this.bias.value);
    return reshape(sum, [...a.shape.slice(0, -1), this.weight.shape[0]]); // [..., outFeatures]
  }
}
