import { existsSync } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { imageFolder } from "../datasets/image-folder.js";
import { vocDataset } from "../datasets/voc-dataset.js";
import { cocoMetrics, type EvaluatedPicture } from "../metrics/coco-metrics.js";
import { loadImageClassifier } from "./image-classification.js";
import { loadObjectDetector } from "./object-detection.js";
import { visionModels } from "./own-models.js";

const PRETRAINED = fileURLToPath(new URL("../../pretrained/", import.meta.url));
const DATA =
  process.env.AI_SHARED_DATA ?? fileURLToPath(new URL("../../../../../shared/data", import.meta.url));
const FOLDER = join(DATA, "vision");
const absent = existsSync(FOLDER) ? "" : ` (skipped: ${FOLDER} is absent)`;

/** What the committed results of tooling/pretrain say of the weights that come with the package. */
async function shippedResult(name: string): Promise<Record<string, number>> {
  const path = new URL(`../../../../tooling/pretrain/vision/results/${name}.json`, import.meta.url);
  return JSON.parse(await readFile(path, "utf8")).shipped;
}

describe("models of ours", () => {
  it("are folders with a card and weights of less than 3 MB, all of them with a name", async () => {
    const folders = (await readdir(PRETRAINED)).sort();
    expect(folders).toEqual(Object.keys(visionModels).sort());
    for (const name of folders) {
      const { files } = await visionModels[name].load();
      const loaded = Object.values(files).map((file) => fileURLToPath(file as URL));
      for (const path of loaded) expect(path.startsWith(join(PRETRAINED, name))).toBe(true);
      expect((await readdir(join(PRETRAINED, name))).sort()).toEqual(
        [...Object.keys(files), "README.md"].sort(),
      );
      const sizes = await Promise.all(loaded.map(async (path) => (await stat(path)).size));
      expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(3_000_000);
      const card = await readFile(join(PRETRAINED, name, "README.md"), "utf8");
      for (const part of ["- **Data**:", "- **Licence**:", "pnpm --filter @ai/pretrain", `# ${name}`])
        expect(card).toContain(part);
    }
  });
});

describe.skipIf(absent !== "")(`models of ours on pictures that they have not seen${absent}`, () => {
  it("cifar10-small is right as often as its card says", async () => {
    const test = await imageFolder(join(FOLDER, "cifar10-jpeg.tar"), { folder: "test" });
    const samples = await Promise.all(Array.from({ length: test.length }, (_, index) => test.get(index)));
    const classify = await loadImageClassifier("cifar10-small", { device: "wasm" });
    const answers = await classify(
      samples.map(({ picture }) => picture),
      { topK: 1, batchSize: 100 },
    );
    await classify.dispose();
    const right = answers.filter(([{ label }], index) => label === test.classes[samples[index].label!]);
    const { accuracy } = await shippedResult("cifar10-small");
    expect(accuracy).toBeGreaterThanOrEqual(0.68);
    // another processor's rounding may turn over a picture or two
    expect(Math.abs(right.length / test.length - accuracy)).toBeLessThanOrEqual(0.002);
  });

  it("bccd-cells has the average precision that its card says", async () => {
    const test = await vocDataset(join(FOLDER, "bccd.tar"), { split: "test" });
    const detect = await loadObjectDetector("bccd-cells", { device: "wasm" });
    const pictures: EvaluatedPicture[] = [];
    for (let index = 0; index < test.length; index++) {
      const { picture, boxes: objects = [] } = await test.get(index);
      const found = await detect(picture, { threshold: 0.02 });
      const detections = found.map(({ label, ...rest }) => ({ ...rest, label: test.classes.indexOf(label) }));
      pictures.push({ objects, detections });
    }
    await detect.dispose();
    const { averagePrecision50 } = await shippedResult("bccd-cells");
    expect(averagePrecision50).toBeGreaterThanOrEqual(0.75);
    expect(Math.abs(cocoMetrics(pictures).averagePrecision50 - averagePrecision50)).toBeLessThanOrEqual(
      0.002,
    );
  });
});
