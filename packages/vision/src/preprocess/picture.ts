import { InputError } from "@ai/tensor";

/** Bytes of a pixel: grey, RGB or RGBA. */
export type PictureChannels = 1 | 3 | 4;

/**
 * A decoded picture: plain data that `postMessage` and `structuredClone` take as it is. Top-left pixel first, row by
 * row, the channels of a pixel beside each other; alpha is not premultiplied.
 */
export interface Picture {
  /** `height · width · channels` values in [0, 255]. */
  readonly data: Uint8Array | Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
  /** 1 is grey, 3 RGB, 4 RGBA. */
  readonly channels: PictureChannels;
}

/** Whether `value` has the fields of a {@link Picture} or of raw pixels, right or wrong. */
export function looksLikePicture(value: unknown): value is Picture {
  return typeof value === "object" && value !== null && "data" in value && "width" in value;
}

/** @throws InputError unless `picture` is a {@link Picture} whose data has the size that its fields say. */
export function assertPicture(operation: string, picture: Picture): void {
  if (!looksLikePicture(picture))
    throw new InputError(
      `${operation}: expected a picture { data, width, height, channels }, got ${picture === null ? "null" : typeof picture}; readImage makes one`,
    );
  const { data, width, height, channels } = picture;
  for (const [name, value] of Object.entries({ width, height }))
    if (!Number.isSafeInteger(value) || value < 1)
      throw new InputError(
        `${operation}: expected a picture whose ${name} is a positive integer, got ${value}`,
      );
  if (channels !== 1 && channels !== 3 && channels !== 4)
    throw new InputError(
      `${operation}: expected a picture of 1 (grey), 3 (RGB) or 4 (RGBA) channels, got ${String(channels)}`,
    );
  if (!(data instanceof Uint8Array || data instanceof Uint8ClampedArray))
    throw new InputError(
      `${operation}: expected the picture's data as Uint8Array, got ${Object.prototype.toString.call(data).slice(8, -1)}`,
    );
  const length = width * height * channels;
  if (data.length !== length)
    throw new InputError(
      `${operation}: expected ${height} × ${width} × ${channels} = ${length} values, got ${data.length}`,
    );
}
