import type { ItemContext } from "@ai/layers/training";
import { InputError } from "@ai/tensor";
import type { LabeledBox, VisionSample } from "../augment/sample.js";
import { convertChannels } from "../preprocess/convert-channels.js";
import type { Picture } from "../preprocess/picture.js";
import type { Box } from "../preprocess/picture-transform.js";
import { resizeImage } from "../preprocess/resize-image.js";

/**
 * Pictures and what is known about them: with a `label` each, such as `imageFolder` gives, or with `boxes`, such as
 * `vocDataset`, `cocoDataset` and `yoloDataset` give.
 */
export interface PictureSet {
  readonly length: number;
  /** Names of the classes; labels are indices into it. */
  readonly classes: readonly string[];
  get(index: number, context?: ItemContext): VisionSample | Promise<VisionSample>;
}

/** A picture of a size and its class. */
export interface ClassSample extends VisionSample {
  readonly label: number;
}

/** A picture of a size and its objects. */
export interface BoxSample extends VisionSample {
  readonly boxes: readonly LabeledBox[];
}

/** Width and height that pictures are brought to, in pixels. */
export interface SampleSize {
  readonly width: number;
  readonly height: number;
}

/** What a kind of training wants of its pictures. */
export interface PictureSetRule {
  readonly minClasses: number;
  /** What makes such a set; errors name it. */
  readonly maker: string;
}

/** @throws InputError unless both are pictures with classes, the same ones. */
export function assertPictureSets(
  operation: string,
  { data, validation }: { readonly data: PictureSet; readonly validation: PictureSet | undefined },
  rule: PictureSetRule,
): void {
  assertPictureSet(operation, "data", data, rule);
  if (validation === undefined) return;
  assertPictureSet(operation, "validation", validation, rule);
  const [known, given] = [data, validation].map(({ classes }) => JSON.stringify(classes));
  if (known !== given)
    throw new InputError(
      `${operation}: expected validation with the classes of data, ${known}, got ${given}; a label would mean another class there`,
    );
}

function assertPictureSet(
  operation: string,
  name: string,
  set: PictureSet,
  { minClasses, maker }: PictureSetRule,
): void {
  if (!Number.isInteger(set?.length) || typeof set.get !== "function" || !Array.isArray(set.classes))
    throw new InputError(
      `${operation}: expected ${name} as pictures { length, classes, get }, got ${set === null ? "null" : typeof set}; make them with ${maker}`,
    );
  if (set.length === 0 || set.classes.length < minClasses)
    throw new InputError(
      `${operation}: expected ${name} with pictures of at least ${minClasses === 1 ? "one class" : "two classes"}, got ${set.length} of ${set.classes.length}`,
    );
}

/**
 * Samples that are read, decoded and resized once, since training goes over them many times. They stay in memory,
 * `width · height · 3` bytes each.
 */
export class KeptSamples<Sample extends VisionSample> {
  readonly #source: PictureSet;
  readonly #fit: (sample: VisionSample, index: number) => Sample;
  readonly #kept: (Promise<Sample> | undefined)[];

  /** @param fit Brings a sample to the size of the training. */
  constructor(source: PictureSet, fit: (sample: VisionSample, index: number) => Sample) {
    this.#source = source;
    this.#fit = fit;
    this.#kept = new Array(source.length);
  }

  get length(): number {
    return this.#source.length;
  }

  /** @throws InputError for a picture that cannot be read; the next call reads it again. */
  get(index: number): Promise<Sample> {
    this.#kept[index] ??= this.#read(index);
    return this.#kept[index];
  }

  async #read(index: number): Promise<Sample> {
    try {
      return this.#fit(await this.#source.get(index), index);
    } catch (error) {
      this.#kept[index] = undefined;
      throw error;
    }
  }

  /** At most `count` pictures, evenly over the set. */
  async some(count: number, signal: AbortSignal | undefined): Promise<Picture[]> {
    const step = Math.max(1, this.length / count);
    const chosen: Picture[] = [];
    for (let index = 0; index < this.length; index += step) {
      signal?.throwIfAborted();
      chosen.push((await this.get(Math.floor(index))).picture);
    }
    return chosen;
  }
}

/** A picture in RGB and of a size. */
function fitPicture(picture: Picture, { width, height }: SampleSize): Picture {
  const rgb = convertChannels(picture, 3);
  if (rgb.width === width && rgb.height === height) return rgb;
  return resizeImage(rgb, { width, height, resample: "bilinear" });
}

/** Pictures of one size with a class each; a sample without one of the set's is an InputError. */
export function classSamples(source: PictureSet, size: SampleSize): KeptSamples<ClassSample> {
  return placedSamples(source, (picture) => fitPicture(picture, size));
}

/** Pictures that `place` has brought into form, with a class each. */
export function placedSamples(
  source: PictureSet,
  place: (picture: Picture) => Picture,
): KeptSamples<ClassSample> {
  const count = source.classes.length;
  return new KeptSamples(source, ({ picture, label }, index) => {
    if (label === undefined || !(label >= 0 && label < count))
      throw new InputError(`picture ${index}: expected a label in [0, ${count}), got ${String(label)}`);
    return { label, picture: place(picture) };
  });
}

/** Pictures with their objects, whose boxes are resized with them. */
export function boxSamples(source: PictureSet, size: SampleSize): KeptSamples<BoxSample> {
  return new KeptSamples(source, ({ picture, boxes = [] }) => {
    const [across, down] = [size.width / picture.width, size.height / picture.height];
    return {
      picture: fitPicture(picture, size),
      boxes: boxes.map((object) => ({ ...object, box: scaleBox(object.box, across, down) })),
    };
  });
}

/** A box in a picture whose sides were multiplied. */
export function scaleBox([left, top, right, bottom]: Box, across: number, down: number): Box {
  return [left * across, top * down, right * across, bottom * down];
}
