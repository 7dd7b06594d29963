import { assertNumbers, assertOptionNames } from "../preprocess/checks.js";
import { orientPicture } from "../preprocess/orient-picture.js";
import type { Picture } from "../preprocess/picture.js";
import type { Box } from "../preprocess/picture-transform.js";
import { type Augmentation, assertSample, moveBoxes, type VisionSample } from "./sample.js";

/** Options of the flips. */
export interface FlipOptions {
  /** How often a sample is flipped; 0.5 unless it says otherwise. */
  readonly probability?: number;
}

/** EXIF's numbers of the two mirror images. */
const MIRRORED = 2;
const UPSIDE_DOWN = 4;

/** The picture with left and right exchanged. */
export function flipHorizontally(picture: Picture): Picture {
  return orientPicture(picture, MIRRORED);
}

/** The picture with top and bottom exchanged. */
export function flipVertically(picture: Picture): Picture {
  return orientPicture(picture, UPSIDE_DOWN);
}

function flipSample<Sample extends VisionSample>(
  sample: Sample,
  flip: (picture: Picture) => Picture,
  move: (box: Box) => Box,
): Sample {
  const { picture, mask, boxes } = sample;
  return {
    ...sample,
    picture: flip(picture),
    ...(mask === undefined ? {} : { mask: flip(mask) }),
    ...(boxes === undefined ? {} : { boxes: moveBoxes(boxes, move, picture, 0) }),
  };
}

/** Exchanges left and right by chance. @throws InputError for a probability outside [0, 1]. */
export function randomHorizontalFlip(options: FlipOptions = {}): Augmentation {
  assertOptionNames("randomHorizontalFlip", options, ["probability"]);
  const { probability = 0.5 } = options;
  assertNumbers("randomHorizontalFlip", { probability }, 0, 1);
  return (sample, context) => {
    assertSample("randomHorizontalFlip", sample, context);
    if (!context.generator.bernoulli(probability)) return sample;
    const { width } = sample.picture;
    return flipSample(sample, flipHorizontally, ([left, top, right, bottom]) => [
      width - right,
      top,
      width - left,
      bottom,
    ]);
  };
}

/** Exchanges top and bottom by chance. @throws InputError for a probability outside [0, 1]. */
export function randomVerticalFlip(options: FlipOptions = {}): Augmentation {
  assertOptionNames("randomVerticalFlip", options, ["probability"]);
  const { probability = 0.5 } = options;
  assertNumbers("randomVerticalFlip", { probability }, 0, 1);
  return (sample, context) => {
    assertSample("randomVerticalFlip", sample, context);
    if (!context.generator.bernoulli(probability)) return sample;
    const { height } = sample.picture;
    return flipSample(sample, flipVertically, ([left, top, right, bottom]) => [
      left,
      height - bottom,
      right,
      height - top,
    ]);
  };
}
