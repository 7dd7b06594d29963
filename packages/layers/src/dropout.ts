import { bernoulli, mul, type Tensor, zerosLike } from "@ai/tensor";
import { assertProbability, assertTensor } from "./checks.js";
import { Module } from "./module.js";

/**
 * Sets each number to 0 with the given probability in training and scales the others by `1 / (1 − probability)`;
 * gives the input back in evaluation.
 *
 * Numbers come from the default generator: `manualSeed` repeats them on every device, a checkpoint of its state resumes
 * them, and `checkpoint` recomputes the same mask.
 * @see Srivastava et al. (2014), "Dropout", https://jmlr.org/papers/v15/srivastava14a.html
 */
export class Dropout extends Module<[x: Tensor], Tensor> {
  readonly probability: number;

  /** @throws InputError for a probability outside [0, 1]. */
  constructor(probability = 0.5) {
    super();
    assertProbability("Dropout", "probability", probability);
    this.probability = probability;
  }

  /** @param x `[...]` @returns `[...]` */
  protected forward(x: Tensor): Tensor {
    assertTensor(x);
    return this.training ? dropout(x, this.probability) : x;
  }
}

/** The op of {@link Dropout} in training. @param x `[...]` @returns `[...]`; `x` itself for probability 0. */
export function dropout(x: Tensor, probability: number): Tensor {
  if (probability === 0) return x;
  if (probability === 1) return mul(x, zerosLike(x));
  return mul(x, mul(bernoulli(x.shape, { probability: 1 - probability }), 1 / (1 - probability)));
}
