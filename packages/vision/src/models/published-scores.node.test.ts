import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { argMax, mapWeights, read, readTorch, tidy, useDevice } from "@ai/tensor";
import { beforeAll, describe, expect, it } from "vitest";
import { openDataFiles } from "../datasets/data-files.js";
import { decodeCtc } from "../postprocess/decode-ctc.js";
import { imageToTensor } from "../preprocess/image-to-tensor.js";
import type { Picture } from "../preprocess/picture.js";
import { readImage } from "../preprocess/read-image.js";
import { CIFAR_RESNET_FROM_DATA_PARALLEL } from "./cifar-resnet/cifar-resnet.config.js";
import { CifarResNet } from "./cifar-resnet/cifar-resnet.js";
import { LPRNet } from "./lprnet/lprnet.js";
import { LPRNET_SYMBOLS } from "./lprnet/lprnet-symbols.js";

const DATA =
  process.env.AI_SHARED_DATA ?? fileURLToPath(new URL("../../../../../shared/data", import.meta.url));
const FOLDER = join(DATA, "vision");
const absent = existsSync(FOLDER) ? "" : ` (skipped: ${FOLDER} is absent)`;
const TIMEOUT_MS = 900_000;

/** The same pixels with red and blue exchanged: these weights were trained on OpenCV's order. */
function swapRedAndBlue(picture: Picture): Picture {
  const data = picture.data.slice();
  for (let at = 0; at < data.length; at += 3) {
    data[at] = picture.data[at + 2];
    data[at + 2] = picture.data[at];
  }
  return { ...picture, data };
}

function* batches<Item>(items: readonly Item[], size: number): Generator<readonly Item[]> {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size);
}

// FastestDet over COCO128: tasks/object-detection.node.test.ts, by the task
describe.skipIf(absent !== "")(`weights trained elsewhere on real pictures${absent}`, () => {
  beforeAll(async () => {
    await useDevice("wasm");
  });

  it("ResNet-20 names at least 78 % of 2,000 pictures", { timeout: TIMEOUT_MS }, async () => {
    const model = new CifarResNet({ depth: 3, numClasses: 10 }).eval();
    const weights = await readTorch(join(FOLDER, "resnet20-cifar10.th"), { key: "state_dict" });
    model.loadStateDict(await mapWeights(weights, CIFAR_RESNET_FROM_DATA_PARALLEL).hosts());
    const files = await openDataFiles(join(FOLDER, "cifar10-jpeg.tar"));
    const paths = files.paths.filter((path) => path.startsWith("test/"));
    const classes = [...new Set(paths.map((path) => path.split("/")[1]))].sort();
    let right = 0;
    for (const batch of batches(paths, 100)) {
      const pictures = await Promise.all(batch.map(async (path) => readImage(await files.read(path))));
      const best = tidy(() =>
        argMax(
          model.call(
            imageToTensor(pictures, {
              mean: [0.485, 0.456, 0.406],
              standardDeviation: [0.229, 0.224, 0.225],
            }),
          ),
          { axis: 1 },
        ),
      );
      (await read(best)).forEach((found, index) => {
        if (classes[found] === batch[index].split("/")[1]) right++;
      });
      best.dispose();
    }
    model.dispose();
    expect(paths).toHaveLength(2000);
    expect(right / paths.length).toBeGreaterThanOrEqual(0.78);
  });

  it("LPRNet reads at least 85 % of 300 plates exactly", { timeout: TIMEOUT_MS }, async () => {
    const model = new LPRNet({ numClasses: LPRNET_SYMBOLS.length }).eval();
    model.loadStateDict(await (await readTorch(join(FOLDER, "lprnet.pth"))).hosts());
    const files = await openDataFiles(join(FOLDER, "lprnet-plates.tar"));
    const paths = files.paths.filter((path) => path.endsWith(".jpg"));
    const blank = LPRNET_SYMBOLS.length - 1;
    let right = 0;
    for (const batch of batches(paths, 50)) {
      const pictures = await Promise.all(
        batch.map(async (path) => swapRedAndBlue(await readImage(await files.read(path)))),
      );
      const scores = tidy(() =>
        model.call(
          imageToTensor(pictures, {
            rescaleFactor: 0.0078125,
            mean: 127.5 * 0.0078125,
            standardDeviation: 1,
          }),
        ),
      );
      const values = await read(scores);
      const size = scores.size / batch.length;
      scores.dispose();
      batch.forEach((path, index) => {
        const plate = values.subarray(index * size, (index + 1) * size);
        const { classes } = decodeCtc({ values: plate, classes: LPRNET_SYMBOLS.length }, { blank });
        const text = classes.map((symbol) => LPRNET_SYMBOLS[symbol]).join("");
        if (path.endsWith(`/${text}.jpg`)) right++;
      });
    }
    model.dispose();
    expect(paths).toHaveLength(300);
    expect(right / paths.length).toBeGreaterThanOrEqual(0.85);
  });
});
