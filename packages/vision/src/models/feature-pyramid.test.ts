import { dispose } from "@ai/tensor";
import { describeEachDevice } from "@ai/tensor/testing";
import { expect, it } from "vitest";
import { expectModelLikeTorch, loadVisionFixture } from "../testing/model-cases.js";
import { ruledImages } from "../testing/ruled-values.js";
import { FeaturePyramidNetwork } from "./feature-pyramid.js";

const fixture = await loadVisionFixture("boxes");
const SIZES = [
  [11, 14, 4],
  [6, 7, 6],
  [3, 4, 8],
] as const;

describeEachDevice("FeaturePyramidNetwork", () => {
  it("computes what torchvision's computes", () =>
    expectModelLikeTorch(fixture, {
      name: "pyramid",
      build: () => new FeaturePyramidNetwork([4, 6, 8], 5),
      inputs: () => SIZES.map((size, level) => ruledImages(`map${level}`, [2, ...size])),
      call: (model, maps) => {
        const [fine, middle, coarse] = model.call(maps);
        return { fine, middle, coarse };
      },
      gradients: "train",
    }));

  it("refuses another number of maps", () => {
    const model = new FeaturePyramidNetwork([4, 6], 5);
    const maps = [ruledImages("map0", [1, 4, 4, 4])];
    expect(() => model.call(maps)).toThrow(/2 feature maps, got 1/);
    dispose(maps);
    model.dispose();
  });
});
