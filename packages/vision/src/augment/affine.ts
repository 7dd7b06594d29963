import { type Fill, fillPixels } from "../preprocess/fill.js";
import type { Picture } from "../preprocess/picture.js";
import type { Box } from "../preprocess/picture-transform.js";
import { moveBoxes, type VisionSample } from "./sample.js";

/** `(x, y)` goes to `(a·x + b·y + c, d·x + e·y + f)`, in pixels from the top left corner. */
export type Affine = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

/** How moved pixels are made. */
export type AffineResample = "nearest" | "bilinear";

/** What an affine map is made of. */
export interface AffineParts {
  /** Clockwise, in degrees. */
  readonly degrees?: number;
  /** Right and down, in pixels. */
  readonly translate?: readonly [number, number];
  readonly scale?: number;
  /** Along x and y, in degrees. */
  readonly shear?: readonly [number, number];
}

/** What is a difference in the last bit between engines must not move a pixel. */
const GRID = 2 ** 30;
const onGrid = (value: number): number => Math.round(value * GRID) / GRID;

/** Turns, scales, shears and moves around a centre, in torchvision's order: shear first, then turn and scale. */
export function affineOf(
  [centerX, centerY]: readonly [number, number],
  { degrees = 0, translate = [0, 0], scale = 1, shear = [0, 0] }: AffineParts,
): Affine {
  const angle = (degrees * Math.PI) / 180;
  const shearX = (shear[0] * Math.PI) / 180;
  const shearY = (shear[1] * Math.PI) / 180;
  const a = onGrid((scale * Math.cos(angle - shearY)) / Math.cos(shearY));
  const b = onGrid(
    scale * (-(Math.cos(angle - shearY) * Math.tan(shearX)) / Math.cos(shearY) - Math.sin(angle)),
  );
  const d = onGrid((scale * Math.sin(angle - shearY)) / Math.cos(shearY));
  const e = onGrid(
    scale * (-(Math.sin(angle - shearY) * Math.tan(shearX)) / Math.cos(shearY) + Math.cos(angle)),
  );
  const c = centerX + translate[0] - a * centerX - b * centerY;
  const f = centerY + translate[1] - d * centerX - e * centerY;
  return [a, b, c, d, e, f];
}

/** The map back. */
function inverse([a, b, c, d, e, f]: Affine): Affine {
  const determinant = a * e - b * d;
  const [ia, ib, id, ie] = [e, -b, -d, a].map((value) => value / determinant);
  return [ia, ib, -(ia * c + ib * f), id, ie, -(id * c + ie * f)];
}

/** The smallest box around where a box's corners go. */
export function affineBox([left, top, right, bottom]: Box, [a, b, c, d, e, f]: Affine): Box {
  const corners = [
    [left, top],
    [right, top],
    [left, bottom],
    [right, bottom],
  ];
  const xs = corners.map(([x, y]) => a * x + b * y + c);
  const ys = corners.map(([x, y]) => d * x + e * y + f);
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}

/** Moves the pixels of a picture inside its frame. @throws InputError for a fill that is no colour of it. */
export function affinePicture(picture: Picture, map: Affine, resample: AffineResample, fill: Fill): Picture {
  const { data, width, height, channels } = picture;
  const result = new Uint8Array(data.length);
  fillPixels("affine", result, channels, fill);
  const [a, b, c, d, e, f] = inverse(map);
  let target = 0;
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++, target += channels) {
      const sourceX = a * (x + 0.5) + b * (y + 0.5) + c;
      const sourceY = d * (x + 0.5) + e * (y + 0.5) + f;
      if (!(sourceX >= 0 && sourceX < width && sourceY >= 0 && sourceY < height)) continue;
      if (resample === "nearest") {
        const source = (Math.floor(sourceY) * width + Math.floor(sourceX)) * channels;
        for (let channel = 0; channel < channels; channel++)
          result[target + channel] = data[source + channel];
      } else mixPixels(picture, sourceX - 0.5, sourceY - 0.5, result, target);
    }
  return { data: result, width, height, channels };
}

/** Bilinear between the four pixels around a point; the edge's pixels go on outside. */
function mixPixels(
  { data, width, height, channels }: Picture,
  x: number,
  y: number,
  result: Uint8Array,
  target: number,
): void {
  const left = Math.max(0, Math.floor(x));
  const top = Math.max(0, Math.floor(y));
  const right = Math.min(width - 1, Math.floor(x) + 1);
  const bottom = Math.min(height - 1, Math.floor(y) + 1);
  const partX = x - Math.floor(x);
  const partY = y - Math.floor(y);
  for (let channel = 0; channel < channels; channel++) {
    const at = (row: number, column: number): number => data[(row * width + column) * channels + channel];
    const upper = at(top, left) + partX * (at(top, right) - at(top, left));
    const lower = at(bottom, left) + partX * (at(bottom, right) - at(bottom, left));
    result[target + channel] = Math.round(upper + partY * (lower - upper));
  }
}

/** How {@link affineSample} makes pixels and treats boxes. */
export interface AffineSettings {
  readonly resample: AffineResample;
  readonly fill: Fill;
  readonly minVisibility: number;
}

/** Moves a sample's picture, mask (nearest, class 0 where nothing is) and boxes. */
export function affineSample<Sample extends VisionSample>(
  sample: Sample,
  map: Affine,
  { resample, fill, minVisibility }: AffineSettings,
): Sample {
  const { picture, mask, boxes } = sample;
  return {
    ...sample,
    picture: affinePicture(picture, map, resample, fill),
    ...(mask === undefined ? {} : { mask: affinePicture(mask, map, "nearest", 0) }),
    ...(boxes === undefined
      ? {}
      : { boxes: moveBoxes(boxes, (box) => affineBox(box, map), picture, minVisibility) }),
  };
}
