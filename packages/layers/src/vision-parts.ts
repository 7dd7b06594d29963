import {
  bernoulli,
  InputError,
  type InterpolationMode,
  interpolate,
  mean,
  mul,
  relu,
  reshape,
  ShapeError,
  sigmoid,
  type Tensor,
  transpose,
} from "@ai/tensor";
import { assertIntegers, assertOneOf, assertProbability, assertShape, assertTensor } from "./checks.js";
import { Conv2d } from "./conv.js";
import { Module } from "./module.js";
import { assertOptionNames } from "./training/option-names.js";

const IMAGE_AXES = ["batch", "height", "width", "channels"] as const;

/** Options of {@link Upsample}. */
export interface UpsampleOptions {
  /** Cells of the result along each spatial axis; one number for all. One of `size` and `scaleFactor` is required. */
  readonly size?: number | readonly number[];
  /**
   * Factor of each spatial axis; one number for all. Sizes are rounded down; the new cells stand as far apart as the factor
   * says, as in PyTorch.
   */
  readonly scaleFactor?: number | readonly number[];
  /**
   * Sequences: nearest, nearest-exact or linear; images: nearest, nearest-exact, bilinear or bicubic; volumes: nearest,
   * nearest-exact or trilinear. Default `"nearest"`.
   */
  readonly mode?: InterpolationMode;
  /** Whether the corner cells' centres stay where they are; not with nearest. Default false. */
  readonly alignCorners?: boolean;
}

/** Resizes sequences, images or volumes. */
export class Upsample extends Module<[x: Tensor], Tensor> {
  readonly size: number | readonly number[] | undefined;
  readonly scaleFactor: number | readonly number[] | undefined;
  readonly mode: InterpolationMode;
  readonly alignCorners: boolean;

  /** @throws InputError unless exactly one of size and scaleFactor is given, in range, and the mode is known. */
  constructor(options: UpsampleOptions) {
    super();
    assertOptionNames(new.target.name, options, ["size", "scaleFactor", "mode", "alignCorners?"]);
    const { size, scaleFactor, mode = "nearest", alignCorners = false } = options;
    if ((size === undefined) === (scaleFactor === undefined))
      throw new InputError("Upsample: expected one of size and scaleFactor, got both or none");
    assertOneOf("Upsample", "mode", mode, [
      "nearest",
      "nearest-exact",
      "linear",
      "bilinear",
      "bicubic",
      "trilinear",
    ]);
    if (mode.startsWith("nearest") && alignCorners)
      throw new InputError(`Upsample: expected alignCorners only with another mode than ${mode}, got both`);
    for (const count of [size ?? []].flat()) assertIntegers("Upsample", { size: count });
    for (const factor of [scaleFactor ?? []].flat())
      if (!(factor > 0 && Number.isFinite(factor)))
        throw new InputError(`Upsample: expected a scaleFactor above 0, got ${String(factor)}`);
    this.size = size;
    this.scaleFactor = scaleFactor;
    this.mode = mode;
    this.alignCorners = alignCorners;
  }

  /**
   * @param x `[batch, length, channels]`, `[batch, height, width, channels]` or `[batch, depth, height, width, channels]`
   * @returns the shape of `x` with other spatial sizes
   * @throws ShapeError for another rank; InputError when mode, size or scaleFactor are not for that many axes.
   */
  protected forward(x: Tensor): Tensor {
    assertTensor(x);
    const { size, scaleFactor, mode, alignCorners } = this;
    return interpolate(x, { size, scaleFactor, mode, alignCorners });
  }
}

/**
 * Turns groups of `factor²` channels into cells: an image `factor` times as high and wide.
 * @see Shi et al. (2016), "Real-time single image and video super-resolution", https://arxiv.org/abs/1609.05158
 */
export class PixelShuffle extends Module<[x: Tensor], Tensor> {
  readonly upscaleFactor: number;

  /** @throws InputError for a factor that is not a positive integer. */
  constructor(upscaleFactor: number) {
    super();
    assertIntegers("PixelShuffle", { upscaleFactor });
    this.upscaleFactor = upscaleFactor;
  }

  /**
   * @param x `[batch, height, width, channels · factor²]`
   * @returns `[batch, height · factor, width · factor, channels]`
   * @throws ShapeError for another rank, or channels that factor² does not divide.
   */
  protected forward(x: Tensor): Tensor {
    assertShape(x, IMAGE_AXES);
    const factor = this.upscaleFactor;
    const [batch, height, width, channels]: readonly number[] = x.shape;
    const out = channels / factor ** 2;
    if (!Number.isInteger(out))
      throw new ShapeError(`expected channels that ${factor ** 2} divides, got ${channels}`);
    // PyTorch's channel is (channel, row, column) of the new cell
    const cells = reshape(x, [batch, height, width, out, factor, factor]); // [batch, height, width, channels, row, column]
    const moved = transpose(cells, [0, 1, 4, 2, 5, 3]); // [batch, height, row, width, column, channels]
    return reshape(moved, [batch, height * factor, width * factor, out]);
  }
}

