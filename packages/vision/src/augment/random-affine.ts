import { InputError } from "@ai/tensor";
import { assertNumbers, assertOneOf, assertOptionNames } from "../preprocess/checks.js";
import type { Fill } from "../preprocess/fill.js";
import { type AffineResample, affineOf, affineSample } from "./affine.js";
import { assertRange } from "./random-crop.js";
import { type Augmentation, assertSample, uniformBetween } from "./sample.js";

/** Options of {@link randomAffine}. */
export interface RandomAffineOptions {
  /** Turns by at most this many degrees either way, or from the first to the second. */
  readonly degrees?: number | readonly [number, number];
  /** Moves by at most this part of width and height, either way. */
  readonly translate?: readonly [number, number];
  /** Smallest and largest factor. */
  readonly scale?: readonly [number, number];
  /** Shears by at most this many degrees either way along x, or along x and y. */
  readonly shear?: number | readonly [number, number];
  /** nearest unless it says otherwise, as torchvision. */
  readonly resample?: AffineResample;
  /** What comes in from outside; 0 unless it says otherwise. */
  readonly fill?: Fill;
  /** A box of which a smaller part stays visible is left out; 0.1 unless it says otherwise. */
  readonly minVisibility?: number;
}

const NAMES = ["degrees", "translate", "scale", "shear", "resample", "fill", "minVisibility"];

/**
 * Turns, moves, scales and shears by chance around the middle, as torchvision's `RandomAffine`; what is left out stays.
 * A box becomes the smallest box around its moved corners.
 * @throws InputError for a translation outside [0, 1], or ranges that are not in order.
 */
export function randomAffine(options: RandomAffineOptions): Augmentation {
  const operation = "randomAffine";
  assertOptionNames(operation, options, NAMES);
  const { translate = [0, 0], scale = [1, 1], resample = "nearest", fill = 0, minVisibility = 0.1 } = options;
  const [minDegrees, maxDegrees] = bothWays(operation, "degrees", options.degrees ?? 0);
  const [shearX, shearY] = typeof options.shear === "number" ? [options.shear, 0] : (options.shear ?? [0, 0]);
  assertRange(operation, "scale", scale, Number.POSITIVE_INFINITY);
  assertNumbers(
    operation,
    { "translate[0]": translate[0], "translate[1]": translate[1], minVisibility },
    0,
    1,
  );
  assertNumbers(operation, { "shear[0]": shearX, "shear[1]": shearY }, 0, 89);
  assertOneOf(operation, "resample", resample, ["nearest", "bilinear"]);
  return (sample, context) => {
    assertSample(operation, sample, context);
    const { width, height } = sample.picture;
    const draw = (min: number, max: number): number => uniformBetween(context.generator, min, max);
    const degrees = draw(minDegrees, maxDegrees);
    const moved = [
      Math.round(draw(-translate[0] * width, translate[0] * width)),
      Math.round(draw(-translate[1] * height, translate[1] * height)),
    ] as const;
    const parts = {
      degrees,
      translate: moved,
      scale: draw(scale[0], scale[1]),
      shear: [draw(-shearX, shearX), draw(-shearY, shearY)] as const,
    };
    return affineSample(sample, affineOf([width / 2, height / 2], parts), { resample, fill, minVisibility });
  };
}

/**
 * Turns by chance around the middle; the frame stays.
 * @param degrees At most this many either way, or from the first to the second.
 * @throws InputError for degrees that are not in order.
 */
export function randomRotation(
  degrees: number | readonly [number, number],
  options: Pick<RandomAffineOptions, "resample" | "fill" | "minVisibility"> = {},
): Augmentation {
  assertOptionNames("randomRotation", options, ["resample", "fill", "minVisibility"]);
  bothWays("randomRotation", "degrees", degrees);
  return randomAffine({ ...options, degrees });
}

function bothWays(
  operation: string,
  name: string,
  value: number | readonly [number, number],
): readonly [number, number] {
  const range = typeof value === "number" ? ([-value, value] as const) : value;
  if (!(Array.isArray(range) && range.length === 2 && range[0] <= range[1] && range.every(Number.isFinite)))
    throw new InputError(
      `${operation}: expected ${name} as a number of at least 0 or two in order, got ${JSON.stringify(value)}`,
    );
  return range as readonly [number, number];
}
