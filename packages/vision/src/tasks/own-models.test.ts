import { type Fixture, loadFixture } from "@ai/tensor/testing";
import { describe, expect, it } from "vitest";
import type { Picture } from "../preprocess/picture.js";
import { loadImageClassifier } from "./image-classification.js";
import { loadImageEmbedder } from "./image-embedding.js";
import { loadObjectDetector } from "./object-detection.js";
import { visionModels } from "./own-models.js";

/** What tooling/pretrain/vision/package-model.ts stored: drawings of ours, and what the model says of them. */
const answersOf = (name: string): Promise<Fixture> =>
  loadFixture(new URL(`../../fixtures/own_${name.replaceAll("-", "_")}.safetensors`, import.meta.url));

/** Names and pictures of a fixture. */
function drawingsOf(fixture: Fixture): [name: string, picture: Picture][] {
  const names = fixture.names.filter((name) => name.endsWith(".pixels"));
  expect(names).not.toHaveLength(0);
  return names.map((name) => {
    const { shape, values } = fixture.host(name);
    const [height, width, channels] = shape as [number, number, 1 | 3];
    return [name.slice(0, -".pixels".length), { data: Uint8Array.from(values), width, height, channels }];
  });
}

const named = (task: string): string[] =>
  Object.keys(visionModels).filter((name) => visionModels[name].tasks.includes(task));

/** Of a score, and of an edge in pixels, from one device to the other. */
const TOLERANCE = 1e-3;
const PIXEL_TOLERANCE = 0.05;

describe.each(["cpu", "wasm"] as const)("models of ours by name (%s)", (device) => {
  it.each(named("image-classification"))("%s gives the stored scores", async (name) => {
    const fixture = await answersOf(name);
    const classify = await loadImageClassifier(name, { device });
    const drawings = drawingsOf(fixture);
    const answers = await classify(
      drawings.map(([, picture]) => picture),
      { topK: classify.info.labels.length },
    );
    await classify.dispose();
    drawings.forEach(([drawing], position) => {
      const expected = fixture.host(`${drawing}.scores`).values;
      expect(answers[position]).toHaveLength(expected.length);
      for (const { index, score } of answers[position])
        expect(Math.abs(score - Number(expected[index])), `${drawing} ${index}`).toBeLessThan(TOLERANCE);
    });
  });

  it.each(named("object-detection"))("%s finds the stored objects", async (name) => {
    const fixture = await answersOf(name);
    const detect = await loadObjectDetector(name, { device });
    for (const [drawing, picture] of drawingsOf(fixture)) {
      const found = await detect(picture, { threshold: 0.5 });
      const [boxes, labels, scores] = ["boxes", "labels", "scores"].map((part) =>
        Array.from(fixture.host(`${drawing}.${part}`).values, Number),
      );
      expect(scores.length).toBeGreaterThan(0);
      expect(found.map(({ index }) => index)).toEqual(labels);
      found.forEach(({ score, box }, position) => {
        expect(Math.abs(score - scores[position])).toBeLessThan(TOLERANCE);
        box.forEach((edge, side) => {
          expect(Math.abs(edge - boxes[4 * position + side])).toBeLessThan(PIXEL_TOLERANCE);
        });
      });
    }
    await detect.dispose();
  });
});

it("embed pictures, where they classify", async () => {
  for (const name of named("image-feature-extraction")) {
    const [[, picture]] = drawingsOf(await answersOf(name));
    const embed = await loadImageEmbedder(name, { device: "wasm" });
    const embedding = await embed(picture);
    expect(embedding).toHaveLength(embed.info.embeddingDim);
    expect(Math.hypot(...embedding)).toBeCloseTo(1, 5);
    await embed.dispose();
  }
});

it("lists the models of the task when a name is none", async () => {
  const names = named("image-classification").sort().join(", ");
  await expect(loadImageClassifier("mnist", { device: "cpu" })).rejects.toThrow(
    new RegExp(`expected a model, got "mnist".*there (?:is|are) ${names}`),
  );
  await expect(loadImageClassifier("bccd-cells", { device: "cpu" })).rejects.toThrow(
    "expected a model for image-classification, got bccd-cells, which is for object-detection",
  );
});
