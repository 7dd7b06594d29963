import type { PretrainedFiles } from "@ai/layers/tasks";
import { InputError } from "@ai/tensor";
import type { ImagePreprocessing } from "../models/registry.js";
import { assertPicture, looksLikePicture } from "../preprocess/picture.js";
import { type ImageSource, readImage } from "../preprocess/read-image.js";

/** What a page can draw, by the name of its class. */
const DRAWABLES = [
  "HTMLImageElement",
  "HTMLVideoElement",
  "HTMLCanvasElement",
  "OffscreenCanvas",
  "ImageBitmap",
  "VideoFrame",
];

const classOf = (value: unknown): string => Object.prototype.toString.call(value).slice(8, -1);
const isDrawable = (value: unknown): boolean => DRAWABLES.includes(classOf(value));

/** @throws InputError for what can be no picture, before anything is read. */
export function checkImageInput(operation: string, input: unknown): asserts input is ImageSource {
  if (typeof input === "string" && input !== "") return;
  if (input instanceof URL || input instanceof ArrayBuffer || isDrawable(input)) return;
  if (typeof Blob !== "undefined" && input instanceof Blob) return;
  if (typeof ImageData !== "undefined" && input instanceof ImageData) return;
  if (input instanceof Uint8Array) return;
  if (looksLikePicture(input)) return assertPicture(operation, input);
  const got = input === "" ? "an empty text" : input === null ? "null" : classOf(input);
  throw new InputError(
    `${operation}: expected a picture as a path, URL, Blob, bytes, { data, width, height, channels } or something that can be drawn, got ${got}`,
  );
}

/** A path that is relative to the page as a URL, which is not relative to the worker's file. */
export function pageAddress(path: string): string {
  const page = globalThis.location?.href;
  const isRelative = !/^(?:[a-z][a-z\d+.-]+:\/\/|blob:|data:)/i.test(path);
  return isRelative && page !== undefined && typeof process === "undefined" ? new URL(path, page).href : path;
}

/** A picture in a form that a worker can read as well as this page. */
export function imageToSendable(input: ImageSource): ImageSource | Promise<ImageSource> {
  if (isDrawable(input)) return readImage(input);
  return typeof input === "string" ? pageAddress(input) : input;
}

/** The preprocessing of a model: its `preprocessor_config.json`, else what is usual for its architecture. */
export async function readImagePreprocessing(
  files: PretrainedFiles,
  usual: ImagePreprocessing,
): Promise<ImagePreprocessing> {
  const stored = await files.json("preprocessor_config.json");
  return stored === undefined ? usual : ({ ...stored } as unknown as ImagePreprocessing);
}
