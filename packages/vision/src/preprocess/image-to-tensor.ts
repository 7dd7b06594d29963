import { InputError, ShapeError, type Tensor, tensor } from "@ai/tensor";
import { assertNumbers, assertOptionNames } from "./checks.js";
import { assertPicture, type Picture } from "./picture.js";

/** How levels become numbers: `(level · rescaleFactor + offset − mean) / standardDeviation`. */
export interface NormalizeOptions {
  /** 1/255 unless it says otherwise: levels become numbers in [0, 1]. */
  readonly rescaleFactor?: number;
  /** Added after rescaling; 0 unless it says otherwise. */
  readonly offset?: number;
  /** A number, or one for each channel; 0 unless it says otherwise. */
  readonly mean?: number | readonly number[];
  /** A number, or one for each channel; 1 unless it says otherwise. */
  readonly standardDeviation?: number | readonly number[];
}

/** What each of the 256 levels becomes, a table a channel; rounded as float32 after each step, as Python does. */
export function levelTables(
  operation: string,
  channels: number,
  { rescaleFactor = 1 / 255, offset = 0, mean = 0, standardDeviation = 1 }: NormalizeOptions,
): Float32Array[] {
  assertNumbers(operation, { rescaleFactor, offset });
  const means = forEachChannel(operation, "mean", mean, channels);
  const deviations = forEachChannel(operation, "standardDeviation", standardDeviation, channels);
  if (deviations.includes(0))
    throw new InputError(`${operation}: expected a standardDeviation other than 0, got 0`);
  return means.map((channelMean, channel) =>
    Float32Array.from({ length: 256 }, (_, level) => {
      const rescaled = Math.fround(Math.fround(level * rescaleFactor) + offset);
      return Math.fround(rescaled - Math.fround(channelMean)) / Math.fround(deviations[channel]);
    }),
  );
}

function forEachChannel(
  operation: string,
  name: string,
  value: number | readonly number[],
  channels: number,
): number[] {
  const values = typeof value === "number" ? new Array<number>(channels).fill(value) : [...value];
  if (values.length !== channels || !values.every(Number.isFinite))
    throw new InputError(
      `${operation}: expected ${name} as a finite number or ${channels} of them, got ${JSON.stringify(value)}`,
    );
  return values;
}

/** Writes a picture's numbers at `start`, in rows of `rowLength` numbers. */
export function writeLevels(
  { data, width, height, channels }: Picture,
  tables: readonly Float32Array[],
  target: Float32Array,
  start = 0,
  rowLength = width * channels,
): void {
  const [red, green, blue] = tables;
  for (let row = 0; row < height; row++) {
    let at = start + row * rowLength;
    const end = (row + 1) * width * channels;
    if (channels === 3)
      for (let source = row * width * 3; source < end; source += 3, at += 3) {
        target[at] = red[data[source]];
        target[at + 1] = green[data[source + 1]];
        target[at + 2] = blue[data[source + 2]];
      }
    else
      for (let source = row * width * channels; source < end; source += channels)
        for (let channel = 0; channel < channels; channel++)
          target[at++] = tables[channel][data[source + channel]];
  }
}

/**
 * A picture as a tensor of numbers, `(level · rescaleFactor + offset − mean) / standardDeviation`.
 * @param pictures One picture, or several of one size and one number of channels.
 * @returns `[height, width, channels]` of one picture, `[batch, height, width, channels]` of several; the caller's.
 * @throws ShapeError when the pictures differ in size, InputError for an empty list or a deviation of 0.
 * @example
 * const x = imageToTensor(photo, { mean: [0.485, 0.456, 0.406], standardDeviation: [0.229, 0.224, 0.225] });
 */
export function imageToTensor(
  pictures: Picture | readonly Picture[],
  options: NormalizeOptions = {},
): Tensor {
  assertOptionNames("imageToTensor", options, ["rescaleFactor", "offset", "mean", "standardDeviation"]);
  const list = Array.isArray(pictures) ? (pictures as readonly Picture[]) : [pictures as Picture];
  if (list.length === 0) throw new InputError("imageToTensor: expected at least one picture, got none");
  for (const picture of list) assertPicture("imageToTensor", picture);
  const { width, height, channels } = list[0];
  for (const other of list)
    if (other.width !== width || other.height !== height || other.channels !== channels)
      throw new ShapeError(
        `imageToTensor: expected pictures of ${height} × ${width} × ${channels}, got one of ${other.height} × ${other.width} × ${other.channels}; resize them to one size`,
      );
  const tables = levelTables("imageToTensor", channels, options);
  const size = height * width * channels;
  const values = new Float32Array(list.length * size);
  list.forEach((picture, index) => {
    writeLevels(picture, tables, values, index * size);
  });
  const shape = [height, width, channels];
  return tensor(values, Array.isArray(pictures) ? [list.length, ...shape] : shape);
}

/**
 * The same numbers as {@link imageToTensor} on the host: what a data set's map function returns, in a worker too.
 * @returns `[height, width, channels]` as plain data, which `DataLoader` stacks.
 * @throws InputError for a deviation of 0.
 */
export function imageToHostTensor(
  picture: Picture,
  options: NormalizeOptions = {},
): { values: Float32Array; shape: number[]; dtype: "float32" } {
  assertOptionNames("imageToHostTensor", options, ["rescaleFactor", "offset", "mean", "standardDeviation"]);
  assertPicture("imageToHostTensor", picture);
  const { width, height, channels } = picture;
  const values = new Float32Array(height * width * channels);
  writeLevels(picture, levelTables("imageToHostTensor", channels, options), values);
  return { values, shape: [height, width, channels], dtype: "float32" };
}
