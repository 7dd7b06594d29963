import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { checkpoints } from "@ai/layers/training";
import { useDevice } from "@ai/tensor";
import { expect, it } from "vitest";
import { imageFolder } from "../datasets/image-folder.js";
import { loadImageClassifier } from "../tasks/image-classification.js";
import { classifierFiles } from "../testing/classifier-case.js";
import { noisyPicture } from "../testing/recognizer-case.js";
import {
  type FineTuneImageClassifierOptions,
  fineTuneImageClassifier,
} from "./fine-tune-image-classifier.js";
import type { PictureSet } from "./picture-set.js";

const DATA =
  process.env.AI_SHARED_DATA ?? fileURLToPath(new URL("../../../../../shared/data", import.meta.url));
const FOLDER = join(DATA, "vision");
const absent = existsSync(FOLDER) ? "" : ` (skipped: ${FOLDER} is absent)`;

it("goes on from a checkpoint to the same weights, frozen or thawed as it was", async () => {
  // no useDevice: the default device starts by itself
  const from = await classifierFiles();
  const data: PictureSet = {
    length: 24,
    classes: ["cup", "pen", "key"],
    get: (index) => ({ picture: noisyPicture(index % 3, index), label: index % 3 }),
  };
  const folder = await mkdtemp(join(tmpdir(), "fine-tune-"));
  const weightsOf = async (options: Partial<FineTuneImageClassifierOptions>) => {
    const trained = await fineTuneImageClassifier(data, {
      from,
      epochs: 3,
      frozenEpochs: 1,
      batchSize: 8,
      ...options,
    });
    const state = await trained.model.stateDict();
    trained.dispose();
    return [...state.values()].map(({ values }) => [...values].map(String).join());
  };
  const whole = await weightsOf({});
  for (const steps of [2, 7]) {
    const saved = join(folder, String(steps));
    const controller = new AbortController();
    const stop = {
      name: "stop",
      onStepEnd: ({ trainer }: { trainer: { step: number } }) => {
        if (trainer.step === steps) controller.abort(new Error("enough"));
      },
    };
    const callbacks = [checkpoints({ folder: saved, everySteps: 1, keepLast: 1 }), stop];
    await expect(weightsOf({ callbacks, signal: controller.signal })).rejects.toThrow("enough");
    expect(await weightsOf({ resumeFrom: saved })).toEqual(whole);
  }
  await rm(folder, { recursive: true });
});

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
