import { Unzlib } from "fflate";
import type { Picture } from "../picture.js";
import { assertSize, type DecodeLimits, damaged } from "./damaged.js";
import { exifOrientation } from "./exif.js";
import { type PngParts, readPngChunks } from "./png-chunks.js";
import { pictureOfSamples } from "./png-colors.js";

/** Samples of a pixel, by colour type. */
const CHANNELS: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

/** Adam7: first column, first row, column step, row step. */
const PASSES = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;

/** Deflate makes at most 1032 bytes of one. */
const MAX_RATIO = 1032;

/** Bytes that are inflated at a time, so that a bomb is seen before it has grown. */
const PIECE_BYTES = 8192;

/**
 * Decodes a PNG of any colour type, depth and interlacing; of 16 bits the high byte stays, as in Pillow.
 * @returns Grey, RGB or RGBA as the file has it, and its orientation.
 * @throws InputError when it is damaged, truncated or too large.
 * @see W3C (2025), "Portable Network Graphics (PNG) Specification (Third Edition)", https://www.w3.org/TR/png-3/
 */
export function decodePng(
  bytes: Uint8Array,
  limits: DecodeLimits,
): { picture: Picture; orientation: number } {
  const parts = readPngChunks(bytes, limits.name);
  assertSize(limits, parts.width, parts.height);
  const channels = CHANNELS[parts.colorType];
  const passes = passesOf(parts);
  const rowBytes = (width: number): number => Math.ceil((width * channels * parts.bits) / 8);
  const raw = inflate(
    parts,
    passes.reduce((sum, { width, height }) => sum + height * (1 + rowBytes(width)), 0),
    limits.name,
  );
  // one byte a sample: of 16 bits the high byte
  const samples = new Uint8Array(parts.width * parts.height * channels);
  const unit = Math.max(1, (channels * parts.bits) / 8);
  const low = parts.bits === 16 && needsLowBytes(parts) ? new Uint8Array(samples.length) : undefined;
  let position = 0;
  for (const pass of passes) {
    const length = rowBytes(pass.width);
    let previous: Uint8Array = new Uint8Array(length);
    for (let row = 0; row < pass.height; row++) {
      const line = raw.subarray(position + 1, position + 1 + length);
      unfilter(raw[position], line, previous, unit, limits.name);
      const first = ((pass.top + row * pass.stepY) * parts.width + pass.left) * channels;
      spread(line, parts.bits, { samples, first, pass, channels, low });
      previous = line;
      position += 1 + length;
    }
  }
  return { picture: pictureOfSamples(parts, samples, low), orientation: exifOrientation(parts.exif) };
}

/** Only a transparent colour is compared in all 16 bits. */
function needsLowBytes({ colorType, transparency }: PngParts): boolean {
  return transparency !== undefined && (colorType === 0 || colorType === 2);
}

interface Pass {
  readonly left: number;
  readonly top: number;
  readonly stepX: number;
  readonly stepY: number;
  readonly width: number;
  readonly height: number;
}

function passesOf({ width, height, isInterlaced }: PngParts): Pass[] {
  if (!isInterlaced) return [{ left: 0, top: 0, stepX: 1, stepY: 1, width, height }];
  return PASSES.map(([left, top, stepX, stepY]) => ({
    left,
    top,
    stepX,
    stepY,
    width: Math.ceil((width - left) / stepX),
    height: Math.ceil((height - top) / stepY),
  })).filter((pass) => pass.width > 0 && pass.height > 0);
}

/** Inflates exactly `size` bytes; what the stream has beyond them is not looked at. */
function inflate({ pixels }: PngParts, size: number, name: string): Uint8Array {
  const compressed = pixels.reduce((sum, { length }) => sum + length, 0);
  if (compressed * MAX_RATIO < size)
    throw damaged(name, `${size} bytes of pixels`, `${compressed} bytes compressed, too few for them`);
  const raw = new Uint8Array(size);
  let filled = 0;
  const stream = new Unzlib((piece) => {
    const used = Math.min(piece.length, size - filled);
    raw.set(used === piece.length ? piece : piece.subarray(0, used), filled);
    filled += used;
  });
  try {
    for (const part of pixels)
      for (let at = 0; at < part.length && filled < size; at += PIECE_BYTES)
        stream.push(part.subarray(at, at + PIECE_BYTES));
    if (filled < size) stream.push(new Uint8Array(0), true);
  } catch (error) {
    throw damaged(name, "pixels that inflate", `${(error as Error).message}`);
  }
  if (filled < size) throw damaged(name, `${size} bytes of pixels`, `${filled}`);
  return raw;
}

/** Undoes a row's filter in place. */
function unfilter(kind: number, line: Uint8Array, above: Uint8Array, unit: number, name: string): void {
  switch (kind) {
    case 0:
      return;
    case 1:
      for (let at = unit; at < line.length; at++) line[at] += line[at - unit];
      return;
    case 2:
      for (let at = 0; at < line.length; at++) line[at] += above[at];
      return;
    case 3:
      for (let at = 0; at < unit && at < line.length; at++) line[at] += above[at] >> 1;
      for (let at = unit; at < line.length; at++) line[at] += (line[at - unit] + above[at]) >> 1;
      return;
    case 4:
      for (let at = 0; at < unit && at < line.length; at++) line[at] += above[at];
      for (let at = unit; at < line.length; at++)
        line[at] += paeth(line[at - unit], above[at], above[at - unit]);
      return;
    default:
      throw damaged(name, "a filter from 0 to 4", String(kind));
  }
}

/** Whichever of left, above and their corner is nearest to left + above − corner. */
export function paeth(left: number, above: number, corner: number): number {
  const toLeft = Math.abs(above - corner);
  const toAbove = Math.abs(left - corner);
  const toCorner = Math.abs(left + above - 2 * corner);
  if (toLeft <= toAbove && toLeft <= toCorner) return left;
  return toAbove <= toCorner ? above : corner;
}

interface Target {
  readonly samples: Uint8Array;
  readonly first: number;
  readonly pass: Pass;
  readonly channels: number;
  readonly low?: Uint8Array;
}

/** Puts a row's samples where they belong in the picture. */
function spread(line: Uint8Array, bits: number, { samples, first, pass, channels, low }: Target): void {
  if (bits === 8 && pass.stepX === 1) {
    samples.set(line, first);
    return;
  }
  const jump = pass.stepX * channels;
  const mask = (1 << bits) - 1;
  for (let column = 0; column < pass.width; column++)
    for (let channel = 0; channel < channels; channel++) {
      const index = column * channels + channel;
      const target = first + column * jump + channel;
      if (bits === 8) samples[target] = line[index];
      else if (bits === 16) {
        samples[target] = line[2 * index];
        if (low !== undefined) low[target] = line[2 * index + 1];
      } else samples[target] = (line[(index * bits) >> 3] >> (8 - bits - ((index * bits) & 7))) & mask;
    }
}
