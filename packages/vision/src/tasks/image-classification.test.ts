import { describeTask } from "@ai/layers/testing";
import { expect, it } from "vitest";
import { classifierCase, classifierFiles, wavePicture } from "../testing/classifier-case.js";
import { loadImageClassifier } from "./image-classification.js";

describeTask("loadImageClassifier", await classifierCase());

it("takes labels and preprocessing as options, and refuses labels of another number", async () => {
  const files = await classifierFiles();
  const preprocessing = { image_processor_type: "ViTImageProcessor", size: { height: 8, width: 8 } };
  const classify = await loadImageClassifier(files, {
    device: "cpu",
    labels: ["a", "b", "c"],
    preprocessing,
  });
  expect(classify.info).toMatchObject({
    architecture: "cifarResNet",
    labels: ["a", "b", "c"],
    preprocessing: { resize: { height: 8, width: 8 } },
  });
  const [best] = await classify(wavePicture(1), { topK: 1, activation: "sigmoid", threshold: 0 });
  expect(best.label).toBe(["a", "b", "c"][best.index]);
  await classify.dispose();
  await expect(loadImageClassifier(files, { device: "cpu", labels: ["a"] })).rejects.toThrow(
    /expected 3 labels, one for each score of the model, got 1/,
  );
});

it("refuses weights that give no numbers", async () => {
  const preprocessing = {
    image_processor_type: "ViTImageProcessor",
    size: 16,
    image_std: [1e-40, 1e-40, 1e-40],
  };
  const classify = await loadImageClassifier(await classifierFiles(), { device: "cpu", preprocessing });
  await expect(classify(wavePicture(1))).rejects.toThrow(/classify.*expected finite scores/);
  await classify.dispose();
});
