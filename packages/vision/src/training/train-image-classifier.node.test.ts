import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkpoints } from "@ai/layers/training";
import { InputError, memory, RandomGenerator, useDevice } from "@ai/tensor";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Picture } from "../preprocess/picture.js";
import { loadImageClassifier } from "../tasks/image-classification.js";
import type { PictureSet } from "./picture-set.js";
import { type TrainImageClassifierOptions, trainImageClassifier } from "./train-image-classifier.js";

let folder: string;
beforeAll(async () => {
  await useDevice("wasm");
  folder = await mkdtemp(join(tmpdir(), "train-image-classifier-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Noise with a bright left, right, upper or lower half: what flips must not be used on. */
function halves(count: number, seed: number): PictureSet {
  const generator = new RandomGenerator(seed);
  const side = 16;
  const pictures = Array.from({ length: count }, (_, index): { picture: Picture; label: number } => {
    const label = index % 4;
    const data = new Uint8Array(side * side * 3);
    for (let at = 0; at < data.length; at++) {
      const [x, y] = [Math.floor(at / 3) % side, Math.floor(at / 3 / side)];
      const isBright = [x < side / 2, x >= side / 2, y < side / 2, y >= side / 2][label];
      data[at] = generator.integer(0, 120) + (isBright ? 100 : 0);
    }
    return { label, picture: { data, width: side, height: side, channels: 3 } };
  });
  return { length: count, classes: ["left", "right", "up", "down"], get: (index) => pictures[index] };
}

const train = halves(96, 1);
const test = halves(24, 2);
const OPTIONS: TrainImageClassifierOptions = {
  size: 16,
  width: 4,
  epochs: 3,
  batchSize: 16,
  augment: (sample) => sample,
  validation: test,
};

it("learns, saves a folder that the task opens, and says there what it said here", async () => {
  const before = memory().numTensors;
  const trained = await trainImageClassifier(train, { ...OPTIONS, seed: 3 });
  expect(trained.epochs).toHaveLength(3);
  expect(trained.accuracy).toBeGreaterThan(0.9);
  await trained.save(join(folder, "model"), { float16: true, card: { title: "Halves", text: "A test." } });
  trained.dispose();
  expect(memory().numTensors).toBe(before);

  const classify = await loadImageClassifier(join(folder, "model"));
  expect(classify.info.labels).toEqual(test.classes);
  const samples = await Promise.all(Array.from({ length: test.length }, (_, index) => test.get(index)));
  const answers = await classify(
    samples.map(({ picture }) => picture),
    { topK: 1 },
  );
  const right = answers.filter(([best], index) => best.label === test.classes[samples[index].label!]);
  expect(right.length / samples.length).toBeCloseTo(trained.accuracy!, 6);
  await classify.dispose();
});

it("goes on from a checkpoint to the same weights", async () => {
  const weightsOf = async (options: TrainImageClassifierOptions) => {
    const trained = await trainImageClassifier(train, { ...OPTIONS, ...options });
    const state = await trained.model.stateDict();
    trained.dispose();
    return [...state.values()].map(({ values }) => [...values].map(String).join());
  };
  const whole = await weightsOf({});
  const saved = join(folder, "checkpoints");
  const controller = new AbortController();
  const keep = checkpoints({ folder: saved, everySteps: 4, keepLast: 1 });
  const stop = {
    name: "stop",
    onStepEnd: ({ trainer }: { trainer: { step: number } }) => {
      if (trainer.step === 9) controller.abort(new Error("enough"));
    },
  };
  const before = memory().numTensors;
  await expect(weightsOf({ callbacks: [keep, stop], signal: controller.signal })).rejects.toThrow("enough");
  expect(memory().numTensors).toBe(before);
  expect(await weightsOf({ resumeFrom: saved })).toEqual(whole);
});

it("refuses what it cannot learn from", async () => {
  const cases: [unknown, object, RegExp][] = [
    [undefined, {}, /expected data as pictures/],
    [{ ...train, length: 0 }, {}, /expected data with pictures of at least two classes, got 0 of 4/],
    [{ ...train, classes: ["one"] }, {}, /at least two classes, got 96 of 1/],
    [train, { epochs: 0 }, /epochs as an integer of at least 1, got 0/],
    [train, { learnRate: 1 }, /got one named learnRate/],
    [train, { validation: 7 }, /expected validation as pictures/],
    [train, { validation: { ...test, classes: ["up", "down"] } }, /validation with the classes of data/],
  ];
  for (const [data, options, message] of cases) {
    const run = trainImageClassifier(data as PictureSet, options);
    await expect(run).rejects.toThrow(InputError);
    await expect(run).rejects.toThrow(message);
  }
  const unlabeled = { ...train, get: (index: number) => ({ ...train.get(index), label: 9 }) };
  await expect(trainImageClassifier(unlabeled, OPTIONS)).rejects.toThrow(
    /expected a label in \[0, 4\), got 9/,
  );
});
