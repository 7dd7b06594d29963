import { InputError, keep, ShapeError, type Tensor, zeros } from "@ai/tensor";
import { describeEachDevice } from "@ai/tensor/testing";
import { expect, it } from "vitest";
import { expectModelLikeTorch, fillByRule, loadVisionFixture } from "../../testing/model-cases.js";
import { ruledImages } from "../../testing/ruled-values.js";
import type { AttentionOutput } from "../projected-attention.js";
import { readDeiTConfig, readViTConfig } from "./vit.config.js";
import { DeiT, ViT } from "./vit.js";

const fixture = await loadVisionFixture("transformers");

/** As in tooling/fixtures/vision/transformers_models.py. */
const SIZES = {
  imageSize: [16, 16],
  patchSize: 8,
  hiddenSize: 12,
  numLayers: 2,
  numHeads: 3,
  intermediateSize: 14,
  numClasses: 5,
} as const;
const images = (): Tensor[] => [ruledImages("images", [2, 16, 16, 3])];

describeEachDevice("ViT", () => {
  it("computes what Hugging Face's ViT computes", () =>
    expectModelLikeTorch(fixture, {
      name: "vit",
      build: () => new ViT(SIZES),
      inputs: images,
      call: (model, [x]) => ({ classes: model.call(x) }),
      gradients: "train",
    }));

  it("computes what Hugging Face's DeiT with its teacher computes", () =>
    expectModelLikeTorch(fixture, {
      name: "deit",
      build: () => new DeiT({ ...SIZES, hasTeacher: true }),
      inputs: images,
      call: (model, [x]) => ({ classes: model.call(x) }),
    }));

  it("gives attention weights to hooks, and the same scores", async () => {
    const model = new ViT(SIZES).eval();
    await fillByRule(model);
    const [x] = images();
    const modules = new Map(model.namedModules());
    const weights: Tensor[] = [];
    for (const path of model.parts.attentionLayers)
      modules.get(path)!.registerForwardHook((_, __, output) => {
        const found = (output as AttentionOutput).weights;
        if (found !== undefined) weights.push(keep(found));
        return undefined;
      });
    const scores = model.call(x, { attentionWeights: true });
    await expect(scores).toBeCloseToTensor(fixture.host("vit/output/classes"), { relative: 1e-4 });
    expect(weights).toHaveLength(SIZES.numLayers);
    await expect(weights[1]).toBeCloseToTensor(fixture.host("vit/attention"), { relative: 1e-4 });
    for (const tensor of [x, scores, ...weights]) tensor.dispose();
    model.dispose();
  });

  it("refuses pictures of another size", () => {
    const model = new ViT(SIZES);
    const x = zeros([1, 24, 16, 3]);
    expect(() => model.call(x)).toThrow(ShapeError);
    x.dispose();
    model.dispose();
    expect(() => new ViT({ ...SIZES, patchSize: 5 })).toThrow(InputError);
  });
});

it("reads Hugging Face's config.json", () => {
  expect(readViTConfig({ model_type: "vit", image_size: 384 })).toMatchObject({
    imageSize: [384, 384],
    numHeads: 12,
  });
  const architectures = ["DeiTForImageClassificationWithTeacher"];
  expect(readDeiTConfig({ model_type: "deit", architectures }).hasTeacher).toBe(true);
  expect(readDeiTConfig({ model_type: "deit" }).hasTeacher).toBe(false);
  expect(() => readViTConfig({ model_type: "vit", hidden_act: "relu" })).toThrow(InputError);
});
