import { InputError, ShapeError, zeros } from "@ai/tensor";
import { describeEachDevice } from "@ai/tensor/testing";
import { expect, it } from "vitest";
import { expectModelLikeTorch, loadVisionFixture } from "../../testing/model-cases.js";
import { ruledImages } from "../../testing/ruled-values.js";
import { readResNet9Config } from "./resnet9.config.js";
import { ResNet9 } from "./resnet9.js";

const fixture = await loadVisionFixture("resnet9");

/** As in tooling/fixtures/vision/resnet9.py. */
const CONFIG = { width: 4, numClasses: 5 } as const;

describeEachDevice("ResNet9", () => {
  it("computes what PyTorch computes", () =>
    expectModelLikeTorch(fixture, {
      name: "resnet9",
      build: () => new ResNet9(CONFIG),
      inputs: () => [ruledImages("images", [2, 16, 24, 3])],
      call: (model, [images]) => ({
        classes: model.call(images),
        embedding: model.call(images, { output: "embedding" }),
      }),
      gradients: "train",
    }));

  it("refuses pictures of other channels", () => {
    const model = new ResNet9(CONFIG);
    const x = zeros([1, 16, 16, 1]);
    expect(() => model.call(x)).toThrow(ShapeError);
    x.dispose();
    model.dispose();
  });
});

it("reads its config.json", () => {
  const id2label = { 0: "cat", 1: "dog" };
  expect(readResNet9Config({ model_type: "resnet9", width: 8, id2label })).toEqual({
    numChannels: 3,
    width: 8,
    numClasses: 2,
  });
  expect(() => readResNet9Config({ model_type: "resnet", id2label })).toThrow(InputError);
  expect(() => readResNet9Config({ model_type: "resnet9", width: "8", id2label })).toThrow(
    /width as a number/,
  );
});
