import { InputError } from "@ai/tensor";
import { describeEachDevice } from "@ai/tensor/testing";
import { expect, it } from "vitest";
import { expectModelLikeTorch, loadVisionFixture } from "../../testing/model-cases.js";
import { ruledImages } from "../../testing/ruled-values.js";
import { readConvNextConfig } from "./convnext.config.js";
import { ConvNext } from "./convnext.js";

const fixture = await loadVisionFixture("transformers");

describeEachDevice("ConvNext", () => {
  it("computes what Hugging Face's computes", () =>
    expectModelLikeTorch(fixture, {
      name: "convnext",
      build: () => new ConvNext({ hiddenSizes: [6, 8, 10], depths: [1, 2, 1], numClasses: 5 }),
      inputs: () => [ruledImages("images", [1, 35, 32, 3])],
      call: (model, [images]) => ({
        classes: model.call(images),
        embedding: model.call(images, { output: "embedding" }),
      }),
      gradients: "train",
    }));
});

it("reads Hugging Face's config.json", () => {
  const json = { model_type: "convnext", hidden_sizes: [8, 16], depths: [1, 1], num_labels: 3 };
  expect(readConvNextConfig(json)).toMatchObject({ hiddenSizes: [8, 16], patchSize: 4, numClasses: 3 });
  expect(() => readConvNextConfig({ ...json, hidden_sizes: "8" })).toThrow(/hidden_sizes as numbers/);
  expect(() => new ConvNext({ hiddenSizes: [8], depths: [1, 1], numClasses: 2 })).toThrow(InputError);
});
