import { zlibSync } from "fflate";
import { paeth } from "../decoders/png.js";
import { crc32 } from "../decoders/png-chunks.js";
import type { Picture } from "../picture.js";

/** PNG's colour types by channels. */
const COLOR_TYPES = { 1: 0, 3: 2, 4: 6 } as const;

/** A picture as a PNG of 8 bits, each row with the filter that leaves the smallest numbers. */
export function encodePng({ data, width, height, channels }: Picture): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, COLOR_TYPES[channels]], 8);
  const parts = [
    Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
    chunk("IHDR", header),
    chunk("IDAT", zlibSync(filtered(data, width * channels, height, channels), { level: 6 })),
    chunk("IEND", new Uint8Array(0)),
  ];
  const file = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    file.set(part, at);
    at += part.length;
  }
  return file;
}

function chunk(kind: string, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(12 + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  for (let at = 0; at < 4; at++) bytes[4 + at] = kind.charCodeAt(at);
  bytes.set(data, 8);
  view.setUint32(8 + data.length, crc32(bytes.subarray(4, 8 + data.length)));
  return bytes;
}

function filtered(data: Picture["data"], rowLength: number, height: number, unit: number): Uint8Array {
  const result = new Uint8Array((rowLength + 1) * height);
  const trials = Array.from({ length: 5 }, () => new Uint8Array(rowLength));
  for (let row = 0; row < height; row++) {
    const start = row * rowLength;
    let best = 0;
    let smallest = Number.POSITIVE_INFINITY;
    for (let kind = 0; kind < 5; kind++) {
      const sum = filterRow(kind, data, start, row === 0 ? -1 : start - rowLength, unit, trials[kind]);
      if (sum >= smallest) continue;
      smallest = sum;
      best = kind;
    }
    result[row * (rowLength + 1)] = best;
    result.set(trials[best], row * (rowLength + 1) + 1);
  }
  return result;
}

/** Filters a row. @returns the sum of its numbers, taken as signed. */
function filterRow(
  kind: number,
  data: Picture["data"],
  start: number,
  above: number,
  unit: number,
  target: Uint8Array,
): number {
  let sum = 0;
  for (let at = 0; at < target.length; at++) {
    const left = at >= unit ? data[start + at - unit] : 0;
    const up = above >= 0 ? data[above + at] : 0;
    const corner = at >= unit && above >= 0 ? data[above + at - unit] : 0;
    let guess = 0;
    if (kind === 1) guess = left;
    else if (kind === 2) guess = up;
    else if (kind === 3) guess = (left + up) >> 1;
    else if (kind === 4) guess = paeth(left, up, corner);
    const value = (data[start + at] - guess) & 255;
    target[at] = value;
    sum += value < 128 ? value : 256 - value;
  }
  return sum;
}
