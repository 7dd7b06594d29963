import jpeg from "jpeg-js";
import type { Picture } from "../picture.js";
import { type DecodeLimits, damaged } from "./damaged.js";

/**
 * A CMYK or YCCK JPEG as RGB, `R = (255 − K)·(255 − C)/255`: within a few levels of Pillow, whose inverse cosine
 * transform is another.
 */
export function decodeFourColors(bytes: Uint8Array, { name, maxPixels }: DecodeLimits): Picture {
  try {
    const { data, width, height } = jpeg.decode(bytes, {
      useTArray: true,
      formatAsRGBA: false,
      tolerantDecoding: false,
      maxResolutionInMP: maxPixels / 1e6,
      // it keeps every coefficient as a 32-bit integer
      maxMemoryUsageInMB: 2048,
    });
    return { data, width, height, channels: 3 };
  } catch (error) {
    throw damaged(name, "a CMYK picture that decodes", (error as Error).message);
  }
}
