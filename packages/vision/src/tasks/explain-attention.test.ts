import { type AnyModule, attentionRollout } from "@ai/layers";
import { dispose, interpolate, read, tensor, tidy, useDevice } from "@ai/tensor";
import { expectNoLeak } from "@ai/tensor/testing";
import { beforeAll, expect, it } from "vitest";
import { readViTConfig } from "../models/vit/vit.config.js";
import { ViT } from "../models/vit/vit.js";
import { imagePreprocessor } from "../preprocess/image-preprocessor.js";
import { attentionFiles } from "../testing/attention-models.js";
import { classifierFiles, wavePicture } from "../testing/classifier-case.js";
import { loadImageClassifier } from "./image-classification.js";
import { loadObjectDetector } from "./object-detection.js";

const picture = wavePicture(1, 24, 24);
const method = "attention-rollout";

beforeAll(() => useDevice("cpu"));

it("rolls out the attention of a ViT's class token, and gives the class's score", async () => {
  const files = await attentionFiles("vit");
  const classify = await loadImageClassifier(files, { device: "cpu" });
  const [scores] = await classify([picture]);
  const explanation = await classify.explain(picture, "dog", { method });
  expect(explanation).toMatchObject({ method, label: "dog", index: 1, width: 24, height: 24 });
  expect(explanation.score).toBeCloseTo(scores.find(({ label }) => label === "dog")!.score, 5);
  await classify.dispose();

  const text = new TextDecoder();
  const json = (name: string) => JSON.parse(text.decode(files.get(name)));
  const model = new ViT(readViTConfig(json("config.json"))).initialize({ seed: 2 }).eval();
  const { pixelValues } = imagePreprocessor(json("preprocessor_config.json"))(picture);
  const { values } = await attentionRollout(model as unknown as AnyModule, pixelValues);
  const large = tidy(() =>
    interpolate(tensor(values.slice(1, 10), [1, 3, 3, 1]), { size: 24, mode: "bilinear" }),
  );
  const expected = Array.from((await read(large)) as Float32Array);
  const most = Math.max(...expected);
  explanation.relevance.forEach((value, at) => {
    expect(value).toBeCloseTo(expected[at] / most, 5);
  });
  expect(Math.min(...explanation.relevance)).toBeLessThan(0.99);
  dispose([large, pixelValues]);
  model.dispose();
});

it("shows the same everywhere where attention is the same everywhere", async () => {
  for (const name of ["vit", "deit"] as const) {
    const classify = await loadImageClassifier(await attentionFiles(name, "anywhere"), { device: "cpu" });
    const { relevance } = await classify.explain(picture, 0, { method });
    for (const value of relevance) expect(value).toBeCloseTo(1, 5);
    await classify.dispose();
  }
  const detect = await loadObjectDetector(await attentionFiles("detr", "anywhere"), { device: "cpu" });
  const { relevance } = await detect.explain(wavePicture(1, 40, 30), 0, { method });
  for (const value of relevance) expect(value).toBeCloseTo(1, 5);
  await detect.dispose();
});

it("explains an object that DETR found by each method, named by its place or by the answer", async () => {
  const detect = await loadObjectDetector(await attentionFiles("detr"), { device: "cpu" });
  const photo = wavePicture(1, 40, 30);
  const found = await detect(photo, { threshold: 0.01 });
  expect(found.length).toBeGreaterThan(1);
  for (const [options, varies] of [
    [{ method: "grad-cam" }, false],
    [{ method: "occlusion", windowSize: 16 }, true],
    [{ method: "integrated-gradients", steps: 2 }, true],
    [{ method }, true],
  ] as const) {
    const { relevance, ...rest } = await detect.explain(photo, 1, options);
    expect(rest).toEqual({
      ...found[1],
      score: expect.closeTo(found[1].score, 5),
      method: options.method,
      width: 40,
      height: 30,
    });
    expect(relevance).toHaveLength(40 * 30);
    if (varies) expect(Math.max(...relevance.map(Math.abs))).toBeCloseTo(1, 1);
    expect(await detect.explain(photo, found[1], options)).toEqual({ ...rest, relevance });
  }
  await expectNoLeak(() => detect.explain(photo, 0, { method }));
  const elsewhere = { label: found[0].label, box: [0, 0, 1, 1] } as const;
  await expect(detect.explain(photo, elsewhere)).rejects.toThrow(
    /answered for this picture.*where it sees none/,
  );
  await expect(detect.explain(photo, 99)).rejects.toThrow(/target below the \d+ objects.*got 99/);
  await detect.dispose();
});

it("says so where a model has no attention, or no convolutional features", async () => {
  const classify = await loadImageClassifier(await classifierFiles(), { device: "cpu" });
  await expect(classify.explain(picture, 0, { method })).rejects.toThrow(
    /got attention-rollout; it has no attention/,
  );
  await classify.dispose();
  const transformer = await loadImageClassifier(await attentionFiles("vit"), { device: "cpu" });
  await expect(transformer.explain(picture, 0, { method: "grad-cam" })).rejects.toThrow(/got grad-cam/);
  await transformer.dispose();
});
