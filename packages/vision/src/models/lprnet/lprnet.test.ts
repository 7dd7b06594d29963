import { ShapeError, zeros } from "@ai/tensor";
import { describeEachDevice } from "@ai/tensor/testing";
import { expect, it } from "vitest";
import { expectModelLikeTorch, loadVisionFixture } from "../../testing/model-cases.js";
import { ruledImages } from "../../testing/ruled-values.js";
import { LPRNet } from "./lprnet.js";

const fixture = await loadVisionFixture("small_models");

/** As in tooling/fixtures/vision/small_models.py. */
const CONFIG = { widthFactor: 0.25, numClasses: 7 } as const;

describeEachDevice("LPRNet", (device) => {
  it("computes what PyTorch computes", () =>
    expectModelLikeTorch(fixture, {
      name: "lprnet",
      build: () => new LPRNet(CONFIG),
      inputs: () => [ruledImages("images", [2, 24, 94, 3])],
      call: (model, [images]) => ({ scores: model.call(images) }),
      // plain JavaScript and a software GPU take half a minute for the backward pass
      gradients: device === "wasm" ? "eval" : undefined,
    }));

  it("refuses pictures of another size", () => {
    const model = new LPRNet(CONFIG);
    const x = zeros([1, 30, 30, 4]);
    expect(() => model.call(x)).toThrow(ShapeError);
    x.dispose();
    model.dispose();
  });
});
