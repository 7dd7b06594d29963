import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { useDevice } from "@ai/tensor";
import { expect, it } from "vitest";
import { imageFolder } from "../datasets/image-folder.js";
import { loadImageClassifier } from "../tasks/image-classification.js";
import { fineTuneImageClassifier } from "./fine-tune-image-classifier.js";
import type { PictureSet } from "./picture-set.js";

const DATA =
  process.env.AI_SHARED_DATA ?? fileURLToPath(new URL("../../../../../shared/data", import.meta.url));
const FOLDER = join(DATA, "vision");
const absent = existsSync(FOLDER) ? "" : ` (skipped: ${FOLDER} is absent)`;

/** Some of a set's pictures. */
const some = (set: PictureSet, indices: readonly number[]): PictureSet => ({
  length: indices.length,
  classes: set.classes,
  get: (index) => set.get(indices[index]),
});

it.skipIf(absent !== "")(
  `a ResNet-20 that is new to its classes knows most of them after three epochs of 150 pictures${absent}`,
  async () => {
    await useDevice("wasm");
    const all = await imageFolder(join(FOLDER, "cifar10-jpeg.tar"), { folder: "test" });
    const indices = Array.from({ length: 250 }, (_, index) => Math.floor((index * all.length) / 250));
    const trained = await fineTuneImageClassifier(
      some(
        all,
        indices.filter((_, at) => at % 5 < 3),
      ),
      {
        from: join(FOLDER, "resnet20-cifar10.th"),
        config: { model_type: "cifar_resnet", depth: 3, num_labels: 10 },
        validation: some(
          all,
          indices.filter((_, at) => at % 5 >= 3),
        ),
        epochs: 3,
        frozenEpochs: 2,
        batchSize: 16,
        learningRate: 0.03,
        backboneLearningRate: 0.0002,
      },
    );
    expect(trained.accuracy).toBeGreaterThan(0.6);
    const folder = await mkdtemp(join(tmpdir(), "fine-tune-"));
    await trained.save(join(folder, "model"), { float16: true });
    trained.dispose();
    const classify = await loadImageClassifier(join(folder, "model"));
    expect(classify.info.labels).toEqual(all.classes);
    await classify.dispose();
    await rm(folder, { recursive: true });
  },
);
