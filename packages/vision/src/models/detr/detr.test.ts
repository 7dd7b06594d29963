import { InputError, zeros } from "@ai/tensor";
import { describeEachDevice } from "@ai/tensor/testing";
import { expect, it } from "vitest";
import { expectModelLikeTorch, loadVisionFixture } from "../../testing/model-cases.js";
import { ruledImages } from "../../testing/ruled-values.js";
import { DETR_FROM_HUGGING_FACE_BACKBONE, readDetrConfig } from "./detr.config.js";
import { Detr } from "./detr.js";

const fixture = await loadVisionFixture("transformers");

/** As in tooling/fixtures/vision/transformers_models.py. */
const CONFIG = {
  backbone: { embeddingSize: 4, block: "basic", hiddenSizes: [4, 6, 8], depths: [1, 1, 1] },
  numQueries: 5,
  dim: 8,
  encoderLayers: 2,
  encoderHeads: 2,
  encoderFeedForward: 12,
  decoderLayers: 2,
  decoderHeads: 4,
  decoderFeedForward: 10,
  dropout: 0,
  numClasses: 3,
} as const;

describeEachDevice("Detr", () => {
  it("computes what Hugging Face's computes on a padded batch", () =>
    expectModelLikeTorch(fixture, {
      name: "detr",
      build: () => new Detr(CONFIG),
      mapping: DETR_FROM_HUGGING_FACE_BACKBONE,
      inputs: () => [ruledImages("images", [2, 64, 80, 3])],
      call: (model, [images]) => ({
        ...model.call(images, {
          sizes: [
            [64, 50],
            [40, 80],
          ],
        }),
      }),
      gradients: "train",
    }));

  it("refuses sizes that do not fit", () => {
    const model = new Detr(CONFIG);
    const x = zeros([1, 32, 32, 3]);
    expect(() => model.call(x, { sizes: [[32, 40]] })).toThrow(InputError);
    expect(() => model.call(x, { sizes: [] })).toThrow(InputError);
    x.dispose();
    model.dispose();
  });
});

it("reads Hugging Face's config.json with either backbone", () => {
  const timm = { model_type: "detr", use_timm_backbone: true, backbone: "resnet101", id2label: { 0: "a" } };
  expect(readDetrConfig(timm)).toMatchObject({ backbone: { depths: [3, 4, 23, 3] }, numClasses: 1 });
  const own = {
    model_type: "detr",
    backbone_config: { model_type: "resnet", layer_type: "basic", depths: [1, 1, 1, 1] },
  };
  expect(readDetrConfig(own).backbone).toMatchObject({ block: "basic", depths: [1, 1, 1, 1] });
  expect(() => readDetrConfig({ ...timm, dilation: true })).toThrow(InputError);
});
