import { InputError, type RandomGenerator } from "@ai/tensor";
import { assertPicture, type Picture } from "../preprocess/picture.js";
import type { Box } from "../preprocess/picture-transform.js";

/** An object in a picture. */
export interface LabeledBox {
  /** Edges in pixels of the picture. */
  readonly box: Box;
  /** Class index. */
  readonly label: number;
  /** A group of objects that COCO drew one box around. */
  readonly isCrowd?: boolean;
  /** An object that Pascal VOC leaves out of scores. */
  readonly isDifficult?: boolean;
  /** Area of the object itself in square pixels, where it is known and smaller than the box. */
  readonly area?: number;
}

/** A picture and what is known about it. */
export interface VisionSample {
  readonly picture: Picture;
  /** Class index of the whole picture. */
  readonly label?: number;
  readonly boxes?: readonly LabeledBox[];
  /** Grey picture of the same size: a class index for each pixel. */
  readonly mask?: Picture;
}

/** Where an augmentation draws from: a {@link RandomGenerator}, as a dataset's `ItemContext` has it. */
export interface AugmentContext {
  readonly generator: RandomGenerator;
}

/**
 * Changes a sample by chance; boxes and mask move with the picture, other fields stay. It is the function that
 * `MappedDataset` and `MappedSource` take.
 */
export type Augmentation = <Sample extends VisionSample>(sample: Sample, context: AugmentContext) => Sample;

/**
 * One augmentation after the other.
 * @throws InputError when one of them is no function.
 * @example
 * const augment = compose([randomResizedCrop({ width: 224, height: 224 }), randomHorizontalFlip(), randAugment()]);
 * const data = new MappedDataset(pictures, augment);
 */
export function compose(augmentations: readonly Augmentation[]): Augmentation {
  if (!Array.isArray(augmentations))
    throw new InputError(`compose: expected an array of augmentations, got ${typeof augmentations}`);
  const wrong = augmentations.findIndex((augmentation) => typeof augmentation !== "function");
  if (wrong >= 0)
    throw new InputError(
      `compose: expected functions, got ${typeof augmentations[wrong]} at position ${wrong}; call it with its options first`,
    );
  return (sample, context) => {
    assertSample("compose", sample, context);
    return augmentations.reduce((current, augmentation) => augmentation(current, context), sample);
  };
}

/** @throws InputError unless `sample` has a picture, a mask of its size, and `context` a generator. */
export function assertSample(operation: string, sample: VisionSample, context: AugmentContext): void {
  if (typeof sample !== "object" || sample === null || !("picture" in sample))
    throw new InputError(
      `${operation}: expected a sample { picture, … }, got ${sample === null ? "null" : typeof sample}`,
    );
  const { picture, mask } = sample;
  assertPicture(operation, picture);
  if (mask !== undefined) {
    assertPicture(operation, mask);
    if (mask.width !== picture.width || mask.height !== picture.height || mask.channels !== 1)
      throw new InputError(
        `${operation}: expected a mask of ${picture.height} × ${picture.width} × 1, got ${mask.height} × ${mask.width} × ${mask.channels}`,
      );
  }
  if (typeof context?.generator?.uniform !== "function")
    throw new InputError(`${operation}: expected a context { generator }, got none; pass a RandomGenerator`);
}

/** A number in [min, max). Takes one word. */
export function uniformBetween(generator: RandomGenerator, min: number, max: number): number {
  return min + (max - min) * generator.uniform();
}

/**
 * Boxes after a move, cut off at the picture's edges.
 * @param minVisibility A box of which a smaller part of its area stays in the picture is left out.
 */
export function moveBoxes(
  boxes: readonly LabeledBox[] | undefined,
  move: (box: Box) => Box,
  { width, height }: { readonly width: number; readonly height: number },
  minVisibility: number,
): readonly LabeledBox[] | undefined {
  return boxes?.flatMap((object) => {
    const [left, top, right, bottom] = move(object.box);
    const box = [
      Math.max(0, left),
      Math.max(0, top),
      Math.min(width, right),
      Math.min(height, bottom),
    ] as const;
    const area = (right - left) * (bottom - top);
    const visible = Math.max(0, box[2] - box[0]) * Math.max(0, box[3] - box[1]);
    if (visible <= 0 || visible < minVisibility * area) return [];
    const { area: ownArea, ...rest } = object;
    if (ownArea === undefined) return [{ ...rest, box }];
    // the object's own area shrinks as its box does
    const [before0, before1, before2, before3] = object.box;
    const before = (before2 - before0) * (before3 - before1);
    return [{ ...rest, box, area: before > 0 ? (ownArea * visible) / before : visible }];
  });
}
