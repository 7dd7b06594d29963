import { InputError } from "@ai/tensor";
import { assertIntegers, assertNumbers, assertOneOf, assertOptionNames } from "../preprocess/checks.js";
import { cropImage } from "../preprocess/crop-image.js";
import type { Fill } from "../preprocess/fill.js";
import type { PadMode } from "../preprocess/pad-image.js";
import { padImage } from "../preprocess/pad-image.js";
import type { Picture } from "../preprocess/picture.js";
import type { Box } from "../preprocess/picture-transform.js";
import { RESAMPLES, type Resample } from "../preprocess/resample-filters.js";
import { resizeImage } from "../preprocess/resize-image.js";
import { type Augmentation, assertSample, moveBoxes, uniformBetween, type VisionSample } from "./sample.js";

/** Options of {@link randomCrop}. */
export interface RandomCropOptions {
  readonly width: number;
  readonly height: number;
  /** Pixels that are put at every side first; 0 unless it says otherwise. */
  readonly padding?: number;
  /** What they are; constant unless it says otherwise. */
  readonly mode?: PadMode;
  /** The colour of the mode constant; 0 unless it says otherwise. */
  readonly fill?: Fill;
  /** A box of which a smaller part stays visible is left out; 0.1 unless it says otherwise. */
  readonly minVisibility?: number;
}

/**
 * Cuts out a part of fixed size anywhere, after padding: what trains CIFAR classifiers.
 * @throws InputError for a size below 1; when it is called, for a picture that is smaller than the part.
 */
export function randomCrop(options: RandomCropOptions): Augmentation {
  assertOptionNames("randomCrop", options, ["width", "height", "padding", "mode", "fill", "minVisibility"]);
  const { width, height, padding = 0, mode = "constant", fill, minVisibility = 0.1 } = options;
  assertIntegers("randomCrop", { width, height });
  assertIntegers("randomCrop", { padding }, 0);
  assertNumbers("randomCrop", { minVisibility }, 0, 1);
  return (sample, context) => {
    assertSample("randomCrop", sample, context);
    const { picture, mask } = sample;
    const room = { x: picture.width + 2 * padding - width, y: picture.height + 2 * padding - height };
    if (room.x < 0 || room.y < 0)
      throw new InputError(
        `randomCrop: expected a picture of at least ${height} × ${width} with its padding, got ${picture.height} × ${picture.width} and ${padding}; resize it first or pad more`,
      );
    const left = context.generator.integer(0, room.x + 1);
    const top = context.generator.integer(0, room.y + 1);
    const sides = { left: padding, top: padding, right: padding, bottom: padding };
    const part = { left, top, width, height };
    const move = (box: Box): Box => [
      box[0] + padding - left,
      box[1] + padding - top,
      box[2] + padding - left,
      box[3] + padding - top,
    ];
    const padded = padding === 0 ? picture : padImage(picture, { ...sides, mode, fill });
    // of a mask the padding is class 0, or what it is of the picture
    const paddedMask = mask && (padding === 0 ? mask : padImage(mask, { ...sides, mode }));
    return {
      ...sample,
      picture: cropImage(padded, part),
      ...(paddedMask === undefined ? {} : { mask: cropImage(paddedMask, part) }),
      ...(sample.boxes === undefined ? {} : { boxes: moveBoxes(sample.boxes, move, part, minVisibility) }),
    };
  };
}

/** Options of {@link randomResizedCrop}. */
export interface RandomResizedCropOptions {
  readonly width: number;
  readonly height: number;
  /** Smallest and largest part of the picture's area; [0.08, 1] unless it says otherwise. */
  readonly scale?: readonly [number, number];
  /** Smallest and largest width to height; [3/4, 4/3] unless it says otherwise. */
  readonly ratio?: readonly [number, number];
  /** bilinear unless it says otherwise. */
  readonly resample?: Resample;
  /** A box of which a smaller part stays visible is left out; 0.1 unless it says otherwise. */
  readonly minVisibility?: number;
}

