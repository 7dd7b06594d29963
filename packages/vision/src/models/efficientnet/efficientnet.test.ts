import { InputError } from "@ai/tensor";
import { describeEachDevice } from "@ai/tensor/testing";
import { expect, it } from "vitest";
import { expectModelLikeTorch, loadVisionFixture, type ModelCase } from "../../testing/model-cases.js";
import { ruledImages } from "../../testing/ruled-values.js";
import {
  EFFICIENTNET_FROM_PORT,
  EFFICIENTNET_TORCHVISION,
  type EfficientNetConfig,
  efficientNetFromTorchvision,
  readEfficientNetConfig,
} from "./efficientnet.config.js";
import { EfficientNet } from "./efficientnet.js";

const fixture = await loadVisionFixture("mobile");
const torchvision = await loadVisionFixture("torchvision");

/** As in tooling/fixtures/vision/mobile.py and torchvision_models.py. */
const STAGES = [
  { kernelSize: 3, inChannels: 8, outChannels: 6, stride: 1, expandRatio: 1, repeats: 1 },
  { kernelSize: 5, inChannels: 6, outChannels: 10, stride: 2, expandRatio: 2, repeats: 2 },
  { kernelSize: 3, inChannels: 10, outChannels: 12, stride: 2, expandRatio: 3, repeats: 1 },
];
const NO_DROPS = { dropout: 0, dropConnect: 0 };
const SIZES = { widthCoefficient: 1, depthCoefficient: 1.2, depthDivisor: 2, stages: STAGES, numClasses: 5 };
/** Plain JavaScript and a software GPU take long for the backward pass of depthwise convolutions. */
const run = (config: EfficientNetConfig, device: string): Omit<ModelCase<EfficientNet>, "name"> => ({
  build: () => new EfficientNet(config),
  inputs: () => [ruledImages("images", [2, 32, 40, 3])],
  call: (model, [images]) => ({ classes: model.call(images) }),
  gradients: device === "wasm" ? "train" : undefined,
});

describeEachDevice("EfficientNet", (device) => {
  it("computes what Hugging Face's computes", () =>
    expectModelLikeTorch(fixture, {
      name: "efficientnet",
      ...run({ ...SIZES, ...NO_DROPS, hiddenDim: 320, symmetricBlocks: [4] }, device),
    }));

  it("computes what the Lite network computes in PyTorch", () =>
    expectModelLikeTorch(fixture, {
      name: "efficientnet_lite",
      mapping: EFFICIENTNET_FROM_PORT,
      ...run({ ...SIZES, ...NO_DROPS, hiddenDim: 16, lite: true }, device),
    }));

  it("computes what torchvision's computes", () => {
    const channels = [16, 8, 16, 24];
    const config = {
      ...SIZES,
      ...NO_DROPS,
      ...EFFICIENTNET_TORCHVISION,
      depthDivisor: 8,
      depthCoefficient: 1,
      hiddenDim: 64,
      stages: STAGES.map((stage, index) => ({
        ...stage,
        inChannels: channels[index],
        outChannels: channels[index + 1],
        expandRatio: index + 1,
      })),
    };
    return expectModelLikeTorch(torchvision, {
      name: "efficientnet",
      mapping: efficientNetFromTorchvision(config),
      ...run(config, device),
    });
  });
});

it("reads Hugging Face's config.json", () => {
  const json = {
    model_type: "efficientnet",
    width_coefficient: 1,
    depth_coefficient: 1,
    hidden_dim: 1280,
    num_labels: 4,
  };
  const config = readEfficientNetConfig(json);
  expect(config).toMatchObject({ widthCoefficient: 1, hiddenDim: 1280, numClasses: 4 });
  expect(config.stages).toHaveLength(7);
  expect(() => readEfficientNetConfig({ ...json, pooling_type: "max" })).toThrow(InputError);
});
