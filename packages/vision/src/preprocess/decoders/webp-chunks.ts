import { ByteReader, damaged } from "./damaged.js";

/** The picture of a WebP file, or the first frame of an animation. */
export interface WebpFrame {
  readonly canvasWidth: number;
  readonly canvasHeight: number;
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  readonly hasAlpha: boolean;
  readonly isAnimated: boolean;
  /** The chunks ALPH and `VP8 ` or VP8L, headers included. */
  readonly bitstream: Uint8Array;
  readonly exif?: Uint8Array;
}

interface Chunk {
  readonly kind: string;
  readonly data: Uint8Array;
  /** With its header and padding. */
  readonly whole: Uint8Array;
}

/** Takes a WebP file apart. @throws InputError when it is damaged or cut off. */
export function readWebpFrame(bytes: Uint8Array, name: string): WebpFrame {
  const reader = new ByteReader(bytes, name, true);
  reader.skip(4); // RIFF
  const size = reader.uint32();
  if (size + 8 > bytes.length) throw damaged(name, `a file of ${size + 8} bytes`, `${bytes.length}`);
  const chunks = readChunks(bytes.subarray(12, size + 8), name);
  const first = chunks[0];
  if (first === undefined) throw damaged(name, "a chunk of pixels", "none");
  if (first.kind !== "VP8X") {
    const picture = pictureOf([first], name);
    return {
      ...picture,
      canvasWidth: picture.width,
      canvasHeight: picture.height,
      left: 0,
      top: 0,
      isAnimated: false,
    };
  }
  const header = new ByteReader(first.data, name, true);
  const flags = header.byte();
  header.skip(3);
  const [canvasWidth, canvasHeight] = [uint24(header) + 1, uint24(header) + 1];
  const exif = chunks.find(({ kind }) => kind === "EXIF")?.data;
  const isAnimated = (flags & 2) !== 0;
  const common = { canvasWidth, canvasHeight, exif, isAnimated, hasAlpha: (flags & 0x10) !== 0 };
  if (!isAnimated) return { ...pictureOf(chunks, name), ...common, left: 0, top: 0 };
  const frame = chunks.find(({ kind }) => kind === "ANMF");
  if (frame === undefined) throw damaged(name, "an animation with a frame", "none");
  const fields = new ByteReader(frame.data, name, true);
  const [left, top] = [2 * uint24(fields), 2 * uint24(fields)];
  const picture = pictureOf(readChunks(frame.data.subarray(16), name), name);
  if (left + picture.width > canvasWidth || top + picture.height > canvasHeight)
    throw damaged(name, "a frame inside the canvas", `one at ${left}, ${top}`);
  return { ...picture, ...common, left, top };
}

/** A still WebP of an animation's frame. */
export function stillWebp({ bitstream, width, height, hasAlpha }: WebpFrame): Uint8Array {
  const file = new Uint8Array(30 + bitstream.length);
  const view = new DataView(file.buffer);
  file.set([..."RIFF\0\0\0\0WEBPVP8X"].map((character) => character.charCodeAt(0)));
  view.setUint32(4, file.length - 8, true);
  view.setUint32(16, 10, true);
  file[20] = hasAlpha ? 0x10 : 0;
  view.setUint32(24, width - 1, true);
  // 24 bits each: the second overwrites the zero that the first left
  view.setUint16(27, (height - 1) & 0xffff, true);
  file[29] = (height - 1) >> 16;
  file.set(bitstream, 30);
  return file;
}

function uint24(reader: ByteReader): number {
  return reader.uint16() + 65536 * reader.byte();
}

function readChunks(bytes: Uint8Array, name: string): Chunk[] {
  const reader = new ByteReader(bytes, name, true);
  const chunks: Chunk[] = [];
  while (reader.position + 8 <= bytes.length) {
    const start = reader.position;
    const kind = reader.text(4);
    const length = reader.uint32();
    const data = reader.take(length);
    if (length % 2 === 1 && reader.position < bytes.length) reader.skip(1);
    chunks.push({ kind, data, whole: bytes.subarray(start, reader.position) });
  }
  return chunks;
}

/** Size and bytes of the one picture among chunks. */
function pictureOf(
  chunks: readonly Chunk[],
  name: string,
): { width: number; height: number; hasAlpha: boolean; bitstream: Uint8Array } {
  const pixels = chunks.find(({ kind }) => kind === "VP8 " || kind === "VP8L");
  if (pixels === undefined) throw damaged(name, "a chunk of pixels", "none");
  const reader = new ByteReader(pixels.data, name, true);
  if (pixels.kind === "VP8L") {
    if (reader.byte() !== 0x2f) throw damaged(name, "a lossless picture", "another signature");
    const bits = reader.uint32();
    return {
      width: (bits & 0x3fff) + 1,
      height: ((bits >>> 14) & 0x3fff) + 1,
      hasAlpha: ((bits >>> 28) & 1) === 1,
      bitstream: pixels.whole,
    };
  }
  reader.skip(3);
  if (reader.byte() !== 0x9d || reader.byte() !== 0x01 || reader.byte() !== 0x2a)
    throw damaged(name, "a key frame", "another start code");
  const [width, height] = [reader.uint16() & 0x3fff, reader.uint16() & 0x3fff];
  const alpha = chunks.find(({ kind }) => kind === "ALPH");
  if (alpha === undefined) return { width, height, hasAlpha: false, bitstream: pixels.whole };
  const bitstream = new Uint8Array(alpha.whole.length + pixels.whole.length);
  bitstream.set(alpha.whole);
  bitstream.set(pixels.whole, alpha.whole.length);
  return { width, height, hasAlpha: true, bitstream };
}
