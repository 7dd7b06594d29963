import moduleFactory from "@jsquash/jpeg/codec/dec/mozjpeg_dec.js";
import { convertChannels } from "../convert-channels.js";
import type { Picture } from "../picture.js";
import { assertSize, type DecodeLimits, damaged } from "./damaged.js";
import { exifOrientation } from "./exif.js";
import { BINARY } from "./jpeg-binary.generated.js";
import { decodeFourColors } from "./jpeg-four-colors.js";
import { readJpegHeader } from "./jpeg-header.js";
import { type EmscriptenFactory, WasmCodec } from "./wasm-codec.js";

let codec: WasmCodec | undefined;

/** Remarks of libjpeg about bytes that it passed over, which leave the pixels whole. */
const HARMLESS = /extraneous bytes|Adobe|JFIF|colorspace/i;

/**
 * Decodes a baseline or progressive JPEG with libjpeg's own arithmetic (MozJPEG as WebAssembly), so to the same bytes
 * as Pillow; CMYK and YCCK become RGB by Pillow's rule.
 * @returns Grey or RGB as the file has it, and its orientation.
 * @throws InputError when it is damaged, truncated or too large.
 */
export async function decodeJpeg(
  bytes: Uint8Array,
  limits: DecodeLimits,
): Promise<{ picture: Picture; orientation: number }> {
  const header = readJpegHeader(bytes, limits.name);
  assertSize(limits, header.width, header.height);
  const orientation = exifOrientation(header.exif);
  if (header.components === 4) return { picture: decodeFourColors(bytes, limits), orientation };
  codec ??= new WasmCodec(moduleFactory as unknown as EmscriptenFactory, BINARY, [
    false, // we turn pictures ourselves, all formats alike
  ]);
  const { image, remarks } = await codec.decode(bytes, limits.name);
  const remark = remarks.find((line) => !HARMLESS.test(line));
  if (remark !== undefined) throw damaged(limits.name, "whole pixels", remark.trim());
  if (image.width !== header.width || image.height !== header.height)
    throw damaged(
      limits.name,
      `${header.width} × ${header.height} pixels`,
      `${image.width} × ${image.height}`,
    );
  const { data, width, height } = image;
  const picture: Picture = { data, width, height, channels: 4 };
  return { picture: convertChannels(picture, header.components === 1 ? 1 : 3), orientation };
}
