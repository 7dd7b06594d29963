import { assertNumbers } from "./checks.js";

/** Left, top, right and bottom edge in pixels; the origin is the picture's top left corner. */
export type Box = readonly [left: number, top: number, right: number, bottom: number];

/**
 * Where the pixels of a picture went: a point (x, y) of the original lies at
 * `(x · scaleX + offsetX, y · scaleY + offsetY)` of the result. Plain data.
 */
export interface PictureTransform {
  readonly scaleX: number;
  readonly scaleY: number;
  readonly offsetX: number;
  readonly offsetY: number;
  /** Width of the original picture. */
  readonly width: number;
  /** Height of the original picture. */
  readonly height: number;
}

/** A picture that stays where it is. */
export function identityTransform({
  width,
  height,
}: {
  readonly width: number;
  readonly height: number;
}): PictureTransform {
  return { scaleX: 1, scaleY: 1, offsetX: 0, offsetY: 0, width, height };
}

/** First `transform`, then a scaling and a shift. */
export function thenTransform(
  transform: PictureTransform,
  { scaleX = 1, scaleY = 1, offsetX = 0, offsetY = 0 }: Partial<PictureTransform>,
): PictureTransform {
  return {
    ...transform,
    scaleX: transform.scaleX * scaleX,
    scaleY: transform.scaleY * scaleY,
    offsetX: transform.offsetX * scaleX + offsetX,
    offsetY: transform.offsetY * scaleY + offsetY,
  };
}

/**
 * A box of a model's input as pixels of the original picture, cut off at the picture's edges.
 * @throws InputError for edges that are not finite.
 * @example
 * const { picture, transform } = letterboxImage(photo, { width: 352, height: 352 });
 * const [left, top, right, bottom] = boxToOriginal([10, 20, 80, 90], transform);
 */
export function boxToOriginal(box: Box, transform: PictureTransform): Box {
  const [left, top, right, bottom] = box;
  assertNumbers("boxToOriginal", { left, top, right, bottom });
  const { scaleX, scaleY, offsetX, offsetY, width, height } = transform;
  const x = (value: number): number => Math.min(width, Math.max(0, (value - offsetX) / scaleX));
  const y = (value: number): number => Math.min(height, Math.max(0, (value - offsetY) / scaleY));
  return [x(left), y(top), x(right), y(bottom)];
}

/** A box of the original picture as pixels of the result. @throws InputError for edges that are not finite. */
export function boxFromOriginal(box: Box, transform: PictureTransform): Box {
  const [left, top, right, bottom] = box;
  assertNumbers("boxFromOriginal", { left, top, right, bottom });
  const { scaleX, scaleY, offsetX, offsetY } = transform;
  return [
    left * scaleX + offsetX,
    top * scaleY + offsetY,
    right * scaleX + offsetX,
    bottom * scaleY + offsetY,
  ];
}
