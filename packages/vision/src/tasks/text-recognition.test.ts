import { describeTask } from "@ai/layers/testing";
import { expect, it } from "vitest";
import { wavePicture } from "../testing/classifier-case.js";
import { readerCase, readerFiles } from "../testing/reader-case.js";
import { loadTextRecognizer } from "./text-recognition.js";

describeTask("loadTextRecognizer", await readerCase());

it("says of each character what, how sure and where, greedily and by beams", async () => {
  const readText = await loadTextRecognizer(await readerFiles(), { device: "cpu" });
  expect(readText.info).toMatchObject({ architecture: "lprnet", symbols: [..."ABCDEF"] });
  const picture = wavePicture(1, 188, 24);
  const greedy = await readText(picture);
  expect(greedy.characters.length).toBeGreaterThan(0);
  for (const { text, characters, score } of [greedy, await readText(picture, { beamSize: 20 })]) {
    expect(text).toBe(characters.map((character) => character.text).join(""));
    let before = 0;
    for (const { left, right, ...character } of characters) {
      expect(right - left).toBeCloseTo(188 / 18, 6);
      expect(left).toBeGreaterThanOrEqual(before);
      before = right;
      expect(character.score).toBeGreaterThanOrEqual(score);
      expect(character.score).toBeLessThanOrEqual(1);
    }
  }
  const beam = await readText(picture, { beamSize: 20 });
  if (beam.text === greedy.text) expect(beam.score).toBeGreaterThanOrEqual(greedy.score);
  const { relevance, ...rest } = await readText.explain(picture, 0);
  const [first] = greedy.characters;
  expect(rest).toEqual({
    method: "grad-cam",
    text: first.text,
    index: 0,
    score: expect.closeTo(first.score, 5),
    width: 188,
    height: 24,
  });
  expect(relevance).toHaveLength(188 * 24);
  for (const target of ["0", "length", -1, 0.5, null, 99])
    await expect(readText.explain(picture, target as never)).rejects.toThrow(/readText: expected a target/);
  await readText.dispose();
});

it("refuses to read symbols that have no names", async () => {
  const files = await readerFiles();
  files.set(
    "config.json",
    new TextEncoder().encode('{"model_type":"lprnet","width_factor":0.25,"num_labels":7}'),
  );
  await expect(loadTextRecognizer(files, { device: "cpu" })).rejects.toThrow(/expected symbols as id2label/);
  await expect(loadTextRecognizer(files, { device: "cpu", labels: ["A"] })).rejects.toThrow();
  const readText = await loadTextRecognizer(files, { device: "cpu", labels: [..."abcdef-"] });
  expect(readText.info.symbols).toEqual([..."abcdef"]);
  await readText.dispose();
});

it("refuses weights that give no numbers", async () => {
  const preprocessing = {
    image_processor_type: "ViTImageProcessor",
    size: { height: 24, width: 94 },
    image_std: [1e-40, 1e-40, 1e-40],
  };
  const readText = await loadTextRecognizer(await readerFiles(), { device: "cpu", preprocessing });
  await expect(readText(wavePicture(1))).rejects.toThrow(/readText.*expected finite scores/);
  await readText.dispose();
});