/**
 * Cuts out a part of random size and proportion and resizes it, as torchvision's `RandomResizedCrop`.
 * @throws InputError for sizes, scales or ratios that are not positive and in order.
 * @see Szegedy et al. (2015), "Going deeper with convolutions", section 6, https://arxiv.org/abs/1409.4842
 */
export function randomResizedCrop(options: RandomResizedCropOptions): Augmentation {
  const operation = "randomResizedCrop";
  assertOptionNames(operation, options, ["width", "height", "scale", "ratio", "resample", "minVisibility"]);
  const {
    width,
    height,
    scale = [0.08, 1],
    ratio = [3 / 4, 4 / 3],
    resample = "bilinear",
    minVisibility = 0.1,
  } = options;
  assertIntegers(operation, { width, height });
  assertOneOf(operation, "resample", resample, RESAMPLES);
  assertNumbers(operation, { minVisibility }, 0, 1);
  assertRange(operation, "scale", scale, 1);
  assertRange(operation, "ratio", ratio, Number.POSITIVE_INFINITY);
  return (sample, context) => {
    assertSample(operation, sample, context);
    const part = randomPart(sample.picture, scale, ratio, context.generator);
    return resizePart(sample, part, { width, height, resample, minVisibility });
  };
}

/** @throws InputError unless 0 < first ≤ second ≤ maximum. */
export function assertRange(
  operation: string,
  name: string,
  range: readonly [number, number],
  maximum: number,
): void {
  if (
    !Array.isArray(range) ||
    range.length !== 2 ||
    !(range[0] > 0 && range[0] <= range[1] && range[1] <= maximum)
  )
    throw new InputError(
      `${operation}: expected ${name} as [smallest, largest] above 0 and at most ${maximum}, got ${JSON.stringify(range)}`,
    );
}

interface Part {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** A part of random area and proportion; after ten that do not fit, the largest in the middle. */
function randomPart(
  { width, height }: Picture,
  scale: readonly [number, number],
  ratio: readonly [number, number],
  generator: Parameters<Augmentation>[1]["generator"],
): Part {
  for (let attempt = 0; attempt < 10; attempt++) {
    const area = width * height * uniformBetween(generator, scale[0], scale[1]);
    const aspect = Math.exp(uniformBetween(generator, Math.log(ratio[0]), Math.log(ratio[1])));
    const partWidth = Math.round(Math.sqrt(area * aspect));
    const partHeight = Math.round(Math.sqrt(area / aspect));
    if (partWidth < 1 || partHeight < 1 || partWidth > width || partHeight > height) continue;
    return {
      left: generator.integer(0, width - partWidth + 1),
      top: generator.integer(0, height - partHeight + 1),
      width: partWidth,
      height: partHeight,
    };
  }
  const aspect = Math.min(ratio[1], Math.max(ratio[0], width / height));
  const partWidth = Math.max(1, Math.min(width, Math.round(height * aspect)));
  const partHeight = Math.max(1, Math.min(height, Math.round(width / aspect)));
  return {
    left: Math.floor((width - partWidth) / 2),
    top: Math.floor((height - partHeight) / 2),
    width: partWidth,
    height: partHeight,
  };
}

function resizePart<Sample extends VisionSample>(
  sample: Sample,
  part: Part,
  { width, height, resample, minVisibility }: Required<Omit<RandomResizedCropOptions, "scale" | "ratio">>,
): Sample {
  const { picture, mask, boxes } = sample;
  const [scaleX, scaleY] = [width / part.width, height / part.height];
  const move = (box: Box): Box => [
    (box[0] - part.left) * scaleX,
    (box[1] - part.top) * scaleY,
    (box[2] - part.left) * scaleX,
    (box[3] - part.top) * scaleY,
  ];
  const resized = (source: Picture, filter: Resample): Picture =>
    resizeImage(cropImage(source, part), { width, height, resample: filter });
  return {
    ...sample,
    picture: resized(picture, resample),
    ...(mask === undefined ? {} : { mask: resized(mask, "nearest") }),
    ...(boxes === undefined ? {} : { boxes: moveBoxes(boxes, move, { width, height }, minVisibility) }),
  };
}
