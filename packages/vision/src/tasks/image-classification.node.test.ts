import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describeTaskInWorker } from "@ai/layers/testing";
import { expect, it } from "vitest";
import { bundleWorker } from "../../../../tooling/bundle-worker.mjs";
import { classifierCase } from "../testing/classifier-case.js";
import { loadImageClassifier } from "./image-classification.js";

const makeWorker = await bundleWorker(new URL("./tasks.worker.ts", import.meta.url));

describeTaskInWorker("loadImageClassifier", await classifierCase(), makeWorker);

const DATA =
  process.env.AI_SHARED_DATA ?? fileURLToPath(new URL("../../../../../shared/data", import.meta.url));
const FOLDER = join(DATA, "vision");
const absent = existsSync(FOLDER) ? "" : ` (skipped: ${FOLDER} is absent)`;
const CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

it.skipIf(absent !== "")(
  `ResNet-20 knows at least 78 of 100 of CIFAR-10's JPEG test pictures${absent}`,
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "cifar10-"));
    try {
      execFileSync("tar", ["-xf", join(FOLDER, "cifar10-jpeg.tar"), "-C", folder]);
      const root = (await readdir(folder, { recursive: true })).find((path) =>
        /(?:^|[\\/])test$/.test(path),
      )!;
      const classify = await loadImageClassifier(join(FOLDER, "resnet20-cifar10.th"), {
        device: "wasm",
        config: { model_type: "cifar_resnet", depth: 3 },
        labels: CLASSES,
      });
      const paths: string[] = [];
      const truth: string[] = [];
      for (const label of await readdir(join(folder, root)))
        for (const file of await readdir(join(folder, root, label))) {
          paths.push(join(folder, root, label, file));
          truth.push(label);
        }
      expect(new Set(truth)).toEqual(new Set(CLASSES));
      const answers = await classify(paths, { topK: 1, batchSize: 100 });
      const correct = answers.filter(([{ label }], index) => label === truth[index]).length;
      expect(paths).toHaveLength(2000);
      expect(correct / paths.length).toBeGreaterThanOrEqual(0.78);
      await classify.dispose();
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
);
