import { describeTask, failureOf } from "@ai/layers/testing";
import { InputError, WeightsError } from "@ai/tensor";
import { expectNoLeak } from "@ai/tensor/testing";
import { expect, it } from "vitest";
import { classifierFiles, wavePicture } from "../testing/classifier-case.js";
import { galleryBytes, noisyPicture, recognizerCase } from "../testing/recognizer-case.js";
import { loadImageRecognizer } from "./image-recognition.js";

// the model computes as in the embedder's suite, which runs on the GPU too
describeTask("loadImageRecognizer", { ...(await recognizerCase()), devices: ["cpu", "wasm"] });

const files = await classifierFiles();
const THINGS = ["cup", "pen", "key"];

it("recognises what it was taught, and after calibrating what it was not taught as unknown", async () => {
  const recognize = await loadImageRecognizer(files, { device: "cpu" });
  expect(await recognize(wavePicture(1))).toEqual({ label: null, score: 0, candidates: [] });
  expect(await recognize.labels()).toEqual([]);
  const told: number[] = [];
  for (const [thing, label] of THINGS.entries()) {
    const pictures = Array.from({ length: 9 }, (_, seed) => noisyPicture(thing, seed));
    const onProgress = ({ done }: { readonly done: number }): number => told.push(done);
    expect(await recognize.add({ label, pictures }, { onProgress })).toHaveLength(9);
  }
  expect(told).toEqual([8, 9, 8, 9, 8, 9]);
  const [single] = await recognize.add({ label: "cup", pictures: noisyPicture(0, 10) });
  expect(single).toBe(27);
  expect(await recognize.labels()).toEqual([
    { label: "cup", count: 10 },
    { label: "pen", count: 9 },
    { label: "key", count: 9 },
  ]);
  const stranger = wavePicture(7, 33, 9);
  expect((await recognize(stranger)).label).not.toBeNull();
  for (const method of ["prototype", "nearest"] as const) {
    const measured = await recognize.calibrate({ method });
    expect(measured).toMatchObject({ accuracy: 1, accepted: 1, refused: 1 });
    for (const [thing, label] of THINGS.entries()) {
      const answer = await recognize(noisyPicture(thing, 20), { topK: 2 });
      expect(answer.label).toBe(label);
      expect(answer.score).toBeGreaterThan(measured.threshold);
      expect(answer.candidates).toHaveLength(2);
      expect(answer.candidates[0]).toMatchObject({ label, score: answer.score });
    }
    expect((await recognize(stranger)).label).toBeNull();
    expect((await recognize(stranger, { threshold: -1 })).label).not.toBeNull();
  }
  // a threshold is for the comparison that it was measured with
  expect((await recognize(stranger, { neighbors: 1 })).label).not.toBeNull();
  expect(await recognize.remove({ examples: [single, 99] })).toBe(1);
  expect(await recognize.remove({ label: "pen" })).toBe(9);
  expect(await recognize.remove({ label: "pen" })).toBe(0);
  expect((await recognize(noisyPicture(1, 20), { threshold: -1 })).label).not.toBe("pen");
  await recognize.dispose();
});

it("compares with the mean of the nearest, or with the mean of all", async () => {
  const recognize = await loadImageRecognizer(files, { device: "cpu" });
  await recognize.add({ label: "a", pictures: [0, 1, 2, 3].map((seed) => wavePicture(seed)) });
  const picture = wavePicture(1, 19, 15);
  const alone: number[] = [];
  for (const example of [0, 1, 2, 3]) {
    const other = await loadImageRecognizer(files, { device: "cpu" });
    await other.add({ label: "a", pictures: wavePicture(example) });
    alone.push((await other(picture)).score);
    await other.dispose();
  }
  const sorted = [...alone].sort((a, b) => b - a);
  for (const neighbors of [1, 2, 3, 9]) {
    const nearest = sorted.slice(0, neighbors);
    const { score, candidates } = await recognize(picture, { neighbors });
    expect(score).toBeCloseTo(nearest.reduce((sum, value) => sum + value) / nearest.length, 6);
    expect(candidates[0].example).toBe(alone.indexOf(sorted[0]));
  }
  const { score } = await recognize(picture, { method: "prototype" });
  expect(score).toBeGreaterThan(alone.reduce((sum, value) => sum + value) / 4);
  expect(score).toBeLessThanOrEqual(1);
  await recognize.dispose();
});

