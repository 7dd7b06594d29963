import { InputError } from "@ai/tensor";
import { convertChannels } from "../preprocess/convert-channels.js";
import { assertPicture, type Picture } from "../preprocess/picture.js";

/** Numbers over a picture, such as an explanation's. */
export interface RelevanceMap {
  readonly width: number;
  readonly height: number;
  /** `height · width` numbers in [−1, 1]. */
  readonly relevance: Float32Array;
}

/**
 * Draws an explanation over its picture: what speaks for the class in red, what speaks against it in blue, stronger where
 * it weighs more.
 * @param picture The picture that was explained, of any channels.
 * @param options `opacity`: of the strongest parts, in [0, 1]. Default 0.7.
 * @returns A new RGB picture.
 * @throws InputError for a map of another size or an opacity out of range.
 * @example
 * const overlay = drawRelevance(await readImage("photo.jpg"), await classify.explain("photo.jpg", "cat"));
 */
export function drawRelevance(
  picture: Picture,
  { width, height, relevance }: RelevanceMap,
  { opacity = 0.7 }: { readonly opacity?: number } = {},
): Picture {
  assertPicture("drawRelevance", picture);
  if (picture.width !== width || picture.height !== height || relevance.length !== width * height)
    throw new InputError(
      `drawRelevance: expected a map of ${picture.height} × ${picture.width} numbers, got ${height} × ${width}`,
    );
  if (!(opacity >= 0 && opacity <= 1))
    throw new InputError(`drawRelevance: expected opacity in [0, 1], got ${opacity}`);
  const data = Uint8Array.from(convertChannels(picture, 3).data);
  relevance.forEach((value, pixel) => {
    const strength = opacity * Math.min(1, Math.abs(value));
    for (let channel = 0; channel < 3; channel++) {
      const color = channel === (value > 0 ? 0 : 2) ? 255 : 0;
      const at = pixel * 3 + channel;
      data[at] = Math.round(data[at] * (1 - strength) + color * strength);
    }
  });
  return { data, width, height, channels: 3 };
}
