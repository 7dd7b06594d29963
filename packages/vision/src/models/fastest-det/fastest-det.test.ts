import { ShapeError, zeros } from "@ai/tensor";
import { describeEachDevice } from "@ai/tensor/testing";
import { expect, it } from "vitest";
import { expectModelLikeTorch, loadVisionFixture } from "../../testing/model-cases.js";
import { ruledImages } from "../../testing/ruled-values.js";
import { FastestDet } from "./fastest-det.js";

const fixture = await loadVisionFixture("small_models");

/** As in tooling/fixtures/vision/small_models.py. */
const CONFIG = {
  stemChannels: 4,
  stageChannels: [8, 12, 16],
  stageDepths: [2, 2, 1],
  headChannels: 6,
  numClasses: 3,
} as const;

describeEachDevice("FastestDet", (device) => {
  it("computes what PyTorch computes", () =>
    expectModelLikeTorch(fixture, {
      name: "fastest_det",
      build: () => new FastestDet(CONFIG),
      inputs: () => [ruledImages("images", [2, 64, 96, 3])],
      call: (model, [images]) => ({ cells: model.call(images) }),
      // plain JavaScript and a software GPU take long for the backward pass of depthwise convolutions
      gradients: device === "wasm" ? "train" : undefined,
    }));

  it("refuses pictures of another size", () => {
    const model = new FastestDet(CONFIG);
    const x = zeros([1, 30, 30, 4]);
    expect(() => model.call(x)).toThrow(ShapeError);
    x.dispose();
    model.dispose();
  });
});
