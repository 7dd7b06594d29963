import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dispose, fromValues, memory, useDevice } from "@ai/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { generateText } from "./generate.js";
import { LanguageModel, type MixerName } from "./model.js";
import { type CharacterText, readText, TextWindows } from "./text.js";
import { DEFAULT_RUN, type LanguageModelRun, makeModel, trainLanguageModel } from "./train.js";

let folder: string;
let text: CharacterText;

beforeAll(async () => {
  await useDevice("wasm");
  folder = await mkdtemp(join(tmpdir(), "language-model-"));
  const path = join(folder, "text.txt");
  await writeFile(path, "to be, or not to be, that is the question. ".repeat(40));
  text = await readText(path);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const tiny: LanguageModelRun = {
  ...DEFAULT_RUN,
  dim: 16,
  numLayers: 1,
  numHeads: 2,
  contextLength: 16,
  batchSize: 8,
  steps: 30,
  warmUpSteps: 3,
  learningRate: 1e-2,
  stepsPerEpoch: 10,
};

describe("language model", () => {
  it.each<MixerName>(["attention", "linear-attention", "mamba"])(
    "with %s does not look at what comes later",
    async (mixer) => {
      const sizes = { vocabSize: 5, dim: 8, numLayers: 2, numHeads: 2, maxLength: 12 };
      const model = new LanguageModel({ ...sizes, mixer });
      const read = async (last: number): Promise<number[]> => {
        const ids = fromValues(Int32Array.from([0, 1, 2, 3, 4, 0, 1, 2, 3, last]), [1, 10], "int32");
        const scores = model.call(ids); // [1, 10, 5]
        const values = Array.from(await scores.data());
        dispose([ids, scores]);
        return values;
      };
      const [one, other] = [await read(0), await read(4)];
      expect(other.slice(0, 45)).toEqual(one.slice(0, 45));
      expect(other.slice(45)).not.toEqual(one.slice(45));
      model.dispose();
    },
  );

  it.each([
    [7, 7],
    [7, 3],
    [50, 50],
  ])("counts each character once in windows of %i, %i apart", async (size, stride) => {
    const ids = Int32Array.from({ length: 103 }, (_, index) => index);
    const windows = new TextWindows(ids, size, stride);
    const all = windows.getBatch(Int32Array.from({ length: windows.length }, (_, index) => index));
    const [inputs, targets] = [await all.ids.data(), await all.targets.data()];
    const counted = [...targets].filter((target) => target >= 0);
    expect(counted).toEqual(Array.from({ length: 102 }, (_, index) => index + 1));
    expect(all.count).toBe(102);
    targets.forEach((target, index) => {
      if (target >= 0) expect(target).toBe(inputs[index] + 1);
    });
    dispose(all);
  });

  it("learns a sentence, goes on where it was stopped and frees everything", async () => {
    const before = memory().numTensors;
    const whole = await trainLanguageModel(tiny, text, { folder: join(folder, "whole") });
    expect(whole.curve[0].validationLoss).toBeGreaterThan(whole.validationLoss);
    expect(whole.validationLoss).toBeLessThan(2);
    expect(whole.parameters).toBeLessThan(5000);
    const target = join(folder, "parts");
    const controller = new AbortController();
    const stop = {
      name: "stop",
      onStepEnd: ({ trainer }: { trainer: { step: number } }) => {
        if (trainer.step === 15) controller.abort(new Error("enough"));
      },
    };
    const options = { folder: target, checkpointSteps: 5 };
    await expect(
      trainLanguageModel(tiny, text, { ...options, callbacks: [stop], signal: controller.signal }),
    ).rejects.toThrow("enough");
    const resumed = await trainLanguageModel(tiny, text, options);
    expect(resumed.validationLoss).toBe(whole.validationLoss);
    const model = makeModel(tiny, text);
    await model.load(join(target, "model.safetensors"));
    const sampled = await generateText(model, text.vocabulary, "to", {
      length: 30,
      contextLength: 16,
      seed: 1,
    });
    expect(sampled).toHaveLength(32);
    const sentence = "to be, or not to be, that is the question. to";
    const pairs = Array.from({ length: 30 }, (_, index) => sampled.slice(index + 1, index + 3));
    // about one in eight of all pairs of its characters occurs in the sentence
    expect(pairs.filter((pair) => sentence.includes(pair)).length).toBeGreaterThan(12);
    model.dispose();
    expect(memory().numTensors).toBe(before);
  });
});
