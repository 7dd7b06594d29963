import { InputError } from "@ai/tensor";
import { describeEachDevice } from "@ai/tensor/testing";
import { expect, it } from "vitest";
import { expectModelLikeTorch, loadVisionFixture } from "../../testing/model-cases.js";
import { ruledImages } from "../../testing/ruled-values.js";
import {
  MOBILENET_V2_FROM_TORCHVISION,
  MOBILENET_V2_TORCHVISION,
  readMobileNetV2Config,
} from "./mobilenet-v2.config.js";
import { MobileNetV2 } from "./mobilenet-v2.js";

const fixture = await loadVisionFixture("mobile");
const torchvision = await loadVisionFixture("torchvision");

/** As in tooling/fixtures/vision/mobile.py and torchvision_models.py. */
const TINY = {
  depthMultiplier: 1 / 16,
  depthDivisibleBy: 2,
  minDepth: 2,
  expandRatio: 2,
  finegrainedOutput: false,
  dropout: 0,
  numClasses: 5,
};

describeEachDevice("MobileNetV2", (device) => {
  const cases = {
    mobilenet_v2: TINY,
    mobilenet_v2_dilated: {
      ...TINY,
      outputStride: 16,
      firstLayerIsExpansion: false,
      padding: "symmetric",
    },
  } as const;
  for (const [name, config] of Object.entries(cases))
    it(`computes what Hugging Face's ${name} computes`, () =>
      expectModelLikeTorch(fixture, {
        name,
        build: () => new MobileNetV2(config),
        inputs: () => [ruledImages("images", [2, 33, 40, 3])],
        call: (model, [images]) => ({
          classes: model.call(images),
          embedding: model.call(images, { output: "embedding" }),
        }),
        // plain JavaScript and a software GPU take long for the backward pass of depthwise convolutions
        gradients: device === "wasm" ? "train" : undefined,
      }));

  // elsewhere it would take a minute: the sizes are the published ones
  it.skipIf(device !== "wasm")("computes what torchvision's computes", () =>
    expectModelLikeTorch(torchvision, {
      name: "mobilenet_v2",
      build: () =>
        new MobileNetV2({
          ...MOBILENET_V2_TORCHVISION,
          depthMultiplier: 0.5,
          finegrainedOutput: true,
          numClasses: 5,
        }),
      mapping: MOBILENET_V2_FROM_TORCHVISION,
      inputs: () => [ruledImages("images", [1, 45, 64, 3])],
      call: (model, [images]) => ({ classes: model.call(images) }),
    }),
  );
});

it("reads Hugging Face's config.json", () => {
  const json = {
    model_type: "mobilenet_v2",
    depth_multiplier: 0.35,
    tf_padding: false,
    id2label: { 0: "a" },
  };
  expect(readMobileNetV2Config(json)).toMatchObject({
    depthMultiplier: 0.35,
    padding: "symmetric",
    numClasses: 1,
  });
  expect(() => readMobileNetV2Config({ ...json, hidden_act: "relu" })).toThrow(InputError);
  expect(() => new MobileNetV2({ outputStride: 4, numClasses: 2 })).toThrow(InputError);
});