/**
 * Reverses {@link PixelShuffle}: turns squares of `factor` cells into channels.
 * @see Shi et al. (2016), "Real-time single image and video super-resolution", https://arxiv.org/abs/1609.05158
 */
export class PixelUnshuffle extends Module<[x: Tensor], Tensor> {
  readonly downscaleFactor: number;

  /** @throws InputError for a factor that is not a positive integer. */
  constructor(downscaleFactor: number) {
    super();
    assertIntegers("PixelUnshuffle", { downscaleFactor });
    this.downscaleFactor = downscaleFactor;
  }

  /**
   * @param x `[batch, height · factor, width · factor, channels]`
   * @returns `[batch, height, width, channels · factor²]`
   * @throws ShapeError for another rank, or a height or width that the factor does not divide.
   */
  protected forward(x: Tensor): Tensor {
    assertShape(x, IMAGE_AXES);
    const factor = this.downscaleFactor;
    const [batch, tall, wide, channels]: readonly number[] = x.shape;
    const [height, width] = [tall / factor, wide / factor];
    if (!Number.isInteger(height) || !Number.isInteger(width))
      throw new ShapeError(`expected a height and width that ${factor} divides, got ${tall} and ${wide}`);
    const cells = reshape(x, [batch, height, factor, width, factor, channels]); // [batch, height, row, width, column, channels]
    const moved = transpose(cells, [0, 1, 3, 5, 2, 4]); // [batch, height, width, channels, row, column]
    return reshape(moved, [batch, height, width, channels * factor ** 2]);
  }
}

/**
 * Drops whole samples of a residual branch in training, each with the given probability, and scales the others by
 * `1 / (1 − probability)`; gives its input back in evaluation.
 * @see Huang, Sun, Liu, Sedra, Weinberger (2016), "Deep networks with stochastic depth", https://arxiv.org/abs/1603.09382
 */
export class StochasticDepth extends Module<[x: Tensor], Tensor> {
  readonly probability: number;

  /** @throws InputError for a probability outside [0, 1). */
  constructor(probability: number) {
    super();
    assertProbability("StochasticDepth", "probability", probability);
    if (probability === 1)
      throw new InputError("StochasticDepth: expected a probability below 1, got 1; leave the branch out");
    this.probability = probability;
  }

  /** @param x `[batch, ...]` @returns `[batch, ...]` */
  protected forward(x: Tensor): Tensor {
    assertTensor(x);
    if (!this.training || this.probability === 0) return x;
    const kept = 1 - this.probability;
    const shape = [x.shape[0] ?? 1, ...x.shape.slice(1).map(() => 1)];
    return mul(x, mul(bernoulli(shape, { probability: kept }), 1 / kept));
  }
}

/**
 * Weighs channels by what the whole image holds: `x · σ(fc2(relu(fc1(mean(x)))))`, as torchvision's.
 * Submodules `fc1`, `fc2`: 1×1 convolutions.
 * @see Hu, Shen, Albanie, Sun, Wu (2017), "Squeeze-and-excitation networks", https://arxiv.org/abs/1709.01507
 */
export class SqueezeExcitation extends Module<[x: Tensor], Tensor> {
  readonly fc1: Conv2d;
  readonly fc2: Conv2d;

  /** @throws InputError for channels that are not positive integers. */
  constructor(inputChannels: number, squeezeChannels: number) {
    super();
    assertIntegers("SqueezeExcitation", { inputChannels, squeezeChannels });
    this.fc1 = new Conv2d(inputChannels, squeezeChannels, 1);
    this.fc2 = new Conv2d(squeezeChannels, inputChannels, 1);
  }

  /**
   * @param x `[batch, height, width, inputChannels]`
   * @returns the shape of `x`
   * @throws ShapeError for another rank or number of channels.
   */
  protected forward(x: Tensor): Tensor {
    assertShape(x, IMAGE_AXES, this.fc1.inChannels);
    const squeezed = mean(x, { axes: [1, 2], keepDims: true }); // [batch, 1, 1, inputChannels]
    return mul(x, sigmoid(this.fc2.call(relu(this.fc1.call(squeezed)))));
  }
}
