import { InputError } from "@ai/tensor";
import { assertNumbers, assertOptionNames } from "./checks.js";
import { assertPicture, type Picture } from "./picture.js";

/**
 * A picture as the bytes of a PNG file; reading them gives the same picture.
 * @throws InputError for what is no picture.
 * @example
 * await writeFile("boxes.png", await writePng(picture));
 */
export async function writePng(picture: Picture): Promise<Uint8Array<ArrayBuffer>> {
  assertPicture("writePng", picture);
  const { encodePng } = await import("./encoders/png.js");
  return encodePng(picture);
}

/** Options of {@link writeJpeg}. */
export interface WriteJpegOptions {
  /** From 1 to 100, IJG's scale; 85 unless it says otherwise. Below 90 colours are halved in both directions. */
  readonly quality?: number;
}

/**
 * A grey or RGB picture as the bytes of a baseline JPEG file.
 * @throws InputError for a quality outside [1, 100], sides above 65,535 pixels, or alpha, which JPEG has not.
 */
export async function writeJpeg(
  picture: Picture,
  options: WriteJpegOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  assertPicture("writeJpeg", picture);
  assertOptionNames("writeJpeg", options, ["quality"]);
  const { quality = 85 } = options;
  assertNumbers("writeJpeg", { quality }, 1, 100);
  if (picture.channels === 4)
    throw new InputError(
      "writeJpeg: expected a grey or RGB picture, got RGBA; convertChannels(picture, 3) drops alpha",
    );
  if (picture.width > 65535 || picture.height > 65535)
    throw new InputError(
      `writeJpeg: expected at most 65535 × 65535 pixels, got ${picture.width} × ${picture.height}`,
    );
  const { encodeJpeg } = await import("./encoders/jpeg.js");
  return encodeJpeg(picture, quality);
}
