import {
  abs,
  avgPool1d,
  avgPool2d,
  avgPool3d,
  InputError,
  mul,
  pow,
  relu,
  sign,
  type Tensor,
} from "@ai/tensor";
import { PoolNd } from "./pooling.js";
import { assertOptionNames } from "./training/option-names.js";

/** Options of {@link LPPool1d}, {@link LPPool2d} and {@link LPPool3d}: one number for all axes, or one each. */
export interface LPPoolOptions {
  /** Default: the kernel's size. */
  readonly stride?: number | readonly number[];
  /** Round the output's size up, so that the last cells may be covered in part. Default false. */
  readonly ceilMode?: boolean;
}

const AVERAGES = [avgPool1d, avgPool2d, avgPool3d];

/** `(Σ xᵖ)^(1/p)` of each window, as PyTorch computes it: a window that ends outside counts as if it were full of its mean. */
abstract class LPPool extends PoolNd<Tensor> {
  readonly normType: number;

  constructor(
    normType: number,
    kernelSize: number | readonly number[],
    options: LPPoolOptions & { readonly axes: number },
  ) {
    super(kernelSize, options);
    if (!(Number.isFinite(normType) && normType !== 0))
      throw new InputError(
        `${new.target.name}: expected a normType other than 0, got ${String(normType)}; for ∞ use max pooling`,
      );
    this.normType = normType;
  }

  /**
   * @param x `[batch, ..., channels]`
   * @returns `[batch, ..., channels]`
   * @throws ShapeError for another rank.
   */
  protected forward(x: Tensor): Tensor {
    const windows = this.windowsOf(x);
    const cells = this.kernelSize.reduce((product, length) => product * length, 1);
    const means = AVERAGES[this.kernelSize.length - 1](pow(x, this.normType), windows);
    return pow(mul(mul(sign(means), relu(abs(means))), cells), 1 / this.normType);
  }
}

/** `(Σ xᵖ)^(1/p)` of each window and channel of sequences `[batch, length, channels]`; p is `normType`. */
export class LPPool1d extends LPPool {
  /** @throws InputError when a size is not an integer in range or the norm is 0 or infinite. */
  constructor(normType: number, kernelSize: number | readonly number[], options: LPPoolOptions = {}) {
    assertOptionNames(new.target.name, options, ["stride", "ceilMode?"]);
    super(normType, kernelSize, { ...options, axes: 1 });
  }
}

/** `(Σ xᵖ)^(1/p)` of each window and channel of images `[batch, height, width, channels]`; p is `normType`. */
export class LPPool2d extends LPPool {
  /** @throws InputError when a size is not an integer in range or the norm is 0 or infinite. */
  constructor(normType: number, kernelSize: number | readonly number[], options: LPPoolOptions = {}) {
    assertOptionNames(new.target.name, options, ["stride", "ceilMode?"]);
    super(normType, kernelSize, { ...options, axes: 2 });
  }
}

/** `(Σ xᵖ)^(1/p)` of each window and channel of volumes `[batch, depth, height, width, channels]`; p is `normType`. */
export class LPPool3d extends LPPool {
  /** @throws InputError when a size is not an integer in range or the norm is 0 or infinite. */
  constructor(normType: number, kernelSize: number | readonly number[], options: LPPoolOptions = {}) {
    assertOptionNames(new.target.name, options, ["stride", "ceilMode?"]);
    super(normType, kernelSize, { ...options, axes: 3 });
  }
}
