import { describeTask } from "@ai/layers/testing";
import { useDevice } from "@ai/tensor";
import { expect, it } from "vitest";
import { CifarResNet } from "../models/cifar-resnet/cifar-resnet.js";
import { imagePreprocessor } from "../preprocess/image-preprocessor.js";
import { classifierFiles, wavePicture } from "../testing/classifier-case.js";
import { embedderCase } from "../testing/embedder-case.js";
import { loadImageEmbedder } from "./image-embedding.js";

describeTask("loadImageEmbedder", await embedderCase());

it("gives what the classifier reads, with length 1 unless asked otherwise", async () => {
  const files = await classifierFiles();
  const embed = await loadImageEmbedder(files, { device: "cpu" });
  expect(embed.info).toMatchObject({ architecture: "cifarResNet", embeddingDim: 16 });
  const raw = await embed(wavePicture(1), { normalize: false });
  const unit = await embed(wavePicture(1));
  await embed.dispose();

  await useDevice("cpu");
  const model = new CifarResNet({ depth: 1, width: 4, numClasses: 3 }).initialize({ seed: 3 }).eval();
  const config = JSON.parse(new TextDecoder().decode(files.get("preprocessor_config.json")));
  const { pixelValues } = imagePreprocessor(config)(wavePicture(1));
  const expected = model.call(pixelValues, { output: "embedding" });
  await expect(expected).toBeCloseToTensor({ dtype: "float32", shape: [1, 16], values: raw });
  for (const tensor of [pixelValues, expected]) tensor.dispose();
  model.dispose();

  const length = Math.hypot(...raw);
  expect(Math.hypot(...unit)).toBeCloseTo(1, 6);
  unit.forEach((value, at) => {
    expect(value).toBeCloseTo(raw[at] / length, 6);
  });
});

it("refuses weights that give no numbers", async () => {
  const files = await classifierFiles();
  const nothing = { image_processor_type: "ViTImageProcessor", size: 16, image_std: [1e-40, 1e-40, 1e-40] };
  const embed = await loadImageEmbedder(files, { device: "cpu", preprocessing: nothing });
  await expect(embed(wavePicture(1))).rejects.toThrow(/embed.*expected finite embeddings/);
  await embed.dispose();
});
