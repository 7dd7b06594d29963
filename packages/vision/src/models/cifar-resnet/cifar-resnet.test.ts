import { ShapeError, zeros } from "@ai/tensor";
import { describeEachDevice } from "@ai/tensor/testing";
import { expect, it } from "vitest";
import { expectModelLikeTorch, loadVisionFixture } from "../../testing/model-cases.js";
import { ruledImages } from "../../testing/ruled-values.js";
import { CifarResNet } from "./cifar-resnet.js";

const fixture = await loadVisionFixture("small_models");

/** As in tooling/fixtures/vision/small_models.py. */
const CONFIG = { depth: 2, width: 4, numClasses: 5 } as const;

describeEachDevice("CifarResNet", () => {
  it("computes what PyTorch computes", () =>
    expectModelLikeTorch(fixture, {
      name: "cifar_resnet",
      build: () => new CifarResNet(CONFIG),
      inputs: () => [ruledImages("images", [2, 16, 12, 3])],
      call: (model, [images]) => ({
        classes: model.call(images),
        embedding: model.call(images, { output: "embedding" }),
      }),
      gradients: "train",
    }));

  it("refuses pictures of another size", () => {
    const model = new CifarResNet(CONFIG);
    const x = zeros([1, 30, 30, 4]);
    expect(() => model.call(x)).toThrow(ShapeError);
    x.dispose();
    model.dispose();
  });
});
