import { InputError } from "@ai/tensor";
import type { Picture } from "./picture.js";

/** What a page can draw: its pixels are what the browser shows. */
export type DrawableSource =
  | HTMLCanvasElement
  | OffscreenCanvas
  | ImageBitmap
  | HTMLImageElement
  | HTMLVideoElement
  | VideoFrame;

/** Whether `value` is an instance of a class that this environment has. */
function isA(value: unknown, ...names: readonly string[]): boolean {
  return names.some((name) => {
    const type = (globalThis as Record<string, unknown>)[name];
    return typeof type === "function" && value instanceof type;
  });
}

/**
 * The pixels of something drawable as RGBA, undefined when `source` is nothing of that kind.
 * @throws InputError when it is not ready, comes from another origin, or is too large.
 */
export async function pictureOfDrawable(source: unknown, maxPixels: number): Promise<Picture | undefined> {
  const size = await sizeOfDrawable(source);
  if (size === undefined) return undefined;
  const [width, height] = size;
  if (width < 1 || height < 1)
    throw new InputError(
      `readImage: expected a ${nameOf(source)} with pixels, got ${width} × ${height}; wait until it is loaded`,
    );
  if (width * height > maxPixels)
    throw new InputError(
      `readImage: ${nameOf(source)}: expected at most ${maxPixels} pixels, got ${width} × ${height}; raise maxPixels if you trust it`,
    );
  const canvas = ownCanvas(source) ?? new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true }) as
    | OffscreenCanvasRenderingContext2D
    | CanvasRenderingContext2D
    | null;
  if (context === null) return drawn(source as DrawableSource, width, height);
  if (canvas !== source) context.drawImage(source as CanvasImageSource, 0, 0, width, height);
  return pixelsOf(context, width, height);
}

/** The canvas itself where its pixels can be read without drawing it. */
function ownCanvas(source: unknown): OffscreenCanvas | HTMLCanvasElement | undefined {
  return isA(source, "HTMLCanvasElement", "OffscreenCanvas")
    ? (source as OffscreenCanvas | HTMLCanvasElement)
    : undefined;
}

/** A canvas of WebGL or WebGPU is drawn on one of ours. */
function drawn(source: DrawableSource, width: number, height: number): Picture {
  const context = new OffscreenCanvas(width, height).getContext("2d", {
    willReadFrequently: true,
  }) as OffscreenCanvasRenderingContext2D;
  context.drawImage(source, 0, 0);
  return pixelsOf(context, width, height);
}

function pixelsOf(
  context: OffscreenCanvasRenderingContext2D | CanvasRenderingContext2D,
  width: number,
  height: number,
): Picture {
  try {
    return { data: context.getImageData(0, 0, width, height).data, width, height, channels: 4 };
  } catch (error) {
    throw new InputError(
      `readImage: expected pixels that this page may read, got ${(error as Error).message}; load them with crossOrigin`,
    );
  }
}

async function sizeOfDrawable(source: unknown): Promise<readonly [number, number] | undefined> {
  if (isA(source, "HTMLImageElement")) {
    const image = source as HTMLImageElement;
    await image.decode().catch(() => undefined);
    return [image.naturalWidth, image.naturalHeight];
  }
  if (isA(source, "HTMLVideoElement")) {
    const { videoWidth, videoHeight } = source as HTMLVideoElement;
    return [videoWidth, videoHeight];
  }
  if (isA(source, "VideoFrame")) {
    const { displayWidth, displayHeight } = source as VideoFrame;
    return [displayWidth, displayHeight];
  }
  if (isA(source, "ImageBitmap", "HTMLCanvasElement", "OffscreenCanvas")) {
    const { width, height } = source as ImageBitmap;
    return [width, height];
  }
  return undefined;
}

function nameOf(source: unknown): string {
  return Object.prototype.toString.call(source).slice(8, -1);
}
