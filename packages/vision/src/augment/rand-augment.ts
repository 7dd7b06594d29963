import { assertIntegers, assertNumbers, assertOneOf, assertOptionNames } from "../preprocess/checks.js";
import type { Fill } from "../preprocess/fill.js";
import type { Picture } from "../preprocess/picture.js";
import {
  type AffineParts,
  type AffineResample,
  type AffineSettings,
  affineOf,
  affineSample,
} from "./affine.js";
import {
  adjustBrightness,
  adjustContrast,
  adjustSaturation,
  adjustSharpness,
  autoContrast,
  equalize,
  posterize,
  solarize,
} from "./color-operations.js";
import { type Augmentation, assertSample, type VisionSample } from "./sample.js";

/** Options of {@link randAugment}; torchvision's defaults. */
export interface RandAugmentOptions {
  /** How many operations follow each other; 2 unless it says otherwise. */
  readonly numOperations?: number;
  /** How strong they are, from 0 to `numMagnitudes` − 1; 9 unless it says otherwise. */
  readonly magnitude?: number;
  /** How many strengths there are; 31 unless it says otherwise. */
  readonly numMagnitudes?: number;
  /** nearest unless it says otherwise. */
  readonly resample?: AffineResample;
  /** What comes in from outside; 0 unless it says otherwise. */
  readonly fill?: Fill;
  /** A box of which a smaller part stays visible is left out; 0.1 unless it says otherwise. */
  readonly minVisibility?: number;
}

/** An operation at a strength in [0, 1], `sign` −1 or 1 where it goes both ways. */
type Operation = <Sample extends VisionSample>(
  sample: Sample,
  strength: number,
  sign: number,
  settings: AffineSettings,
) => Sample;

const moving =
  (parts: (by: number, picture: Picture) => AffineParts, isAroundCorner = false): Operation =>
  (sample, strength, sign, settings) => {
    const { width, height } = sample.picture;
    const center = isAroundCorner ? ([0, 0] as const) : ([width / 2, height / 2] as const);
    return affineSample(sample, affineOf(center, parts(strength * sign, sample.picture)), settings);
  };

const coloring =
  (change: (picture: Picture, strength: number, sign: number) => Picture): Operation =>
  (sample, strength, sign) => ({ ...sample, picture: change(sample.picture, strength, sign) });

const RADIANS = 180 / Math.PI;
/** Part of a width or height that the strongest translation moves: of 331 pixels 150, as in the paper. */
const FARTHEST = 150 / 331;

/** The operations of the paper in torchvision's order and strengths. */
const OPERATIONS: readonly Operation[] = [
  (sample) => sample,
  moving((by) => ({ shear: [Math.atan(0.3 * by) * RADIANS, 0] }), true),
  moving((by) => ({ shear: [0, Math.atan(0.3 * by) * RADIANS] }), true),
  moving((by, { width }) => ({ translate: [Math.trunc(FARTHEST * width * by), 0] })),
  moving((by, { height }) => ({ translate: [0, Math.trunc(FARTHEST * height * by)] })),
  moving((by) => ({ degrees: 30 * by })),
  coloring((picture, strength, sign) => adjustBrightness(picture, 1 + 0.9 * strength * sign)),
  coloring((picture, strength, sign) => adjustSaturation(picture, 1 + 0.9 * strength * sign)),
  coloring((picture, strength, sign) => adjustContrast(picture, 1 + 0.9 * strength * sign)),
  coloring((picture, strength, sign) => adjustSharpness(picture, 1 + 0.9 * strength * sign)),
  coloring((picture, strength) => posterize(picture, 8 - Math.round(4 * strength))),
  coloring((picture, strength) => solarize(picture, 255 * (1 - strength))),
  coloring(autoContrast),
  coloring(equalize),
];

/**
 * A few operations drawn from fourteen, all of one strength.
 * @throws InputError for a magnitude outside [0, numMagnitudes).
 * @see Cubuk et al. (2020), "RandAugment: practical automated data augmentation with a reduced search space",
 * https://arxiv.org/abs/1909.13719
 */
export function randAugment(options: RandAugmentOptions = {}): Augmentation {
  const operation = "randAugment";
  assertOptionNames(operation, options, [
    "numOperations",
    "magnitude",
    "numMagnitudes",
    "resample",
    "fill",
    "minVisibility",
  ]);
  const { numOperations = 2, magnitude = 9, numMagnitudes = 31 } = options;
  const { resample = "nearest", fill = 0, minVisibility = 0.1 } = options;
  assertIntegers(operation, { numOperations, magnitude }, 0);
  assertIntegers(operation, { numMagnitudes }, 2);
  assertNumbers(operation, { magnitude }, 0, numMagnitudes - 1);
  assertNumbers(operation, { minVisibility }, 0, 1);
  assertOneOf(operation, "resample", resample, ["nearest", "bilinear"]);
  const strength = magnitude / (numMagnitudes - 1);
  return (sample, context) => {
    assertSample(operation, sample, context);
    let current = sample;
    for (let step = 0; step < numOperations; step++) {
      const chosen = OPERATIONS[context.generator.integer(0, OPERATIONS.length)];
      const sign = context.generator.bernoulli(0.5) ? -1 : 1;
      current = chosen(current, strength, sign, { resample, fill, minVisibility });
    }
    return current;
  };
}
