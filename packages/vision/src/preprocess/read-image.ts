import { InputError } from "@ai/tensor";
import { type DrawableSource, pictureOfDrawable } from "./canvas-source.js";
import { assertIntegers, assertOptionNames, nameOf } from "./checks.js";
import { convertChannels } from "./convert-channels.js";
import { decodePicture } from "./decode-picture.js";
import { bytesOf } from "./image-source.js";
import { assertPicture, looksLikePicture, type Picture, type PictureChannels } from "./picture.js";

/**
 * Where a picture comes from: a path (Node), a URL, the bytes of a file as `Buffer`, `Uint8Array`, `ArrayBuffer`,
 * `Blob` or `File`, raw pixels as {@link Picture} or `ImageData`, or what a page can draw.
 */
export type ImageSource =
  | string
  | URL
  | Uint8Array
  | ArrayBuffer
  | Blob
  | Picture
  | ImageData
  | DrawableSource;

/** Options of {@link readImage}. */
export interface ReadImageOptions {
  /** 1 for grey, 3 for RGB, 4 for RGBA; RGB unless it says otherwise. Alpha is dropped, not blended, as Pillow does. */
  readonly channels?: PictureChannels;
  /** Whether EXIF's note of how the camera was held turns the picture; true unless it says otherwise. */
  readonly applyOrientation?: boolean;
  /** Largest width times height, checked before anything of that size is made; 2²⁶ (67 million) when left out. */
  readonly maxPixels?: number;
  /** Largest encoded file; 2²⁸ (268 million) when left out. */
  readonly maxBytes?: number;
  /** Ends reading and downloading. */
  readonly signal?: AbortSignal;
}

/**
 * Reads a picture: JPEG, PNG, WebP or GIF (first frame) in any of their forms, decoded by the same code in Node,
 * browsers and workers to the bytes that Pillow gives with
 * `ImageOps.exif_transpose(Image.open(file)).convert("RGB")`. Two forms differ from it: of 16-bit grey the high byte
 * stays where Pillow clips at 255, and CMYK JPEGs are within a few levels.
 * @returns A new picture; `Picture` and `ImageData` are taken as they are and their bytes copied.
 * @throws InputError when the source is nothing that can be read, or the file is damaged, cut off or too large;
 * DownloadError when a URL cannot be fetched; the signal's reason when it ends.
 * @example
 * const photo = await readImage("photo.jpg");
 * console.log(photo.width, photo.height, photo.channels); // 640 480 3
 */
export async function readImage(source: ImageSource, options: ReadImageOptions = {}): Promise<Picture> {
  assertOptionNames("readImage", options, [
    "channels",
    "applyOrientation?",
    "maxPixels",
    "maxBytes",
    "signal",
  ]);
  const { channels = 3, applyOrientation = true, maxPixels = 2 ** 26, maxBytes = 2 ** 28, signal } = options;
  assertIntegers("readImage", { maxPixels, maxBytes });
  if (channels !== 1 && channels !== 3 && channels !== 4)
    throw new InputError(
      `readImage: expected 1 (grey), 3 (RGB) or 4 (RGBA) channels, got ${String(channels)}`,
    );
  signal?.throwIfAborted();
  const encoded = await bytesOf(source, { maxBytes, signal });
  const picture =
    encoded === undefined
      ? await pictureOf(source, maxPixels)
      : await decodePicture(encoded.bytes, { name: encoded.name, maxPixels }, applyOrientation);
  signal?.throwIfAborted();
  const { data, width, height } = convertChannels(picture, channels);
  const isOwn = data !== (source as { data?: unknown }).data && data.buffer.byteLength === data.byteLength;
  return {
    data: isOwn ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(data),
    width,
    height,
    channels,
  };
}

async function pictureOf(source: unknown, maxPixels: number): Promise<Picture> {
  if (looksLikePicture(source)) {
    const isImageData = typeof ImageData !== "undefined" && source instanceof ImageData;
    const { data, width, height } = source;
    const picture = isImageData ? ({ data, width, height, channels: 4 } as const) : source;
    assertPicture("readImage", picture);
    return picture;
  }
  const drawn = await pictureOfDrawable(source, maxPixels);
  if (drawn !== undefined) return drawn;
  throw new InputError(
    `readImage: expected a path, URL, Blob, bytes, picture or something that can be drawn, got ${nameOf(source)}`,
  );
}
