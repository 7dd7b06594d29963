import type { ItemContext } from "@ai/layers/training";
import { InputError } from "@ai/tensor";
import type { VisionSample } from "../augment/sample.js";
import { assertIntegers } from "../preprocess/checks.js";
import { convertChannels } from "../preprocess/convert-channels.js";
import type { Picture } from "../preprocess/picture.js";
import { resizeImage } from "../preprocess/resize-image.js";

/** Pictures with a class each, such as `imageFolder` gives. */
export interface LabeledPictures {
  readonly length: number;
  /** Names of the classes; labels are indices into it. */
  readonly classes: readonly string[];
  get(index: number, context?: ItemContext): VisionSample | Promise<VisionSample>;
}

/** A picture of a size and its class. */
export interface ClassSample extends VisionSample {
  readonly label: number;
}

/** @throws InputError unless it is a set of pictures with classes. */
export function assertLabeledPictures(operation: string, name: string, data: LabeledPictures): void {
  if (!Number.isInteger(data?.length) || typeof data.get !== "function" || !Array.isArray(data.classes))
    throw new InputError(
      `${operation}: expected ${name} as pictures { length, classes, get }, got ${data === null ? "null" : typeof data}; make them with imageFolder`,
    );
  if (data.length === 0 || data.classes.length < 2)
    throw new InputError(
      `${operation}: expected ${name} with pictures of at least two classes, got ${data.length} of ${data.classes.length}`,
    );
}

/**
 * Pictures of one size that are read, decoded and resized once: training goes over them many times. They stay in
 * memory, `size² · 3` bytes each.
 */
export class ResizedPictures {
  readonly classes: readonly string[];
  readonly #source: LabeledPictures;
  readonly #size: number;
  readonly #kept: (Promise<ClassSample> | undefined)[];

  /** @throws InputError for a size below 1. */
  constructor(source: LabeledPictures, size: number) {
    assertIntegers("ResizedPictures", { size });
    this.#source = source;
    this.#size = size;
    this.classes = source.classes;
    this.#kept = new Array(source.length);
  }

  get length(): number {
    return this.#source.length;
  }

  /** @throws InputError for a picture that cannot be read or has no class of the set. */
  get(index: number): Promise<ClassSample> {
    this.#kept[index] ??= this.#read(index);
    return this.#kept[index];
  }

  async #read(index: number): Promise<ClassSample> {
    const { picture, label } = await this.#source.get(index);
    if (label === undefined || !(label >= 0 && label < this.classes.length))
      throw new InputError(
        `picture ${index}: expected a label in [0, ${this.classes.length}), got ${String(label)}`,
      );
    const size = { width: this.#size, height: this.#size };
    const rgb = convertChannels(picture, 3);
    const isSized = rgb.width === this.#size && rgb.height === this.#size;
    return { label, picture: isSized ? rgb : resizeImage(rgb, { ...size, resample: "bilinear" }) };
  }
}

/** Mean and standard deviation of each channel over pictures, of levels in [0, 1]. */
export function channelStatistics(pictures: readonly Picture[]): { mean: number[]; deviation: number[] } {
  const sums = [0, 0, 0];
  const squares = [0, 0, 0];
  let count = 0;
  for (const { data } of pictures) {
    count += data.length / 3;
    for (let at = 0; at < data.length; at++) {
      const level = data[at] / 255;
      sums[at % 3] += level;
      squares[at % 3] += level * level;
    }
  }
  const mean = sums.map((sum) => sum / count);
  const round = (value: number): number => Number(value.toFixed(4));
  return {
    mean: mean.map(round),
    // a channel without any difference is left as it is
    deviation: squares.map(
      (sum, channel) =>
        // rounded first: of equal levels a difference of rounding is left
        round(Math.sqrt(Math.max(sum / count - mean[channel] ** 2, 0))) || 1,
    ),
  };
}
