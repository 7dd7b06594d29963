import { InputError } from "@ai/tensor";
import { assertIntegers, assertNumbers } from "../preprocess/checks.js";
import { convertChannels } from "../preprocess/convert-channels.js";
import { assertPicture, type Picture } from "../preprocess/picture.js";

/** Channels that are colour: alpha stays as it is. */
function colorsOf({ channels }: Picture): number {
  return channels === 4 ? 3 : channels;
}

/** `other + factor · (picture − other)` in float32, cut off and rounded down, as Pillow's `Image.blend`. */
function blend(picture: Picture, other: (index: number) => number, factor: number): Picture {
  const { data, channels } = picture;
  const colors = colorsOf(picture);
  const result = Uint8Array.from(data);
  const alpha = Math.fround(factor);
  for (let at = 0; at < data.length; at++) {
    if (at % channels >= colors) continue;
    const from = other(at);
    const value = Math.fround(from + Math.fround(alpha * (data[at] - from)));
    result[at] = value <= 0 ? 0 : Math.min(255, value);
  }
  return { ...picture, data: result };
}

/** Each level through a table, a table a channel. */
function throughTables(picture: Picture, tables: readonly ArrayLike<number>[]): Picture {
  const { data, channels } = picture;
  const result = Uint8Array.from(data);
  const colors = colorsOf(picture);
  for (let at = 0; at < data.length; at++) {
    const channel = at % channels;
    if (channel < colors) result[at] = tables[Math.min(channel, tables.length - 1)][data[at]];
  }
  return { ...picture, data: result };
}

function checked(operation: string, picture: Picture, factor: number): void {
  assertPicture(operation, picture);
  assertNumbers(operation, { factor }, 0);
}

/** Brighter (`factor` above 1) or darker; 0 is black. As Pillow's `ImageEnhance.Brightness`. @throws InputError for a negative factor. */
export function adjustBrightness(picture: Picture, factor: number): Picture {
  checked("adjustBrightness", picture, factor);
  return blend(picture, () => 0, factor);
}

/** More or less contrast; 0 is the mean grey. As Pillow's `ImageEnhance.Contrast`. @throws InputError for a negative factor. */
export function adjustContrast(picture: Picture, factor: number): Picture {
  checked("adjustContrast", picture, factor);
  const grey = convertChannels(picture, 1).data;
  let sum = 0;
  for (const level of grey) sum += level;
  const mean = Math.trunc(sum / grey.length + 0.5);
  return blend(picture, () => mean, factor);
}

/** More or less colour; 0 is grey. As Pillow's `ImageEnhance.Color`. @throws InputError for a negative factor. */
export function adjustSaturation(picture: Picture, factor: number): Picture {
  checked("adjustSaturation", picture, factor);
  const grey = convertChannels(picture, 1).data;
  const { channels } = picture;
  return blend(picture, (index) => grey[Math.floor(index / channels)], factor);
}

/** Sharper or softer; 0 is smoothed. As Pillow's `ImageEnhance.Sharpness`. @throws InputError for a negative factor. */
export function adjustSharpness(picture: Picture, factor: number): Picture {
  checked("adjustSharpness", picture, factor);
  const smooth = smoothed(picture);
  return blend(picture, (index) => smooth[index], factor);
}

/** The eight neighbours once and the pixel five times, over 13; the border stays. */
function smoothed({ data, width, height, channels }: Picture): Uint8Array {
  const result = Uint8Array.from(data);
  const row = width * channels;
  for (let y = 1; y < height - 1; y++)
    for (let at = y * row + channels; at < (y + 1) * row - channels; at++) {
      let sum = 4 * data[at];
      for (const line of [at - row, at, at + row])
        sum += data[line - channels] + data[line] + data[line + channels];
      result[at] = Math.floor(sum / 13 + 0.5);
    }
  return result;
}

/**
 * Turns the colour circle by a part of it. As Pillow's HSV, of 8 bits.
 * @param shift From −0.5 to 0.5. @throws InputError for a shift outside.
 */
export function adjustHue(picture: Picture, shift: number): Picture {
  assertPicture("adjustHue", picture);
  assertNumbers("adjustHue", { shift }, -0.5, 0.5);
  if (picture.channels === 1) return picture;
  const { channels } = picture;
  const data = Uint8Array.from(picture.data);
  const turn = Math.trunc(shift * 255);
  for (let at = 0; at < data.length; at += channels) {
    const [hue, saturation, value] = toHsv(data[at], data[at + 1], data[at + 2]);
    const color = fromHsv((hue + turn + 256) % 256, saturation, value);
    for (let channel = 0; channel < 3; channel++) data[at + channel] = color[channel];
  }
  return { ...picture, data };
}

