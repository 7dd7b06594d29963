import type { Picture } from "../picture.js";
import { assertSize, ByteReader, type DecodeLimits, damaged } from "./damaged.js";

interface Frame {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  readonly isInterlaced: boolean;
  readonly palette?: Uint8Array;
}

/** Interlaced rows: first row and step of each pass. */
const PASSES = [
  [0, 8],
  [4, 8],
  [2, 4],
  [1, 2],
] as const;

/**
 * Decodes the first frame of a GIF on its screen, as Pillow does: what the frame leaves free is its transparent
 * colour, or colour 0.
 * @returns RGB, or RGBA where a colour is transparent.
 * @throws InputError when it is damaged, truncated or too large.
 * @see CompuServe (1990), "Graphics Interchange Format, Version 89a", https://www.w3.org/Graphics/GIF/spec-gif89a.txt
 */
export function decodeGif(bytes: Uint8Array, limits: DecodeLimits): Picture {
  const reader = new ByteReader(bytes, limits.name, true);
  reader.skip(6); // the signature
  const screen = [reader.uint16(), reader.uint16()] as const;
  const flags = reader.byte();
  reader.skip(2); // background colour, aspect ratio
  const global = flags & 0x80 ? reader.take(3 << ((flags & 7) + 1)) : undefined;
  let transparent: number | undefined;
  for (;;) {
    const kind = reader.byte();
    if (kind === 0x2c) break;
    if (kind !== 0x21) throw damaged(limits.name, "an extension or a frame", `a block of kind ${kind}`);
    const label = reader.byte();
    const block = readBlocks(reader, label === 0xf9 ? 255 : 0);
    if (label === 0xf9 && block.length >= 4) transparent = block[0] & 1 ? block[3] : undefined;
  }
  const frame = readFrame(reader);
  // a first frame beyond the screen makes the screen larger, as in Pillow
  const width = Math.max(screen[0], frame.left + frame.width);
  const height = Math.max(screen[1], frame.top + frame.height);
  assertSize(limits, width, height);
  const indices = new Uint8Array(width * height).fill(transparent ?? 0);
  const codes = new Uint8Array(frame.width * frame.height);
  const minimumBits = reader.byte();
  if (minimumBits < 1 || minimumBits > 8)
    throw damaged(limits.name, "codes of 1 to 8 bits", String(minimumBits));
  unpack(readBlocks(reader, Number.POSITIVE_INFINITY), minimumBits, codes, limits.name);
  place(frame, codes, indices, width);
  return colored(indices, frame.palette ?? global, transparent, width, height);
}

function readFrame(reader: ByteReader): Frame {
  const [left, top, width, height] = [reader.uint16(), reader.uint16(), reader.uint16(), reader.uint16()];
  const flags = reader.byte();
  const palette = flags & 0x80 ? reader.take(3 << ((flags & 7) + 1)) : undefined;
  if (width < 1 || height < 1) throw damaged(reader.name, "a frame with pixels", `${width} × ${height}`);
  return { left, top, width, height, isInterlaced: (flags & 0x40) !== 0, palette };
}

/** Sub-blocks up to the empty one, joined; those beyond `maxBytes` are passed over. */
function readBlocks(reader: ByteReader, maxBytes: number): Uint8Array {
  const blocks: Uint8Array[] = [];
  let total = 0;
  for (let size = reader.byte(); size !== 0; size = reader.byte()) {
    const block = reader.take(size);
    if (total >= maxBytes) continue;
    blocks.push(block);
    total += size;
  }
  const joined = new Uint8Array(total);
  let at = 0;
  for (const block of blocks) {
    joined.set(block, at);
    at += block.length;
  }
  return joined;
}

/** LZW: fills `pixels`; codes beyond them are not looked at. */
function unpack(data: Uint8Array, minimumBits: number, pixels: Uint8Array, name: string): void {
  const clear = 1 << minimumBits;
  const prefixes = new Uint16Array(4096);
  const suffixes = new Uint8Array(4096);
  const stack = new Uint8Array(4097);
  for (let code = 0; code < clear; code++) suffixes[code] = code;
  let next = clear + 2;
  let bits = minimumBits + 1;
  let previous = -1;
  let firstOfPrevious = 0;
  let held = 0;
  let heldBits = 0;
  let position = 0;
  let filled = 0;
  while (filled < pixels.length) {
    while (heldBits < bits) {
      if (position === data.length)
        throw damaged(name, `${pixels.length} pixels`, `codes for ${filled} of them`);
      held |= data[position++] << heldBits;
      heldBits += 8;
    }
    const code = held & ((1 << bits) - 1);
    held >>= bits;
    heldBits -= bits;
    if (code === clear) {
      next = clear + 2;
      bits = minimumBits + 1;
      previous = -1;
      continue;
    }
    if (code === clear + 1) throw damaged(name, `${pixels.length} pixels`, `an end after ${filled} of them`);
    if (code > next || (code === next && previous < 0) || (previous < 0 && code >= clear))
      throw damaged(name, "a code that is known", String(code));
    let depth = 0;
    let at = code;
    if (code === next) {
      stack[depth++] = firstOfPrevious;
      at = previous;
    }
    while (at >= clear) {
      stack[depth++] = suffixes[at];
      at = prefixes[at];
    }
    stack[depth++] = suffixes[at];
    firstOfPrevious = suffixes[at];
    while (depth > 0 && filled < pixels.length) pixels[filled++] = stack[--depth];
    if (previous >= 0 && next < 4096) {
      prefixes[next] = previous;
      suffixes[next++] = firstOfPrevious;
      if (next === 1 << bits && bits < 12) bits++;
    }
    previous = code;
  }
}

/** Puts a frame on the screen. */
function place(frame: Frame, codes: Uint8Array, indices: Uint8Array, width: number): void {
  let source = 0;
  for (const [first, step] of frame.isInterlaced ? PASSES : ([[0, 1]] as const))
    for (let row = first; row < frame.height; row += step, source += frame.width)
      indices.set(codes.subarray(source, source + frame.width), (frame.top + row) * width + frame.left);
}

/** Without a palette the indices are grey levels; colours beyond one are black. */
function colored(
  indices: Uint8Array,
  palette: Uint8Array | undefined,
  transparent: number | undefined,
  width: number,
  height: number,
): Picture {
  const channels = transparent === undefined ? 3 : 4;
  const data = new Uint8Array(indices.length * channels);
  for (let pixel = 0; pixel < indices.length; pixel++) {
    const index = indices[pixel];
    const target = pixel * channels;
    for (let channel = 0; channel < 3; channel++)
      data[target + channel] = palette === undefined ? index : (palette[3 * index + channel] ?? 0);
    if (channels === 4) data[target + 3] = index === transparent ? 0 : 255;
  }
  return { data, width, height, channels };
}
