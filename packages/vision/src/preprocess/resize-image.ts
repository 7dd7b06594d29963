import { InputError } from "@ai/tensor";
import { assertIntegers, assertOneOf, assertOptionNames } from "./checks.js";
import { assertPicture, type Picture } from "./picture.js";
import { premultiply, unpremultiply } from "./premultiply.js";
import {
  RESAMPLES,
  type Resample,
  type ResampleWeights,
  resampleWeights,
  WEIGHT_BITS,
} from "./resample-filters.js";
import { resizeRgb } from "./resize-rgb.js";

/** Options of {@link resizeImage}. */
export interface ResizeOptions {
  /** Width of the result in pixels. */
  readonly width: number;
  /** Height of the result in pixels. */
  readonly height: number;
  /** The filter; bicubic unless it says otherwise, as in Pillow. */
  readonly resample?: Resample;
  /** The part of the picture to resize, `[left, top, right, bottom]` in pixels, fractions allowed; all of it when left out. */
  readonly box?: readonly [left: number, top: number, right: number, bottom: number];
}

/**
 * Resizes a picture exactly as Pillow's `Image.resize`: two passes in fixed point, the filter widened where an axis
 * shrinks (anti-aliasing), colours weighted by alpha in an RGBA picture. Rows come first, as in Pillow up to 12;
 * Pillow 13 takes the cheaper order, which moves some values by one level.
 * @returns A new picture of the asked size, with the same channels.
 * @throws InputError for a size below 1, an unknown filter, or a box outside the picture.
 * @see Pillow, `Image.resize`, https://pillow.readthedocs.io/en/stable/reference/Image.html
 * @example
 * const photo = await readImage("photo.jpg");
 * const small = resizeImage(photo, { width: 224, height: 224, resample: "bilinear" });
 */
export function resizeImage(picture: Picture, options: ResizeOptions): Picture {
  assertPicture("resizeImage", picture);
  assertOptionNames("resizeImage", options, ["width", "height", "resample", "box"]);
  const { width, height, resample = "bicubic" } = options;
  assertIntegers("resizeImage", { width, height });
  assertOneOf("resizeImage", "resample", resample, RESAMPLES);
  const box = options.box ?? [0, 0, picture.width, picture.height];
  assertBox(picture, box);
  const [left, top, right, bottom] = box;
  const isWhole = left === 0 && top === 0 && right === picture.width && bottom === picture.height;
  if (isWhole && width === picture.width && height === picture.height)
    return { ...picture, data: new Uint8Array(picture.data) };
  if (resample === "nearest") return resizeNearest(picture, width, height, box);
  const source = picture.channels === 4 ? premultiply(picture) : picture;
  const result = resizeFiltered(source, width, height, resample, box);
  return picture.channels === 4 ? unpremultiply(result) : result;
}

