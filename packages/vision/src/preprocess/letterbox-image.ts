import { assertIntegers, assertOneOf, assertOptionNames } from "./checks.js";
import type { Fill } from "./fill.js";
import { padImage } from "./pad-image.js";
import { assertPicture, type Picture } from "./picture.js";
import type { PictureTransform } from "./picture-transform.js";
import type { Resample } from "./resample-filters.js";
import { resizeImage } from "./resize-image.js";

/** Options of {@link letterboxImage}. */
export interface LetterboxOptions {
  readonly width: number;
  readonly height: number;
  /** bilinear unless it says otherwise. */
  readonly resample?: Resample;
  /** What is put beside the picture; 114, a dark grey, unless it says otherwise. */
  readonly fill?: Fill;
  /** Where the picture lies: in the middle (the default), or at the top left. */
  readonly align?: "center" | "topLeft";
}

/**
 * Fits a whole picture into a size without distorting it, and fills what is left.
 * @returns The picture, and the transform by which `boxToOriginal` leads boxes back.
 * @throws InputError for a size below 1 or an unknown option.
 * @example
 * const { picture, transform } = letterboxImage(photo, { width: 640, height: 640 });
 */
export function letterboxImage(
  picture: Picture,
  options: LetterboxOptions,
): { picture: Picture; transform: PictureTransform } {
  assertPicture("letterboxImage", picture);
  assertOptionNames("letterboxImage", options, ["width", "height", "resample", "fill", "align"]);
  const { width, height, resample = "bilinear", fill = 114, align = "center" } = options;
  assertIntegers("letterboxImage", { width, height });
  assertOneOf("letterboxImage", "align", align, ["center", "topLeft"]);
  const scale = Math.min(width / picture.width, height / picture.height);
  const newWidth = Math.min(width, Math.max(1, Math.round(picture.width * scale)));
  const newHeight = Math.min(height, Math.max(1, Math.round(picture.height * scale)));
  const resized = resizeImage(picture, { width: newWidth, height: newHeight, resample });
  const left = align === "center" ? Math.floor((width - newWidth) / 2) : 0;
  const top = align === "center" ? Math.floor((height - newHeight) / 2) : 0;
  const right = width - newWidth - left;
  const bottom = height - newHeight - top;
  return {
    picture: padImage(resized, { left, top, right, bottom, fill }),
    transform: {
      scaleX: newWidth / picture.width,
      scaleY: newHeight / picture.height,
      offsetX: left,
      offsetY: top,
      width: picture.width,
      height: picture.height,
    },
  };
}
