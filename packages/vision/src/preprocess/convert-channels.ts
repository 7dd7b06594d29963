import { InputError } from "@ai/tensor";
import { assertPicture, type Picture, type PictureChannels } from "./picture.js";

/**
 * The picture as grey (1), RGB (3) or RGBA (4), as Pillow's `convert`: alpha is dropped, not blended; grey is
 * `(19595·R + 38470·G + 7471·B + 2¹⁵) / 2¹⁶`, rounded down; a new alpha is 255.
 * @returns The same picture where it has those channels already.
 * @throws InputError for another number of channels.
 */
export function convertChannels(picture: Picture, channels: PictureChannels): Picture {
  assertPicture("convertChannels", picture);
  if (channels !== 1 && channels !== 3 && channels !== 4)
    throw new InputError(
      `convertChannels: expected 1 (grey), 3 (RGB) or 4 (RGBA) channels, got ${String(channels)}`,
    );
  if (picture.channels === channels) return picture;
  const { data: from, width, height } = picture;
  const step = picture.channels;
  if (step === 4 && channels === 3) return { data: withoutAlpha(from), width, height, channels };
  const data = new Uint8Array(width * height * channels);
  if (channels === 1)
    for (let pixel = 0, source = 0; pixel < data.length; pixel++, source += step)
      data[pixel] =
        (19595 * from[source] + 38470 * from[source + 1] + 7471 * from[source + 2] + 0x8000) >> 16;
  else {
    const [green, blue] = step === 1 ? [0, 0] : [1, 2];
    for (let source = 0, target = 0; target < data.length; source += step, target += channels) {
      data[target] = from[source];
      data[target + 1] = from[source + green];
      data[target + 2] = from[source + blue];
      if (channels === 4) data[target + 3] = 255;
    }
  }
  return { data, width, height, channels };
}

const IS_LITTLE_ENDIAN = /* @__PURE__ */ new Uint8Array(/* @__PURE__ */ Uint32Array.of(1).buffer)[0] === 1;

/** RGB of RGBA: decoders give RGBA, so this runs for nearly every picture. */
function withoutAlpha(rgba: Picture["data"]): Uint8Array {
  const pixels = rgba.length / 4;
  const rgb = new Uint8Array(pixels * 3);
  let pixel = 0;
  // four pixels are three words
  if (IS_LITTLE_ENDIAN && rgba.byteOffset % 4 === 0) {
    const from = new Uint32Array(rgba.buffer, rgba.byteOffset, pixels);
    const to = new Uint32Array(rgb.buffer, 0, Math.floor(pixels / 4) * 3);
    for (let target = 0; target < to.length; pixel += 4, target += 3) {
      const second = from[pixel + 1];
      const third = from[pixel + 2];
      to[target] = (from[pixel] & 0xffffff) | (second << 24);
      to[target + 1] = ((second >>> 8) & 0xffff) | (third << 16);
      to[target + 2] = ((third >>> 16) & 0xff) | (from[pixel + 3] << 8);
    }
  }
  for (; pixel < pixels; pixel++) {
    const source = pixel * 4;
    const target = pixel * 3;
    rgb[target] = rgba[source];
    rgb[target + 1] = rgba[source + 1];
    rgb[target + 2] = rgba[source + 2];
  }
  return rgb;
}
