import {
  div,
  InputError,
  matMul,
  maximum,
  noGrad,
  randomNormal,
  reshape,
  sqrt,
  square,
  sum,
  type Tensor,
  tidy,
  transpose,
} from "@ai/tensor";
import { assertIntegers } from "../checks.js";
import { ConvTranspose } from "../conv-transpose.js";
import type { AnyModule } from "../module.js";
import { type Parameter, StateTensor } from "../parameter.js";
import { assertOptionNames } from "../training/option-names.js";
import { Parametrization } from "./computed-parameter.js";
import { parametrize } from "./parametrize.js";

/** Options of {@link spectralNorm}. */
export interface SpectralNormOptions {
  /** The parameter, by its name in checkpoints. Default `"weight"`. */
  readonly name?: string;
  /** Steps of the power method in each call that trains. Default 1. */
  readonly numPowerIterations?: number;
  /** Least length that is divided by. Default 1e-12. */
  readonly epsilon?: number;
  /** Axis in PyTorch's layout that holds the rows of the matrix. Default 0, for transposed convolutions 1. */
  readonly dim?: number;
}

interface SpectralNormSettings {
  readonly numPowerIterations: number;
  readonly epsilon: number;
  readonly dim: number;
}

/** Steps of the power method that PyTorch begins with. */
const FIRST_ITERATIONS = 15;

/** Largest singular value, and the two vectors that give it: PyTorch's names. */
class SpectralNorm extends Parametrization {
  static override readonly checkpointNames: Readonly<Record<string, string>> = {
    left: "0._u",
    right: "0._v",
  };
  // first, so that it has values when the vectors are drawn from them
  readonly original: Parameter;
  /** `[rows]`; none for a vector. */
  readonly left: StateTensor | undefined;
  /** `[columns]`, in PyTorch's order. */
  readonly right: StateTensor | undefined;
  readonly #settings: SpectralNormSettings;

  constructor(original: Parameter, settings: SpectralNormSettings) {
    super();
    this.original = original;
    this.#settings = settings;
    if (original.shape.length < 2) return;
    const rows = original.checkpointShape[settings.dim];
    const columns = original.shape.reduce((product, length) => product * length, 1) / rows;
    this.left = new StateTensor([rows], {
      initializer: (shape, generator) => {
        const matrix = this.#matrix();
        let left = this.#normalize(randomNormal([shape[0], 1], { generator }));
        for (let step = 0; step < FIRST_ITERATIONS; step++)
          left = this.#normalize(matMul(matrix, this.#normalize(matMul(matrix, left, { transposeA: true }))));
        return reshape(left, shape);
      },
    });
    this.right = new StateTensor([columns], {
      initializer: (shape) => {
        const left = reshape((this.left as StateTensor).value, [rows, 1]);
        return reshape(this.#normalize(matMul(this.#matrix(), left, { transposeA: true })), shape);
      },
    });
  }

  /** The weight as PyTorch's matrix. @returns `[rows, columns]` */
  #matrix(): Tensor {
    const { original } = this;
    const { dim } = this.#settings;
    const order = original.checkpointPermutation ?? original.shape.map((_, axis) => axis);
    const rowsFirst = [order[dim], ...order.filter((_, axis) => axis !== dim)];
    return reshape(transpose(original.value, rowsFirst), [original.checkpointShape[dim], -1]);
  }

  #normalize(x: Tensor): Tensor {
    return div(x, maximum(sqrt(sum(square(x))), this.#settings.epsilon));
  }

  protected forward(): Tensor {
    const weight = this.original.value;
    if (this.left === undefined || this.right === undefined) return this.#normalize(weight);
    const matrix = this.#matrix(); // [rows, columns]
    if (this.training) this.#iterate(this.left, this.right, matrix);
    const left = reshape(this.left.value, [1, -1]);
    const right = reshape(this.right.value, [-1, 1]);
    return div(weight, reshape(matMul(matMul(left, matrix), right), []));
  }

  /** Moves both vectors towards those of the largest singular value, unrecorded. */
  #iterate(leftState: StateTensor, rightState: StateTensor, matrix: Tensor): void {
    for (let step = 0; step < this.#settings.numPowerIterations; step++)
      noGrad(() => {
        const { shape } = leftState;
        leftState.setValue(
          tidy(() => reshape(this.#normalize(matMul(matrix, reshape(rightState.value, [-1, 1]))), shape)),
        );
        rightState.setValue(
          tidy(() => {
            const product = matMul(matrix, reshape(leftState.value, [-1, 1]), { transposeA: true });
            return reshape(this.#normalize(product), rightState.shape);
          }),
        );
      });
  }
}

/**
 * Divides a weight by its largest singular value, found by the power method, a step in each call that trains:
 * the layer's Lipschitz constant stays at 1. In checkpoints, as PyTorch's, `parametrizations.weight.original` is the
 * weight and `parametrizations.weight.0._u` and `0._v` are the vectors. A vector is divided by its length.
 * Make optimizers afterwards. {@link removeParametrization} undoes it.
 * @returns the layer.
 * @throws InputError when the layer itself has no such parameter, it is parametrized, or an option is out of range.
 * @see Miyato, Kataoka, Koyama, Yoshida (2018), "Spectral normalization for generative adversarial networks", https://arxiv.org/abs/1802.05957
 * @example
 * const layer = spectralNorm(new Conv2d(3, 64, 3, { padding: 1 }));
 */
export function spectralNorm<Layer extends AnyModule>(
  layer: Layer,
  options: SpectralNormOptions = {},
): Layer {
  assertOptionNames("spectralNorm", options, ["name", "numPowerIterations", "epsilon", "dim"]);
  const transposed = layer instanceof ConvTranspose;
  const { name = "weight", numPowerIterations = 1, epsilon = 1e-12, dim = transposed ? 1 : 0 } = options;
  assertIntegers("spectralNorm", { numPowerIterations });
  if (!(typeof epsilon === "number" && epsilon >= 0))
    throw new InputError(`spectralNorm: expected epsilon of at least 0, got ${epsilon}`);
  parametrize("spectralNorm", layer, name, (weight) => {
    const rank = weight.shape.length;
    if (!(Number.isInteger(dim) && dim >= -rank && dim < rank))
      throw new InputError(`spectralNorm: expected dim in [${-rank}, ${rank}), got ${dim}`);
    return new SpectralNorm(weight, { numPowerIterations, epsilon, dim: dim < 0 ? dim + rank : dim });
  });
  return layer;
}