function toHsv(red: number, green: number, blue: number): [number, number, number] {
  const most = Math.max(red, green, blue);
  const range = most - Math.min(red, green, blue);
  if (range === 0) return [0, 0, most];
  const distance = (level: number): number => Math.fround((most - level) / range);
  let hue: number;
  if (red === most) hue = Math.fround(distance(blue) - distance(green));
  else if (green === most) hue = Math.fround(2 + distance(red) - distance(blue));
  else hue = Math.fround(4 + distance(green) - distance(red));
  const turned = Math.fround((hue / 6 + 1) % 1);
  return [Math.trunc(turned * 255), Math.trunc(Math.fround(range / most) * 255), most];
}

function fromHsv(hue: number, saturation: number, value: number): readonly number[] {
  if (saturation === 0) return [value, value, value];
  const sector = Math.fround((hue * 6) / 255);
  const whole = Math.floor(sector);
  const part = Math.fround(sector - whole);
  const strength = Math.fround(saturation / 255);
  const low = Math.round(value * (1 - strength));
  const falling = Math.round(value * (1 - strength * part));
  const rising = Math.round(value * (1 - strength * (1 - part)));
  return [
    [value, rising, low],
    [falling, value, low],
    [low, value, rising],
    [low, falling, value],
    [rising, low, value],
    [value, low, falling],
  ][whole % 6];
}

/** Keeps the first `bits` bits of each level. @throws InputError unless `bits` is an integer from 1 to 8. */
export function posterize(picture: Picture, bits: number): Picture {
  assertPicture("posterize", picture);
  assertIntegers("posterize", { bits });
  assertNumbers("posterize", { bits }, 1, 8);
  const mask = 256 - 2 ** (8 - bits);
  return throughTables(picture, [Uint8Array.from({ length: 256 }, (_, level) => level & mask)]);
}

/** Inverts the levels that are at least `threshold`. @throws InputError for a threshold outside [0, 256]. */
export function solarize(picture: Picture, threshold: number): Picture {
  assertPicture("solarize", picture);
  assertNumbers("solarize", { threshold }, 0, 256);
  return throughTables(picture, [
    Uint8Array.from({ length: 256 }, (_, level) => (level < threshold ? level : 255 - level)),
  ]);
}

/** How often each level is there, a histogram a colour. */
function histograms(picture: Picture): Float64Array[] {
  const { data, channels } = picture;
  const counts = Array.from({ length: colorsOf(picture) }, () => new Float64Array(256));
  for (let at = 0; at < data.length; at++) {
    const channel = at % channels;
    if (channel < counts.length) counts[channel][data[at]]++;
  }
  return counts;
}

/** Stretches each channel so that its darkest level becomes 0 and its brightest 255. As Pillow's `ImageOps.autocontrast`. */
export function autoContrast(picture: Picture): Picture {
  assertPicture("autoContrast", picture);
  return throughTables(
    picture,
    histograms(picture).map((counts) => {
      const low = counts.findIndex((count) => count > 0);
      const high = counts.findLastIndex((count) => count > 0);
      const scale = 255 / (high - low);
      return Uint8Array.from({ length: 256 }, (_, level) =>
        high <= low ? level : Math.min(255, Math.max(0, Math.trunc(level * scale - low * scale))),
      );
    }),
  );
}

/** Spreads the levels of each channel evenly. As Pillow's `ImageOps.equalize`. */
export function equalize(picture: Picture): Picture {
  assertPicture("equalize", picture);
  return throughTables(
    picture,
    histograms(picture).map((counts) => {
      const present = counts.filter((count) => count > 0);
      const total = counts.reduce((sum, count) => sum + count, 0);
      const step = Math.floor((total - present[present.length - 1]) / 255);
      let passed = Math.floor(step / 2);
      return Uint8Array.from({ length: 256 }, (_, level) => {
        if (present.length <= 1 || step === 0) return level;
        const value = Math.floor(passed / step);
        passed += counts[level];
        return Math.min(255, value);
      });
    }),
  );
}

/** @throws InputError unless `value` is a number of at least 0, or two in order. */
export function factorRange(
  operation: string,
  name: string,
  value: number | readonly [number, number],
): readonly [number, number] {
  const range = typeof value === "number" ? ([Math.max(0, 1 - value), 1 + value] as const) : value;
  const isGood = Array.isArray(range) && range.length === 2 && range[0] >= 0 && range[0] <= range[1];
  if (!isGood || (typeof value === "number" && !(value >= 0 && Number.isFinite(value))))
    throw new InputError(
      `${operation}: expected ${name} as a number of at least 0 or [smallest, largest] factor, got ${JSON.stringify(value)}`,
    );
  return range as readonly [number, number];
}
