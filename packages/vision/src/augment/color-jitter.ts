import { InputError } from "@ai/tensor";
import { assertOptionNames } from "../preprocess/checks.js";
import type { Picture } from "../preprocess/picture.js";
import {
  adjustBrightness,
  adjustContrast,
  adjustHue,
  adjustSaturation,
  factorRange,
} from "./color-operations.js";
import { type Augmentation, assertSample, uniformBetween } from "./sample.js";

/** Options of {@link colorJitter}: a number `v` means a factor from `max(0, 1 − v)` to `1 + v`. */
export interface ColorJitterOptions {
  readonly brightness?: number | readonly [number, number];
  readonly contrast?: number | readonly [number, number];
  readonly saturation?: number | readonly [number, number];
  /** At most 0.5: the hue turns by at most this part of the colour circle, either way. */
  readonly hue?: number | readonly [number, number];
}

/**
 * Changes brightness, contrast, saturation and hue by chance, in random order, as torchvision's `ColorJitter`. What is
 * left out stays.
 * @throws InputError for a negative factor or a hue outside [−0.5, 0.5].
 */
export function colorJitter(options: ColorJitterOptions): Augmentation {
  assertOptionNames("colorJitter", options, ["brightness", "contrast", "saturation", "hue"]);
  const { brightness, contrast, saturation, hue } = options;
  const changes: {
    readonly range: readonly [number, number];
    readonly apply: (picture: Picture, by: number) => Picture;
  }[] = [];
  const add = (
    name: string,
    value: number | readonly [number, number] | undefined,
    apply: (picture: Picture, by: number) => Picture,
  ): void => {
    if (value !== undefined) changes.push({ range: factorRange("colorJitter", name, value), apply });
  };
  add("brightness", brightness, adjustBrightness);
  add("contrast", contrast, adjustContrast);
  add("saturation", saturation, adjustSaturation);
  if (hue !== undefined) changes.push({ range: hueRange(hue), apply: adjustHue });
  return (sample, context) => {
    assertSample("colorJitter", sample, context);
    const { generator } = context;
    let { picture } = sample;
    for (const index of generator.permutation(changes.length)) {
      const { range, apply } = changes[index];
      picture = apply(picture, uniformBetween(generator, range[0], range[1]));
    }
    return { ...sample, picture };
  };
}

function hueRange(hue: number | readonly [number, number]): readonly [number, number] {
  const range = typeof hue === "number" ? ([-hue, hue] as const) : hue;
  if (
    !(
      Array.isArray(range) &&
      range.length === 2 &&
      range[0] >= -0.5 &&
      range[0] <= range[1] &&
      range[1] <= 0.5
    )
  )
    throw new InputError(
      `colorJitter: expected hue as a number in [0, 0.5] or two in [-0.5, 0.5], got ${JSON.stringify(hue)}`,
    );
  return range as readonly [number, number];
}
