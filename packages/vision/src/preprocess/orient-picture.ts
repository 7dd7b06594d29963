import type { Picture } from "./picture.js";

/** Turns a picture by its EXIF orientation, as Pillow's `ImageOps.exif_transpose`. @param orientation 1 to 8. */
export function orientPicture(picture: Picture, orientation: number): Picture {
  if (orientation <= 1) return picture;
  const { data, width, height, channels } = picture;
  const isTurned = orientation >= 5;
  const [newWidth, newHeight] = isTurned ? [height, width] : [width, height];
  // 2, 3, 7, 8 mirror the source's x; 3, 4, 6, 7 its y
  const mirrorsX = [2, 3, 7, 8].includes(orientation);
  const mirrorsY = [3, 4, 6, 7].includes(orientation);
  const result = new Uint8Array(data.length);
  let target = 0;
  for (let row = 0; row < newHeight; row++)
    for (let column = 0; column < newWidth; column++) {
      const [alongX, alongY] = isTurned ? [row, column] : [column, row];
      const x = mirrorsX ? width - 1 - alongX : alongX;
      const y = mirrorsY ? height - 1 - alongY : alongY;
      const source = (y * width + x) * channels;
      for (let channel = 0; channel < channels; channel++) result[target++] = data[source + channel];
    }
  return { data: result, width: newWidth, height: newHeight, channels };
}