/** A part of a resized picture, in its pixels. */
interface ResizedWindow {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/**
 * The part of `resizeImage(picture, { width, height, resample })` inside `window`, without computing the rest.
 * @returns undefined where that takes another path than the two passes.
 */
export function resizeToWindow(
  picture: Picture,
  { width, height, resample = "bicubic" }: ResizeOptions,
  window: ResizedWindow,
): Picture | undefined {
  const isInside =
    window.left >= 0 &&
    window.top >= 0 &&
    window.left + window.width <= width &&
    window.top + window.height <= height;
  if (!isInside || picture.channels === 4 || resample === "nearest") return undefined;
  if (width === picture.width || height === picture.height) return undefined;
  const part = (weights: ResampleWeights, start: number, length: number): ResampleWeights => ({
    starts: weights.starts.subarray(start, start + length),
    counts: weights.counts.subarray(start, start + length),
    weights: weights.weights.subarray(start * weights.taps, (start + length) * weights.taps),
    taps: weights.taps,
  });
  const columns = resampleWeights(resample, picture.width, [0, picture.width], width);
  const rows = resampleWeights(resample, picture.height, [0, picture.height], height);
  return resizePasses(picture, {
    horizontal: part(columns, window.left, window.width),
    vertical: part(rows, window.top, window.height),
  });
}

function assertBox(picture: Picture, box: readonly number[]): void {
  const [left, top, right, bottom] = box;
  const isInside = left >= 0 && top >= 0 && right <= picture.width && bottom <= picture.height;
  if (box.length !== 4 || !isInside || !(left < right) || !(top < bottom))
    throw new InputError(
      `resizeImage: expected a box [left, top, right, bottom] inside ${picture.width} × ${picture.height} pixels, got [${box.join(", ")}]`,
    );
}

/** Which input each output takes; the position is summed up step by step, as Pillow does. */
function nearestPositions(from: number, to: number, inputSize: number, outputSize: number): Int32Array {
  const step = (to - from) / outputSize;
  const positions = new Int32Array(outputSize);
  let position = from + step * 0.5;
  for (let output = 0; output < outputSize; output++) {
    positions[output] = Math.min(inputSize - 1, Math.trunc(position));
    position += step;
  }
  return positions;
}

function resizeNearest(picture: Picture, width: number, height: number, box: readonly number[]): Picture {
  const { channels } = picture;
  const columns = nearestPositions(box[0], box[2], picture.width, width);
  const rows = nearestPositions(box[1], box[3], picture.height, height);
  const data = new Uint8Array(height * width * channels);
  let target = 0;
  for (const row of rows) {
    const start = row * picture.width;
    for (const column of columns) {
      const source = (start + column) * channels;
      for (let channel = 0; channel < channels; channel++) data[target++] = picture.data[source + channel];
    }
  }
  return { data, width, height, channels };
}

function resizeFiltered(
  picture: Picture,
  width: number,
  height: number,
  resample: Exclude<Resample, "nearest">,
  [left, top, right, bottom]: readonly [number, number, number, number],
): Picture {
  const isNarrower = width !== picture.width || left !== 0 || right !== picture.width;
  const isLower = height !== picture.height || top !== 0 || bottom !== picture.height;
  return resizePasses(picture, {
    horizontal: isNarrower ? resampleWeights(resample, picture.width, [left, right], width) : undefined,
    vertical: isLower ? resampleWeights(resample, picture.height, [top, bottom], height) : undefined,
  });
}

/** Rows, then columns; an axis without weights stays. */
function resizePasses(
  picture: Picture,
  weights: { readonly horizontal?: ResampleWeights; readonly vertical?: ResampleWeights },
): Picture {
  const { channels } = picture;
  const { horizontal, vertical } = weights;
  const width = horizontal?.starts.length ?? picture.width;
  const height = vertical?.starts.length ?? picture.height;
  const first = vertical?.starts[0] ?? 0;
  const end = vertical === undefined ? height : vertical.starts[height - 1] + vertical.counts[height - 1];
  const rows = { first, count: end - first };
  const rgb = channels === 3 ? resizeRgb(picture, rows, weights) : undefined;
  if (rgb !== undefined) return { data: rgb, width, height, channels };
  let data: Picture["data"] = picture.data.subarray(
    first * picture.width * channels,
    end * picture.width * channels,
  );
  if (horizontal !== undefined) data = resizeRows(data, picture.width, channels, rows.count, horizontal);
  if (vertical !== undefined) data = resizeColumns(data, width * channels, first, vertical);
  return { data: new Uint8Array(data.buffer, data.byteOffset, data.length), width, height, channels };
}

const HALF = 1 << (WEIGHT_BITS - 1);

/** Each output column of each row. */
function resizeRows(
  input: Picture["data"],
  inputWidth: number,
  channels: number,
  rows: number,
  { starts, counts, weights, taps }: ResampleWeights,
): Uint8ClampedArray {
  const width = starts.length;
  const output = new Uint8ClampedArray(rows * width * channels); // which clips to [0, 255]
  for (let row = 0; row < rows; row++) {
    const rowStart = row * inputWidth;
    for (let column = 0; column < width; column++) {
      const source = (rowStart + starts[column]) * channels;
      const firstWeight = column * taps;
      const count = counts[column];
      const target = (row * width + column) * channels;
      for (let channel = 0; channel < channels; channel++) {
        let sum = HALF;
        for (let tap = 0, at = source + channel; tap < count; tap++, at += channels)
          sum = (sum + Math.imul(input[at], weights[firstWeight + tap])) | 0;
        output[target + channel] = sum >> WEIGHT_BITS;
      }
    }
  }
  return output;
}

/** Each output row, from rows that start at input row `offset`. */
function resizeColumns(
  input: Picture["data"],
  rowLength: number,
  offset: number,
  { starts, counts, weights, taps }: ResampleWeights,
): Uint8ClampedArray {
  const height = starts.length;
  const output = new Uint8ClampedArray(height * rowLength);
  const sums = new Int32Array(rowLength);
  for (let row = 0; row < height; row++) {
    sums.fill(HALF);
    const count = counts[row];
    // row by row, as memory is read in order; four at once, as the sums are read and written each time
    let tap = 0;
    for (; tap + 4 <= count; tap += 4) {
      const first = row * taps + tap;
      const [w0, w1, w2, w3] = weights.subarray(first, first + 4);
      const row0 = (starts[row] - offset + tap) * rowLength;
      const row1 = row0 + rowLength;
      const row2 = row1 + rowLength;
      const row3 = row2 + rowLength;
      for (let at = 0; at < rowLength; at++)
        sums[at] =
          (sums[at] +
            Math.imul(input[row0 + at], w0) +
            Math.imul(input[row1 + at], w1) +
            Math.imul(input[row2 + at], w2) +
            Math.imul(input[row3 + at], w3)) |
          0;
    }
    for (; tap < count; tap++) {
      const weight = weights[row * taps + tap];
      const source = (starts[row] - offset + tap) * rowLength;
      for (let at = 0; at < rowLength; at++)
        sums[at] = (sums[at] + Math.imul(input[source + at], weight)) | 0;
    }
    const target = row * rowLength;
    for (let at = 0; at < rowLength; at++) output[target + at] = sums[at] >> WEIGHT_BITS;
  }
  return output;
}
