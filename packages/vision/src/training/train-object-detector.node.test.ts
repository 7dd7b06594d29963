import { memory, useDevice } from "@ai/tensor";
import { beforeAll, expect, it } from "vitest";
import type { LabeledBox } from "../augment/sample.js";
import { readPointDetectorConfig } from "../models/point-detector/point-detector.config.js";
import type { PictureSet } from "./picture-set.js";
import { trainObjectDetector } from "./train-object-detector.js";

beforeAll(async () => {
  await useDevice("wasm");
});

/** Grey pictures with one bright square, red or blue. */
function squares(length: number): PictureSet {
  return {
    length,
    classes: ["red", "blue"],
    get: (index) => {
      const [width, height] = [64, 48];
      const data = new Uint8Array(width * height * 3).fill(60);
      const label = index % 2;
      const [left, top] = [4 + ((index * 11) % 30), 2 + ((index * 7) % 20)];
      const box: LabeledBox["box"] = [left, top, left + 20, top + 20];
      for (let y = top; y < top + 20; y++)
        for (let x = left; x < left + 20; x++) data[(y * width + x) * 3 + 2 * label] = 230;
      return { picture: { data, width, height, channels: 3 }, boxes: [{ box, label }] };
    },
  };
}

const MODEL = {
  backbone: { block: "basic", embeddingSize: 8, hiddenSizes: [8, 16, 16], depths: [1, 1, 1] },
  headChannels: 16,
  headDepth: 1,
} as const;
const OPTIONS = {
  width: 64,
  height: 48,
  model: MODEL,
  batchSize: 8,
  augment: <Sample>(sample: Sample) => sample,
};

it("learns to find squares, and describes its model", { timeout: 240_000 }, async () => {
  const before = memory().numTensors;
  const trained = await trainObjectDetector(squares(32), { ...OPTIONS, epochs: 12, learningRate: 0.01 });
  const metrics = await trained.evaluate(squares(12));
  expect(metrics.averagePrecision50).toBeGreaterThan(0.8);
  expect(readPointDetectorConfig(trained.config)).toMatchObject({ ...MODEL, numClasses: 2 });
  await expect(trained.save("nowhere", { float16: true } as never)).rejects.toThrow(/got one named float16/);
  trained.dispose();
  expect(memory().numTensors).toBe(before);
});

it("refuses what it cannot learn from, and stops when told", async () => {
  const data = squares(4);
  await expect(trainObjectDetector(undefined as never)).rejects.toThrow(/expected data as pictures/);
  await expect(trainObjectDetector({ ...data, classes: [] })).rejects.toThrow(/at least one class/);
  await expect(trainObjectDetector(data, { epoch: 1 } as never)).rejects.toThrow(/got one named epoch/);
  await expect(trainObjectDetector(data, { epochs: 0 })).rejects.toThrow(/epochs as an integer/);
  const signal = AbortSignal.abort(new Error("enough"));
  await expect(trainObjectDetector(data, { ...OPTIONS, signal })).rejects.toThrow("enough");
});