it("saves its gallery with what was calibrated, and refuses one of another model or none", async () => {
  const bytes = await galleryBytes(files);
  const recognize = await loadImageRecognizer(files, {
    device: "cpu",
    gallery: new Blob([bytes as BlobPart]),
  });
  expect((await recognize(noisyPicture(2, 20))).label).toBe("key");
  expect((await recognize(wavePicture(7, 33, 9))).label).toBeNull();
  const added = await recognize.add({ label: "pen", pictures: noisyPicture(1, 4) });
  expect(added).toEqual([9]);
  const again = await recognize.toBytes();
  await recognize.remove({ label: "cup" });
  expect(await recognize.load(again)).toEqual([
    { label: "cup", count: 3 },
    { label: "pen", count: 4 },
    { label: "key", count: 3 },
  ]);
  await expect(recognize.load(new Uint8Array(9))).rejects.toThrow(WeightsError);
  expect((await recognize.labels())[0].count).toBe(3);
  await recognize.dispose();
  const otherwise = { image_processor_type: "ViTImageProcessor", size: 9 };
  const loading = loadImageRecognizer(files, { device: "cpu", gallery: bytes, preprocessing: otherwise });
  await expect(loading).rejects.toThrow(/expected one that was made with this model/);
});

it("refuses to be taught nonsense, ends with its signal, and keeps nothing of what failed", async () => {
  const recognize = await loadImageRecognizer(files, { device: "cpu" });
  const wrong: [Promise<unknown>, RegExp][] = [
    [recognize.add({ label: "", pictures: wavePicture(1) }), /recognize.add: expected label as a text/],
    [recognize.add({ label: "a", pictures: [] }), /at least one picture, got none/],
    [
      recognize.add({ label: "a", pictures: [wavePicture(1), 5 as never] }),
      /pictures\[1\]: expected a picture/,
    ],
    [recognize.add({ label: "a", picture: wavePicture(1) } as never), /got picture/],
    [recognize.remove({} as never), /expected label as a text/],
    [recognize.remove({ examples: 1 } as never), /examples/],
    [recognize.calibrate(), /expected two labels, one of them with two examples, got none/],
    [recognize.calibrate({ method: "far" as never }), /did you mean|one of nearest, prototype/],
    [recognize.load(5 as never), /expected a gallery/],
    [recognize.save(""), /the path of a file/],
  ];
  for (const [promise, message] of wrong) {
    const error = await failureOf(promise);
    expect(error).toBeInstanceOf(InputError);
    expect(error.message).toMatch(message);
  }
  const pictures = Array.from({ length: 20 }, (_, seed) => noisyPicture(0, seed));
  const reason = new Error("enough");
  await expectNoLeak(async () => {
    const controller = new AbortController();
    const adding = recognize.add(
      { label: "a", pictures },
      { signal: controller.signal, onProgress: () => controller.abort(reason) },
    );
    expect(await failureOf(adding)).toBe(reason);
  });
  expect(await recognize.labels()).toEqual([]);
  await recognize.add({ label: "a", pictures });
  await recognize.add({ label: "b", pictures: noisyPicture(1, 1) });
  const controller = new AbortController();
  const calibrating = recognize.calibrate(
    {},
    { signal: controller.signal, onProgress: () => controller.abort(reason) },
  );
  expect(await failureOf(calibrating)).toBe(reason);
  await recognize.dispose();
  await expect(recognize.labels()).rejects.toThrow(/disposed/);
});

it("explains what makes a picture similar to an example", async () => {
  const recognize = await loadImageRecognizer(files, { device: "cpu", gallery: await galleryBytes(files) });
  const picture = noisyPicture(1, 20);
  const { candidates } = await recognize(picture, { neighbors: 1 });
  const before = candidates.find(({ label }) => label === "pen")!;
  const own = await recognize.explain(picture, "pen", { method: "occlusion", windowSize: 2 });
  expect(own).toMatchObject({ method: "occlusion", label: "pen", example: before.example });
  expect(own.score).toBeCloseTo(before.score, 5);
  expect([own.width, own.height]).toEqual([picture.width, picture.height]);
  expect(own.relevance).toHaveLength(picture.width * picture.height);
  expect(Math.max(...own.relevance.map(Math.abs))).toBeCloseTo(1, 6);
  // another thing is similar for other reasons
  const other = await recognize.explain(picture, "cup", { method: "occlusion", windowSize: 2 });
  expect(other.score).toBeLessThan(own.score);
  expect(other.relevance).not.toEqual(own.relevance);
  const sum = (await recognize.explain(picture, before.example, { method: "integrated-gradients" }))
    .relevance;
  expect(sum.some((value) => value !== 0)).toBe(true);
  expect(await failureOf(recognize.explain(picture, 99))).toBeInstanceOf(InputError);
  await recognize.remove({ label: "cup" });
  expect((await failureOf(recognize.explain(picture, "cup")))?.message).toMatch(/a label \(pen, key\)/);
  await recognize.dispose();
});
