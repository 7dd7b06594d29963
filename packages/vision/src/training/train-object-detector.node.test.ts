import { memory, useDevice, writeModelFolder } from "@ai/tensor";
import { beforeAll, expect, it } from "vitest";
import type { LabeledBox } from "../augment/sample.js";
import { readPointDetectorConfig } from "../models/point-detector/point-detector.config.js";
import { loadObjectDetector } from "../tasks/object-detection.js";
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

it("learns to find squares, and describes its model", async () => {
  const before = memory().numTensors;
  const trained = await trainObjectDetector(squares(32), { ...OPTIONS, epochs: 12, learningRate: 0.01 });
  const metrics = await trained.evaluate(squares(12));
  expect(metrics.averagePrecision50).toBeGreaterThan(0.8);
  expect(readPointDetectorConfig(trained.config)).toMatchObject({ ...MODEL, numClasses: 2 });
  const half = await writeModelFolder(await trained.files({ float16: true }));
  const whole = await writeModelFolder(await trained.files());
  const bytesOf = (files: Map<string, Uint8Array>) => files.get("model.safetensors")!.length;
  expect(bytesOf(half)).toBeLessThan(0.7 * bytesOf(whole));
  const { picture } = await squares(1).get(0);
  const found = await trained.detect(picture, { threshold: 0.3 });
  expect(found.length).toBeLessThan((await trained.detect(picture)).length);
  const detect = await loadObjectDetector(half, { device: "wasm" });
  const answers = await detect(picture, { threshold: 0.3 });
  expect(answers.map(({ index, score }) => ({ label: index, score }))).toEqual(
    found.map(({ label, score }) => ({ label, score: expect.closeTo(score, 2) })),
  );
  await detect.dispose();
  await expect(trained.detect(picture, { scoreThreshold: 1 } as never)).rejects.toThrow(
    /got one named scoreThreshold/,
  );
  await expect(trained.detect(picture, { threshold: 2 })).rejects.toThrow(
    /threshold as a number in \[0, 1\]/,
  );
  await expect(trained.save("nowhere", { half: true } as never)).rejects.toThrow(/got one named half/);
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
