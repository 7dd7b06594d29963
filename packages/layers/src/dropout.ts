import { add, bernoulli, mul, ones, ShapeError, type Tensor, zerosLike } from "@ai/tensor";
import { assertProbability, assertShape, assertTensor, formatShape } from "./checks.js";
import { Module } from "./module.js";
import { axesOf } from "./pooling.js";

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

/** Shape of a mask of whole channels. @param x `[batch, ..., channels]` @returns `[batch, 1, ..., channels]` */
function channelMask(x: Tensor): number[] {
  return x.shape.map((length, axis) => (axis === 0 || axis === x.shape.length - 1 ? length : 1));
}

/** Drops whole channels of a sample. */
abstract class ChannelDropout extends Module<[x: Tensor], Tensor> {
  readonly probability: number;
  protected abstract readonly axes: number;

  /** @throws InputError for a probability outside [0, 1]. */
  constructor(probability = 0.5) {
    super();
    assertProbability(new.target.name, "probability", probability);
    this.probability = probability;
  }

  /**
   * @param x `[batch, ..., channels]`
   * @returns the shape of `x`
   * @throws ShapeError for another rank.
   */
  protected forward(x: Tensor): Tensor {
    assertShape(x, axesOf(this.axes));
    if (!this.training) return x;
    return mul(x, dropout(ones(channelMask(x)), this.probability));
  }
}

/**
 * Sets whole channels of sequences `[batch, length, channels]` to 0 in training and scales the others, as {@link Dropout}.
 * @see Tompson et al. (2015), "Efficient object localization using convolutional networks", https://arxiv.org/abs/1411.4280
 */
export class Dropout1d extends ChannelDropout {
  protected readonly axes = 1;
}

/**
 * Sets whole channels of images `[batch, height, width, channels]` to 0 in training and scales the others, as {@link Dropout}.
 * @see Tompson et al. (2015), "Efficient object localization using convolutional networks", https://arxiv.org/abs/1411.4280
 */
export class Dropout2d extends ChannelDropout {
  protected readonly axes = 2;
}

/**
 * Sets whole channels of volumes `[batch, depth, height, width, channels]` to 0 in training and scales the others, as {@link Dropout}.
 * @see Tompson et al. (2015), "Efficient object localization using convolutional networks", https://arxiv.org/abs/1411.4280
 */
export class Dropout3d extends ChannelDropout {
  protected readonly axes = 3;
}

/** What {@link SELU} tends to for −∞: minus its scale times its alpha. */
const SELU_FLOOR = -1.7580993408473766;

/**
 * Sets numbers to SELU's lowest value with the given probability in training, and scales and shifts all so that mean 0 and
 * variance 1 stay; gives the input back in evaluation. Goes with {@link SELU}.
 * @see Klambauer et al. (2017), "Self-normalizing neural networks", https://arxiv.org/abs/1706.02515
 */
export class AlphaDropout extends Module<[x: Tensor], Tensor> {
  readonly probability: number;

  /** @throws InputError for a probability outside [0, 1]. */
  constructor(probability = 0.5) {
    super();
    assertProbability("AlphaDropout", "probability", probability);
    this.probability = probability;
  }

  /** @param x `[...]` @returns `[...]` */
  protected forward(x: Tensor): Tensor {
    assertTensor(x);
    return this.training ? alphaDropout(x, this.probability, x.shape) : x;
  }
}

/**
 * {@link AlphaDropout} of whole channels of a sample.
 * @see Klambauer et al. (2017), "Self-normalizing neural networks", https://arxiv.org/abs/1706.02515
 */
export class FeatureAlphaDropout extends Module<[x: Tensor], Tensor> {
  readonly probability: number;

  /** @throws InputError for a probability outside [0, 1]. */
  constructor(probability = 0.5) {
    super();
    assertProbability("FeatureAlphaDropout", "probability", probability);
    this.probability = probability;
  }

  /**
   * @param x `[batch, ..., channels]`
   * @returns the shape of `x`
   * @throws ShapeError for fewer than two axes.
   */
  protected forward(x: Tensor): Tensor {
    assertTensor(x);
    if (x.shape.length < 2)
      throw new ShapeError(`expected an input [batch, ..., channels], got ${formatShape(x.shape)}`);
    return this.training ? alphaDropout(x, this.probability, channelMask(x)) : x;
  }
}

/** `x` `[...]` with numbers dropped where a mask of a shape that broadcasts says so. */
function alphaDropout(x: Tensor, probability: number, maskShape: readonly number[]): Tensor {
  if (probability === 0) return x;
  if (probability === 1) return mul(x, zerosLike(x));
  const scale = 1 / Math.sqrt((SELU_FLOOR ** 2 * probability + 1) * (1 - probability));
  const kept = bernoulli(maskShape, { probability: 1 - probability });
  // a dropped number becomes the floor, then all are scaled and shifted
  const shift = add(mul(kept, -scale * SELU_FLOOR), scale * SELU_FLOOR * (1 - probability));
  return add(mul(x, mul(kept, scale)), shift);
}

/** The op of {@link Dropout} in training. @param x `[...]` @returns `[...]`; `x` itself for probability 0. */
export function dropout(x: Tensor, probability: number): Tensor {
  if (probability === 0) return x;
  if (probability === 1) return mul(x, zerosLike(x));
  return mul(x, mul(bernoulli(x.shape, { probability: 1 - probability }), 1 / (1 - probability)));
}
