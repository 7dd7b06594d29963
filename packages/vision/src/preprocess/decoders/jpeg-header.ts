import { InputError } from "@ai/tensor";
import { ByteReader, damaged } from "./damaged.js";

/** What the markers of a JPEG say. */
export interface JpegHeader {
  readonly width: number;
  readonly height: number;
  /** Number of colour components. */
  readonly components: number;
  readonly exif?: Uint8Array;
  /** The transform of Adobe's marker: 0 none, 1 YCbCr, 2 YCCK. */
  readonly adobeTransform?: number;
}

/** Frames that the decoders know: baseline, extended and progressive, Huffman coded. */
const KNOWN_FRAMES = [0xc0, 0xc1, 0xc2];

/**
 * Reads a JPEG's markers to its end. @throws InputError when it is cut off, damaged or of a kind that nobody reads.
 * @see ITU-T (1992), "T.81: Digital compression and coding of continuous-tone still images", annex B
 */
export function readJpegHeader(bytes: Uint8Array, name: string): JpegHeader {
  const reader = new ByteReader(bytes, name);
  reader.skip(2); // SOI
  let frame: { width: number; height: number; components: number } | undefined;
  let exif: Uint8Array | undefined;
  let adobeTransform: number | undefined;
  let scans = 0;
  for (;;) {
    const marker = nextMarker(reader);
    if (marker === 0xd9) break;
    if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd7)) continue;
    const length = reader.uint16();
    if (length < 2) throw damaged(name, "a segment of at least 2 bytes", String(length));
    const data = reader.take(length - 2);
    if (marker === 0xda) {
      scans++;
      skipEntropyCoded(reader);
    } else if (isFrame(marker)) {
      frame ??= readFrame(marker, data, name);
    } else if (marker === 0xe1 && startsWith(data, "Exif\0\0")) exif ??= data;
    else if (marker === 0xee && startsWith(data, "Adobe") && data.length >= 12) adobeTransform = data[11];
  }
  if (frame === undefined || scans === 0) throw damaged(name, "a JPEG with a frame and a scan", "none");
  return { ...frame, exif, adobeTransform };
}

function isFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}

function readFrame(
  marker: number,
  data: Uint8Array,
  name: string,
): { width: number; height: number; components: number } {
  const fields = new ByteReader(data, name);
  const precision = fields.byte();
  const [height, width, components] = [fields.uint16(), fields.uint16(), fields.byte()];
  if (!KNOWN_FRAMES.includes(marker) || precision !== 8)
    throw new InputError(
      `readImage: ${name}: expected a baseline or progressive JPEG of 8 bits, got frame 0x${marker.toString(16)} of ${precision} bits; convert it first`,
    );
  if (![1, 3, 4].includes(components))
    throw damaged(name, "a JPEG of 1, 3 or 4 components", String(components));
  return { width, height, components };
}

function startsWith(data: Uint8Array, text: string): boolean {
  return [...text].every((character, index) => data[index] === character.charCodeAt(0));
}

/** The next marker's code; bytes between segments are passed over, as libjpeg does. */
function nextMarker(reader: ByteReader): number {
  for (;;) {
    if (reader.byte() !== 0xff) continue;
    let code = reader.byte();
    while (code === 0xff) code = reader.byte();
    if (code !== 0) return code;
  }
}

/** Moves to the next marker that is neither a stuffed byte nor a restart. */
function skipEntropyCoded(reader: ByteReader): void {
  const { bytes } = reader;
  let at = reader.position;
  for (;;) {
    at = bytes.indexOf(0xff, at);
    if (at < 0 || at + 1 >= bytes.length) {
      reader.position = bytes.length;
      return; // the next marker is missed there
    }
    const code = bytes[at + 1];
    if (code === 0xff) at += 1;
    else if (code === 0 || (code >= 0xd0 && code <= 0xd7)) at += 2;
    else break;
  }
  reader.position = at;
}
