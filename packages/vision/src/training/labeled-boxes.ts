import type { ItemContext } from "@ai/layers/training";
import { InputError } from "@ai/tensor";
import type { LabeledBox, VisionSample } from "../augment/sample.js";
import { convertChannels } from "../preprocess/convert-channels.js";
import type { Box } from "../preprocess/picture-transform.js";
import { resizeImage } from "../preprocess/resize-image.js";

/** Pictures whose objects are known, such as `vocDataset`, `cocoDataset` and `yoloDataset` give. */
export interface BoxedPictures {
  readonly length: number;
  /** Names of the classes; labels are indices into it. */
  readonly classes: readonly string[];
  get(index: number, context?: ItemContext): VisionSample | Promise<VisionSample>;
}

/** A picture of a size and its objects. */
export interface BoxSample extends VisionSample {
  readonly boxes: readonly LabeledBox[];
}

/** @throws InputError unless it is a set of pictures with classes. */
export function assertBoxedPictures(operation: string, name: string, data: BoxedPictures): void {
  if (!Number.isInteger(data?.length) || typeof data.get !== "function" || !Array.isArray(data.classes))
    throw new InputError(
      `${operation}: expected ${name} as pictures { length, classes, get }, got ${data === null ? "null" : typeof data}; make them with vocDataset`,
    );
  if (data.length === 0 || data.classes.length === 0)
    throw new InputError(
      `${operation}: expected ${name} with pictures of at least one class, got ${data.length} of ${data.classes.length}`,
    );
}

/** Pictures of one size with their boxes, read, decoded and resized once; they stay in memory. */
export class ResizedBoxes {
  readonly classes: readonly string[];
  readonly #source: BoxedPictures;
  readonly #size: { readonly width: number; readonly height: number };
  readonly #kept: (Promise<BoxSample> | undefined)[];

  constructor(source: BoxedPictures, size: { readonly width: number; readonly height: number }) {
    this.#source = source;
    this.#size = size;
    this.classes = source.classes;
    this.#kept = new Array(source.length);
  }

  get length(): number {
    return this.#source.length;
  }

  /** @throws InputError for a picture that cannot be read. */
  get(index: number): Promise<BoxSample> {
    this.#kept[index] ??= this.#read(index);
    return this.#kept[index];
  }

  async #read(index: number): Promise<BoxSample> {
    const { picture, boxes = [] } = await this.#source.get(index);
    const { width, height } = this.#size;
    const [across, down] = [width / picture.width, height / picture.height];
    return {
      picture: resizeImage(convertChannels(picture, 3), { width, height, resample: "bilinear" }),
      boxes: boxes.map((object) => ({ ...object, box: scaleBox(object.box, across, down) })),
    };
  }
}

/** A box in a picture whose sides were multiplied. */
export function scaleBox([left, top, right, bottom]: Box, across: number, down: number): Box {
  return [left * across, top * down, right * across, bottom * down];
}
