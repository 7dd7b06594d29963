import {
  add,
  defaultGenerator,
  InputError,
  mul,
  type RandomGenerator,
  roll,
  ShapeError,
  sub,
  type Tensor,
  tensor,
  tidy,
} from "@ai/tensor";
import { assertNumbers, assertOptionNames } from "../preprocess/checks.js";

/** Pictures and how much each belongs to each class. */
export interface MixableBatch {
  /** `[batch, height, width, channels]` */
  readonly images: Tensor;
  /** `[batch, classes]`, each row with the sum 1. */
  readonly labels: Tensor;
}

/** Options of {@link mixup} and {@link cutMix}. */
export interface MixOptions {
  /** Of the Beta distribution of the share: small values mix little; 1, every share alike, unless it says otherwise. */
  readonly alpha?: number;
  /** Where the numbers come from; the default generator when left out. */
  readonly generator?: RandomGenerator;
}

/** What is a difference in the last bit between engines must not change a share. */
const GRID = 2 ** 20;

/** A gamma variate by Marsaglia and Tsang's method. */
function gamma(shape: number, generator: RandomGenerator): number {
  // below 1: of the next higher shape, times a power of a uniform number
  if (shape < 1) return gamma(shape + 1, generator) * (1 - generator.uniform()) ** (1 / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const normal = generator.normal();
    const v = (1 + c * normal) ** 3;
    if (v <= 0) continue;
    if (Math.log(1 - generator.uniform()) < normal * normal * 0.5 + d * (1 - v + Math.log(v))) return d * v;
  }
}

/** A share in [0, 1] from Beta(alpha, alpha). */
function randomShare(alpha: number, generator: RandomGenerator): number {
  const [first, second] = [gamma(alpha, generator), gamma(alpha, generator)];
  const sum = first + second;
  return sum > 0 ? Math.round((first / sum) * GRID) / GRID : 0.5;
}

function checked(
  operation: string,
  { images, labels }: MixableBatch,
  options: MixOptions,
): Required<MixOptions> {
  assertOptionNames(operation, options, ["alpha", "generator"]);
  const { alpha = 1, generator = defaultGenerator() } = options;
  assertNumbers(operation, { alpha });
  if (alpha <= 0) throw new InputError(`${operation}: expected alpha above 0, got ${alpha}`);
  if (images?.shape?.length !== 4)
    throw new ShapeError(
      `${operation}: expected images [batch, height, width, channels], got [${images?.shape?.join(", ") ?? typeof images}]`,
    );
  if (labels?.shape?.length !== 2 || labels.shape[0] !== images.shape[0])
    throw new ShapeError(
      `${operation}: expected labels [${images.shape[0]}, classes], got [${labels?.shape?.join(", ") ?? typeof labels}]; give each picture a row of class shares`,
    );
  return { alpha, generator };
}

/** The rows of a batch, each one place further: whom each picture is mixed with. */
const neighbours = (x: Tensor): Tensor => roll(x, { shifts: 1, axes: 0 });

const mixed = (x: Tensor, share: number): Tensor => add(mul(x, share), mul(neighbours(x), 1 - share));

/**
 * Lays each picture over its neighbour in the batch, `share · x + (1 − share) · neighbour`, labels alike, with one
 * share for the batch.
 * @returns `images` and `labels` of the same shapes; the caller's. The batch stays the caller's too.
 * @throws ShapeError unless images are `[batch, height, width, channels]` and labels `[batch, classes]`; InputError for
 * an alpha that is not positive.
 * @see Zhang et al. (2018), "mixup: beyond empirical risk minimization", https://arxiv.org/abs/1710.09412
 */
export function mixup(batch: MixableBatch, options: MixOptions = {}): MixableBatch {
  const { alpha, generator } = checked("mixup", batch, options);
  const share = randomShare(alpha, generator);
  return tidy(() => ({ images: mixed(batch.images, share), labels: mixed(batch.labels, share) }));
}

/**
 * Puts a rectangle of the neighbour in the batch into each picture; labels are shared by area. One rectangle for the
 * batch.
 * @returns `images` and `labels` of the same shapes; the caller's. The batch stays the caller's too.
 * @throws ShapeError unless images are `[batch, height, width, channels]` and labels `[batch, classes]`; InputError for
 * an alpha that is not positive.
 * @see Yun et al. (2019), "CutMix: regularization strategy to train strong classifiers with localizable features",
 * https://arxiv.org/abs/1905.04899
 */
export function cutMix(batch: MixableBatch, options: MixOptions = {}): MixableBatch {
  const { alpha, generator } = checked("cutMix", batch, options);
  const [, height, width] = batch.images.shape;
  const half = 0.5 * Math.sqrt(1 - randomShare(alpha, generator));
  const [centerX, centerY] = [generator.integer(0, width), generator.integer(0, height)];
  const left = Math.max(0, Math.trunc(centerX - half * width));
  const right = Math.min(width, Math.trunc(centerX + half * width));
  const top = Math.max(0, Math.trunc(centerY - half * height));
  const bottom = Math.min(height, Math.trunc(centerY + half * height));
  const kept = new Float32Array(height * width).fill(1);
  for (let row = top; row < bottom; row++) kept.fill(0, row * width + left, row * width + right);
  const share = 1 - ((right - left) * (bottom - top)) / (width * height);
  return tidy(() => {
    const mask = tensor(kept, [1, height, width, 1]);
    return {
      images: add(mul(batch.images, mask), mul(neighbours(batch.images), sub(1, mask))),
      labels: mixed(batch.labels, share),
    };
  });
}
