import type { Picture } from "./picture.js";

/** RGBA with colours times alpha, as Pillow's mode RGBa: resizing then weighs colours by what is seen of them. */
export function premultiply(picture: Picture): Picture {
  const { data } = picture;
  const result = new Uint8Array(data.length);
  for (let at = 0; at < data.length; at += 4) {
    const alpha = data[at + 3];
    for (let channel = 0; channel < 3; channel++) {
      const product = data[at + channel] * alpha + 128;
      result[at + channel] = ((product >> 8) + product) >> 8;
    }
    result[at + 3] = alpha;
  }
  return { ...picture, data: result };
}

/** The inverse of {@link premultiply}, rounded down as Pillow does. */
export function unpremultiply(picture: Picture): Picture {
  const { data } = picture;
  const result = new Uint8Array(data.length);
  for (let at = 0; at < data.length; at += 4) {
    const alpha = data[at + 3];
    const isPlain = alpha === 0 || alpha === 255;
    for (let channel = 0; channel < 3; channel++)
      result[at + channel] = isPlain
        ? data[at + channel]
        : Math.min(255, Math.floor((255 * data[at + channel]) / alpha));
    result[at + 3] = alpha;
  }
  return { ...picture, data: result };
}
