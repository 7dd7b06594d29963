import { InputError } from "@ai/tensor";
import type { DecodeLimits } from "./decoders/damaged.js";
import { orientPicture } from "./orient-picture.js";
import type { Picture } from "./picture.js";

/** The formats that are read. */
type Format = "JPEG" | "PNG" | "WebP" | "GIF";

/** What a file is, by its first bytes; its name does not count. */
function formatOf(bytes: Uint8Array): Format | undefined {
  const text = String.fromCharCode(...bytes.subarray(0, 12));
  if (text.startsWith("\xff\xd8\xff")) return "JPEG";
  if (text.startsWith("\x89PNG\r\n\x1a\n")) return "PNG";
  if (text.startsWith("RIFF") && text.endsWith("WEBP")) return "WebP";
  return text.startsWith("GIF87a") || text.startsWith("GIF89a") ? "GIF" : undefined;
}

/** Decodes the bytes of a file; each decoder loads when its format is first met. @throws InputError when it cannot. */
export async function decodePicture(
  bytes: Uint8Array,
  limits: DecodeLimits,
  appliesOrientation: boolean,
): Promise<Picture> {
  const { picture, orientation } = await decode(bytes, limits);
  return appliesOrientation ? orientPicture(picture, orientation) : picture;
}

async function decode(
  bytes: Uint8Array,
  limits: DecodeLimits,
): Promise<{ picture: Picture; orientation: number }> {
  switch (formatOf(bytes)) {
    case "JPEG":
      return (await import("./decoders/jpeg.js")).decodeJpeg(bytes, limits);
    case "PNG":
      return (await import("./decoders/png.js")).decodePng(bytes, limits);
    case "WebP":
      return (await import("./decoders/webp.js")).decodeWebp(bytes, limits);
    case "GIF":
      return { picture: (await import("./decoders/gif.js")).decodeGif(bytes, limits), orientation: 1 };
    default: {
      const start = [...bytes.subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
      throw new InputError(
        `readImage: ${limits.name}: expected a JPEG, PNG, WebP or GIF, got ${bytes.length === 0 ? "no bytes" : `a file that starts with ${start}`}; convert it first`,
      );
    }
  }
}
