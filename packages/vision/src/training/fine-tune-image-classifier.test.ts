import { InputError, memory, RandomGenerator, useDevice, writeModelFolder } from "@ai/tensor";
import { describeEachDevice } from "@ai/tensor/testing";
import { expect, it } from "vitest";
import { CifarResNet } from "../models/cifar-resnet/cifar-resnet.js";
import type { Picture } from "../preprocess/picture.js";
import { loadImageClassifier } from "../tasks/image-classification.js";
import { classifierFiles } from "../testing/classifier-case.js";
import {
  type FineTuneImageClassifierOptions,
  fineTuneImageClassifier,
} from "./fine-tune-image-classifier.js";
import type { PictureSet } from "./picture-set.js";
import { batchSizeFor, isLastBatchTooSmall } from "./training-parts.js";

const CLASSES = ["reddish", "greenish", "bluish"];

/** Noise with one channel that is brighter than the others. */
function tints(count: number, seed: number): PictureSet {
  const generator = new RandomGenerator(seed);
  const pictures = Array.from({ length: count }, (_, index): { picture: Picture; label: number } => {
    const label = index % 3;
    const [width, height] = [20, 18];
    const data = Uint8Array.from(
      { length: width * height * 3 },
      (_, at) => generator.integer(0, 100) + (at % 3 === label ? 150 : 0),
    );
    return { label, picture: { data, width, height, channels: 3 } };
  });
  return { length: count, classes: CLASSES, get: (index) => pictures[index] };
}

const data = tints(48, 1);
const validation = tints(18, 2);
const from = await classifierFiles();
const OPTIONS: FineTuneImageClassifierOptions = { from, validation, batchSize: 16, learningRate: 0.03 };

const stateOf = async (trained: Awaited<ReturnType<typeof fineTuneImageClassifier>>) =>
  new Map(
    [...(await trained.model.stateDict())].map(([name, { values }]) => [name, [...values].map(Number)]),
  );

describeEachDevice(
  "fineTuneImageClassifier",
  (device) => {
    it("learns other classes, and saves a folder that the task opens and that answers alike", async () => {
      const before = memory().numTensors;
      const trained = await fineTuneImageClassifier(data, { ...OPTIONS, epochs: 12, frozenEpochs: 3 });
      expect(trained.epochs).toHaveLength(12);
      expect(trained.accuracy).toBeGreaterThan(0.9);
      const files = await writeModelFolder(await trained.files());
      trained.dispose();
      expect(memory().numTensors).toBe(before);

      const classify = await loadImageClassifier(files, { device });
      expect(classify.info).toMatchObject({ architecture: "cifarResNet", labels: CLASSES });
      const samples = await Promise.all(
        Array.from({ length: validation.length }, (_, at) => validation.get(at)),
      );
      const answers = await classify(
        samples.map(({ picture }) => picture),
        { topK: 1 },
      );
      const right = answers.filter(([best], at) => best.index === samples[at].label).length;
      expect(right / validation.length).toBeCloseTo(trained.accuracy!, 6);
      await classify.dispose();
    });
  },
  ["wasm"],
);

it("leaves all but the last layer as it is while frozen, statistics included, and thaws it then", async () => {
  await useDevice("wasm");
  const states: Map<string, number[]>[] = [];
  for (const options of [
    { frozenEpochs: 2 },
    { frozenEpochs: 1 },
    { frozenEpochs: 1, updateBatchNorm: true },
  ]) {
    const trained = await fineTuneImageClassifier(data, { ...OPTIONS, epochs: 2, ...options });
    states.push(await stateOf(trained));
    expect(trained.model.parameters().every(({ requiresGrad }) => requiresGrad)).toBe(true);
    trained.dispose();
  }
  const [frozen, thawed, updated] = states;
  const original = new CifarResNet({ depth: 1, width: 4, numClasses: 3 }).initialize({ seed: 3 });
  for (const [name, { values }] of await original.stateDict()) {
    const was = [...values].map(Number);
    const changed = [frozen, thawed, updated].map((state) => String(state.get(name)) !== String(was));
    if (name.startsWith("linear.")) expect(changed, name).toEqual([true, true, true]);
    else if (/running_|num_batches/.test(name)) expect(changed, name).toEqual([false, false, true]);
    else expect(changed, name).toEqual([false, true, true]);
  }
  original.dispose();
});

it("takes smaller batches from a small set and leaves out no picture", async () => {
  await useDevice("wasm");
  const trained = await fineTuneImageClassifier(tints(40, 3), { from, epochs: 2 });
  expect(trained.epochs.map(({ step }) => step)).toEqual([5, 10]);
  trained.dispose();
  for (const [pictures, size, isLeftOut] of [
    [40, 8, false],
    [41, 7, false],
    [200, 25, false],
    [5, 5, false],
    [1025, 32, true],
    [1032, 32, false],
  ] as const) {
    expect(batchSizeFor(pictures, 32)).toBe(size);
    expect(isLastBatchTooSmall(pictures, size)).toBe(isLeftOut);
  }
});

it("ends with its signal and frees all, and refuses what it cannot learn from", async () => {
  await useDevice("wasm");
  const before = memory().numTensors;
  const controller = new AbortController();
  const stop = { name: "stop", onStepEnd: () => controller.abort(new Error("enough")) };
  const run = fineTuneImageClassifier(data, { ...OPTIONS, callbacks: [stop], signal: controller.signal });
  await expect(run).rejects.toThrow("enough");
  expect(memory().numTensors).toBe(before);
  const cases: [PictureSet, object, RegExp][] = [
    [data, { from: undefined }, /expected from, the pretrained model/],
    [data, { from: "no-such-model" }, /expected a model, got "no-such-model"/],
    [data, { freeze: 1 }, /got one named freeze/],
    [data, { epochs: 0 }, /epochs as an integer/],
    [data, { learningRate: -1 }, /learningRate/],
    [data, { updateBatchNorm: 1 }, /updateBatchNorm/],
    [{ ...data, length: 0 }, {}, /at least two classes/],
    [data, { validation: { ...validation, classes: ["a", "b"] } }, /with the classes of data/],
  ];
  for (const [set, options, message] of cases) {
    const failing = fineTuneImageClassifier(set, { ...OPTIONS, ...options });
    await expect(failing).rejects.toThrow(InputError);
    await expect(failing).rejects.toThrow(message);
  }
  expect(memory().numTensors).toBe(before);
});
