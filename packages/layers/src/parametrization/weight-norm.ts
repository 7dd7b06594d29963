import { div, InputError, mul, noGrad, reshape, sqrt, square, sum, type Tensor, tidy } from "@ai/tensor";
import type { AnyModule } from "../module.js";
import { Parameter } from "../parameter.js";
import { assertOptionNames } from "../training/option-names.js";
import { Parametrization } from "./computed-parameter.js";
import { parametrize } from "./parametrize.js";

/** The dim by which PyTorch means one norm of all, as by None. */
const WHOLE = -1;

/** Options of {@link weightNorm}. */
export interface WeightNormOptions {
  /** The parameter, by its name in checkpoints. Default `"weight"`. */
  readonly name?: string;
  /**
   * Axis in PyTorch's layout that keeps a norm of its own for each index. Default 0: one an output. null takes one norm of
   * all, and so does −1, as in PyTorch; from −2 on negative ones count from the end.
   */
  readonly dim?: number | null;
}

/** `g · v / ‖v‖` with `original0` = g and `original1` = v, PyTorch's names. */
class WeightNorm extends Parametrization {
  // first, so that it has values when original0's are drawn from them
  readonly original1: Parameter;
  readonly original0: Parameter;
  readonly #axes: readonly number[];

  constructor(direction: Parameter, dim: number | null) {
    super();
    const { shape, checkpointPermutation, requiresGrad } = direction;
    const kept = dim === null ? -1 : (checkpointPermutation?.[dim] ?? dim);
    this.#axes = shape.map((_, axis) => axis).filter((axis) => axis !== kept);
    this.original1 = direction;
    const normShape = dim === null ? [] : shape.map((length, axis) => (axis === kept ? length : 1));
    this.original0 = new Parameter(normShape, {
      initializer: () => this.#norm(),
      checkpointPermutation: dim === null ? undefined : checkpointPermutation,
      requiresGrad,
    });
    if (direction.hasValue) this.original0.setValue(noGrad(() => tidy(() => this.#norm())));
  }

  #norm(): Tensor {
    const norms = sqrt(sum(square(this.original1.value), { axes: [...this.#axes], keepDims: true }));
    return reshape(norms, this.original0.shape);
  }

  protected forward(): Tensor {
    return mul(this.original1.value, div(this.original0.value, this.#norm()));
  }
}

/**
 * Splits a weight into length and direction, `weight = g · v / ‖v‖`, which are trained apart. The layer gives the same
 * results as before. In checkpoints, as PyTorch's, `parametrizations.weight.original0` is `g` and `original1` is `v`;
 * the older `weight_g` and `weight_v` load through the mapping
 * `[{ from: "{p*}weight_g", to: "{p*}parametrizations.weight.original0" }, { from: "{p*}weight_v", to: "{p*}parametrizations.weight.original1" }]`.
 * Make optimizers afterwards: the parameters change. {@link removeParametrization} undoes it.
 * @returns the layer.
 * @throws InputError when the layer itself has no such parameter, it is parametrized, or the axis is out of range.
 * @see Salimans, Kingma (2016), "Weight normalization", https://arxiv.org/abs/1602.07868
 * @example
 * const layer = weightNorm(new Conv1d(80, 256, 3));
 */
export function weightNorm<Layer extends AnyModule>(layer: Layer, options: WeightNormOptions = {}): Layer {
  assertOptionNames("weightNorm", options, ["name", "dim"]);
  const { name = "weight", dim = 0 } = options;
  parametrize("weightNorm", layer, name, (weight) => {
    const rank = weight.shape.length;
    if (dim === null || dim === WHOLE) return new WeightNorm(weight, null);
    if (!(Number.isInteger(dim) && dim >= -rank && dim < rank))
      throw new InputError(`weightNorm: expected dim in [${-rank}, ${rank}) or null, got ${dim}`);
    return new WeightNorm(weight, dim < 0 ? dim + rank : dim);
  });
  return layer;
}
