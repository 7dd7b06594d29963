import type { Explanation } from "@ai/layers";
import { InputError, ShapeError } from "@ai/tensor";
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
 * @param map What a task's `explain` gives; or what `gradCam`, `integratedGradients`, `occlusion` … give for one picture,
 * `[1, rows, columns]` or `[1, rows, columns, channels]`: channels are summed, the largest magnitude counts as 1, and the
 * whole is stretched over the picture.
 * @param options `opacity`: of the strongest parts, in [0, 1]. Default 0.7.
 * @returns A new RGB picture.
 * @throws InputError for a map of another size or an opacity out of range; ShapeError for an explanation of something else.
 * @example
 * const overlay = drawRelevance(await readImage("photo.jpg"), await classify.explain("photo.jpg", "cat"));
 */
export function drawRelevance(
  picture: Picture,
  map: RelevanceMap | Pick<Explanation, "values" | "shape">,
  { opacity = 0.7 }: { readonly opacity?: number } = {},
): Picture {
  assertPicture("drawRelevance", picture);
  const { width, height, relevance } = "relevance" in map ? map : stretched(map, picture);
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

/** An explanation of one picture, cell by cell over all of its pixels. */
function stretched(
  { values, shape }: Pick<Explanation, "values" | "shape">,
  { width, height }: Picture,
): RelevanceMap {
  const [samples, rows, columns, channels = 1] = shape;
  if (samples !== 1 || shape.length < 3 || shape.length > 4)
    throw new ShapeError(
      `drawRelevance: expected an explanation of one picture, [1, height, width] or [1, height, width, channels], got [${shape.join(", ")}]; explain one picture at a time`,
    );
  const cells = Float32Array.from({ length: rows * columns }, (_, cell) =>
    values.subarray(cell * channels, (cell + 1) * channels).reduce((sum, value) => sum + value, 0),
  );
  const largest = cells.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
  const relevance = Float32Array.from({ length: width * height }, (_, pixel) => {
    const row = Math.floor((Math.floor(pixel / width) * rows) / height);
    const column = Math.floor(((pixel % width) * columns) / width);
    return cells[row * columns + column] / largest;
  });
  return { width, height, relevance };
}
