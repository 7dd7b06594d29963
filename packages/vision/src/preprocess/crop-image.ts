import { assertIntegers, assertOptionNames } from "./checks.js";
import { type Fill, fillPixels } from "./fill.js";
import { assertPicture, type Picture } from "./picture.js";

/** The part of a picture that {@link cropImage} cuts out. */
export interface CropOptions {
  /** First column; may lie outside the picture. */
  readonly left: number;
  /** First row; may lie outside the picture. */
  readonly top: number;
  readonly width: number;
  readonly height: number;
  /** What lies outside the picture: a level, or one for each channel; 0 unless it says otherwise. */
  readonly fill?: Fill;
}

/**
 * Cuts a part out of a picture; where the part reaches beyond it, `fill` is put, as Pillow's `Image.crop` does.
 * @returns A new picture of `width` × `height` with the same channels.
 * @throws InputError for a position that is no integer, a size below 1 or a fill outside [0, 255].
 */
export function cropImage(picture: Picture, options: CropOptions): Picture {
  assertPicture("cropImage", picture);
  assertOptionNames("cropImage", options, ["left", "top", "width", "height", "fill"]);
  const { left, top, width, height, fill = 0 } = options;
  assertIntegers("cropImage", { left, top }, Number.MIN_SAFE_INTEGER);
  assertIntegers("cropImage", { width, height });
  const { channels } = picture;
  const data = new Uint8Array(width * height * channels);
  const firstColumn = Math.max(0, left);
  const length = Math.min(picture.width, left + width) - firstColumn;
  const isInside = left >= 0 && top >= 0 && left + width <= picture.width && top + height <= picture.height;
  if (!isInside) fillPixels("cropImage", data, channels, fill);
  if (length > 0)
    for (let row = Math.max(0, -top); row < height && top + row < picture.height; row++) {
      const source = ((top + row) * picture.width + firstColumn) * channels;
      data.set(
        picture.data.subarray(source, source + length * channels),
        (row * width + firstColumn - left) * channels,
      );
    }
  return { data, width, height, channels };
}

/**
 * Where Hugging Face's `center_crop` cuts: the middle, rounded to the top left; a smaller picture gets zeros around it.
 * @returns First row or column of the part; negative where zeros come first.
 */
export function centerStart(length: number, cropped: number): number {
  const start = Math.floor((length - cropped) / 2);
  if (start >= 0) return start;
  // padded at the start by half the missing, rounded up, then cut from there
  const padding = Math.ceil((cropped - length) / 2);
  return Math.max(0, start + padding) - padding;
}

/**
 * Cuts the middle out of a picture, as Hugging Face's `center_crop`: of an odd rest the larger half is cut at the
 * right and bottom, and a picture that is smaller gets zeros around it.
 * @returns A new picture of `width` × `height`.
 * @throws InputError for a size below 1.
 */
export function centerCrop(
  picture: Picture,
  options: { readonly width: number; readonly height: number },
): Picture {
  assertPicture("centerCrop", picture);
  assertOptionNames("centerCrop", options, ["width", "height"]);
  const { width, height } = options;
  assertIntegers("centerCrop", { width, height });
  const left = centerStart(picture.width, width);
  const top = centerStart(picture.height, height);
  return cropImage(picture, { left, top, width, height });
}
