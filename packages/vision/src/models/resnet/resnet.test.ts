import { InputError, ShapeError, zeros } from "@ai/tensor";
import { describeEachDevice } from "@ai/tensor/testing";
import { expect, it } from "vitest";
import { expectModelLikeTorch, loadVisionFixture } from "../../testing/model-cases.js";
import { ruledImages } from "../../testing/ruled-values.js";
import { RESNET_FROM_HUGGING_FACE, type ResNetConfig, readResNetConfig } from "./resnet.config.js";
import { ResNet } from "./resnet.js";

const fixture = await loadVisionFixture("resnet");

/** As in tooling/fixtures/vision/resnet.py. */
const CONFIGS: Readonly<Record<string, Omit<ResNetConfig, "numClasses" | "embeddingSize">>> = {
  basic: { block: "basic", hiddenSizes: [6, 8, 10, 12], depths: [1, 2, 1, 1] },
  bottleneck: { block: "bottleneck", hiddenSizes: [8, 16, 24, 32], depths: [2, 1, 1, 1] },
  early: { block: "bottleneck", hiddenSizes: [8, 16], depths: [1, 1], downsampleInBottleneck: true },
};
const sizes = { embeddingSize: 6, numClasses: 5 };

describeEachDevice("ResNet", () => {
  for (const [name, config] of Object.entries(CONFIGS))
    it(`computes what Hugging Face's ${name} ResNet computes`, () =>
      expectModelLikeTorch(fixture, {
        name,
        build: () => new ResNet({ ...config, ...sizes }),
        mapping: RESNET_FROM_HUGGING_FACE,
        inputs: () => [ruledImages("images", [2, 40, 36, 3])],
        call: (model, [images]) => ({
          classes: model.call(images),
          embedding: model.call(images, { output: "embedding" }),
        }),
        gradients: "train",
      }));

  it("refuses pictures of other channels, and options it does not know", () => {
    const model = new ResNet({ ...CONFIGS.early, ...sizes });
    const grey = zeros([1, 32, 32, 1]);
    const colour = zeros([1, 32, 32, 3]);
    expect(() => model.call(grey)).toThrow(ShapeError);
    expect(() => model.call(colour, { output: "logits" } as never)).toThrow(InputError);
    expect(() => model.call(colour, { attentionWeights: true })).toThrow(InputError);
    grey.dispose();
    colour.dispose();
    model.dispose();
  });
});

it("reads Hugging Face's config.json and refuses what it does not have", () => {
  const json = {
    model_type: "resnet",
    layer_type: "basic",
    hidden_sizes: [8, 16],
    depths: [1, 1],
    num_labels: 7,
  };
  expect(readResNetConfig(json)).toMatchObject({ block: "basic", hiddenSizes: [8, 16], numClasses: 7 });
  expect(readResNetConfig({ model_type: "resnet", id2label: { 0: "a", 1: "b", 2: "c" } }).numClasses).toBe(3);
  expect(() => readResNetConfig({ ...json, hidden_act: "gelu" })).toThrow(/hidden_act "relu".*got "gelu"/);
  expect(() => readResNetConfig({ ...json, model_type: "vit" })).toThrow(/model_type resnet, got vit/);
  expect(() => new ResNet({ ...CONFIGS.early, ...sizes, depths: [1] })).toThrow(InputError);
});
