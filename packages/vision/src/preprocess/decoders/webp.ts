import moduleFactory from "@jsquash/webp/codec/dec/webp_dec.js";
import { convertChannels } from "../convert-channels.js";
import type { Picture } from "../picture.js";
import { assertSize, type DecodeLimits, damaged } from "./damaged.js";
import { exifOrientation } from "./exif.js";
import { type EmscriptenFactory, WasmCodec } from "./wasm-codec.js";
import { BINARY } from "./webp-binary.generated.js";
import { readWebpFrame, stillWebp, type WebpFrame } from "./webp-chunks.js";

let codec: WasmCodec | undefined;

/**
 * Decodes a WebP (libwebp as WebAssembly); of an animation the first frame, on its canvas.
 * @returns RGB, or RGBA where the file has alpha, and its orientation.
 * @throws InputError when it is damaged, truncated or too large.
 * @see Zern, Massimino, Alakuijala (2024), "WebP Image Format", https://www.rfc-editor.org/rfc/rfc9649
 */
export async function decodeWebp(
  bytes: Uint8Array,
  limits: DecodeLimits,
): Promise<{ picture: Picture; orientation: number }> {
  const frame = readWebpFrame(bytes, limits.name);
  assertSize(limits, frame.canvasWidth, frame.canvasHeight);
  assertSize(limits, frame.width, frame.height);
  codec ??= new WasmCodec(moduleFactory as unknown as EmscriptenFactory, BINARY);
  const { image } = await codec.decode(frame.isAnimated ? stillWebp(frame) : bytes, limits.name);
  if (image.width !== frame.width || image.height !== frame.height)
    throw damaged(limits.name, `${frame.width} × ${frame.height} pixels`, `${image.width} × ${image.height}`);
  const picture: Picture = { data: image.data, width: image.width, height: image.height, channels: 4 };
  return {
    picture: convertChannels(onCanvas(picture, frame), frame.hasAlpha ? 4 : 3),
    orientation: exifOrientation(frame.exif),
  };
}

/** An animation's frame where it belongs; the rest of the canvas is transparent black. */
function onCanvas(picture: Picture, frame: WebpFrame): Picture {
  const { canvasWidth, canvasHeight, left, top } = frame;
  if (picture.width === canvasWidth && picture.height === canvasHeight) return picture;
  const data = new Uint8Array(canvasWidth * canvasHeight * 4);
  for (let row = 0; row < picture.height; row++)
    data.set(
      picture.data.subarray(row * picture.width * 4, (row + 1) * picture.width * 4),
      ((top + row) * canvasWidth + left) * 4,
    );
  return { data, width: canvasWidth, height: canvasHeight, channels: 4 };
}
