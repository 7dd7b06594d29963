import { ByteReader, damaged } from "./damaged.js";

/** The parts of a PNG file that a picture is made of. */
export interface PngParts {
  readonly width: number;
  readonly height: number;
  /** Bits of a sample: 1, 2, 4, 8, 16. */
  readonly bits: number;
  /** 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGBA. */
  readonly colorType: number;
  readonly isInterlaced: boolean;
  readonly palette?: Uint8Array;
  /** The chunk tRNS. */
  readonly transparency?: Uint8Array;
  readonly exif?: Uint8Array;
  /** The compressed pixels, in the pieces that the file has them in. */
  readonly pixels: readonly Uint8Array[];
}

/** Bits allowed for each colour type. */
const BITS: Readonly<Record<number, readonly number[]>> = {
  0: [1, 2, 4, 8, 16],
  2: [8, 16],
  3: [1, 2, 4, 8],
  4: [8, 16],
  6: [8, 16],
};

let table: Uint32Array | undefined;

/** CRC-32 of a chunk (the polynomial of zip and PNG). */
export function crc32(bytes: Uint8Array): number {
  table ??= Uint32Array.from({ length: 256 }, (_, byte) => {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
    return value;
  });
  let crc = 0xffffffff;
  for (let at = 0; at < bytes.length; at++) crc = (crc >>> 8) ^ table[(crc ^ bytes[at]) & 255];
  return (crc ^ 0xffffffff) >>> 0;
}

/** Takes a PNG file apart and checks every chunk's checksum. @throws InputError when it is damaged. */
export function readPngChunks(bytes: Uint8Array, name: string): PngParts {
  const reader = new ByteReader(bytes, name);
  reader.skip(8); // the signature
  const chunks = new Map<string, Uint8Array>();
  const pixels: Uint8Array[] = [];
  for (let kind = ""; kind !== "IEND"; ) {
    const length = reader.uint32();
    const start = reader.position;
    kind = reader.text(4);
    const data = reader.take(length);
    const crc = reader.uint32();
    if (crc32(bytes.subarray(start, start + 4 + length)) !== crc)
      throw damaged(name, `a chunk ${JSON.stringify(kind)} with its checksum`, "another checksum");
    if (start === 12 && kind !== "IHDR")
      throw damaged(name, "a PNG that starts with IHDR", JSON.stringify(kind));
    if (kind === "IDAT") pixels.push(data);
    else if (!chunks.has(kind)) chunks.set(kind, data);
  }
  const header = chunks.get("IHDR");
  if (header === undefined || header.length !== 13) throw damaged(name, "a header of 13 bytes", "another");
  const fields = new ByteReader(header, name);
  const [width, height] = [fields.uint32(), fields.uint32()];
  const [bits, colorType, compression, filter, interlace] = fields.take(5);
  if (!BITS[colorType]?.includes(bits) || compression !== 0 || filter !== 0 || interlace > 1)
    throw damaged(
      name,
      "a PNG of a known kind",
      `${bits} bits, colour ${colorType}, compression ${compression}, filter ${filter}, interlace ${interlace}`,
    );
  const palette = chunks.get("PLTE");
  if (colorType === 3 && (palette === undefined || palette.length === 0 || palette.length % 3 !== 0))
    throw damaged(
      name,
      "a palette of whole colours",
      palette === undefined ? "none" : `${palette.length} bytes`,
    );
  if (pixels.length === 0) throw damaged(name, "pixels (IDAT)", "none");
  return {
    width,
    height,
    bits,
    colorType,
    isInterlaced: interlace === 1,
    palette,
    transparency: chunks.get("tRNS"),
    exif: chunks.get("eXIf"),
    pixels,
  };
}
