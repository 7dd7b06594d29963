import { Module } from "@ai/layers";
import { type ModelConfig, pretrainedFolder } from "@ai/layers/tasks";
import { useDevice, type WeightsFile, writeModelFolder } from "@ai/tensor";
import { expectNoLeak } from "@ai/tensor/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { loadImageClassifier } from "../tasks/image-classification.js";
import { wavePicture } from "../testing/classifier-case.js";
import { models } from "./registry.js";

const transformer = {
  hidden_size: 12,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  intermediate_size: 16,
  image_size: 16,
  patch_size: 8,
};

/** A small configuration of each row. */
const CONFIGS: Record<keyof typeof models, ModelConfig> = {
  resnet: {
    model_type: "resnet",
    layer_type: "basic",
    embedding_size: 4,
    hidden_sizes: [4, 8],
    depths: [1, 1],
  },
  cifarResNet: { model_type: "cifar_resnet", depth: 1, width: 4 },
  resnet9: { model_type: "resnet9", width: 4 },
  mobileNetV2: { model_type: "mobilenet_v2", depth_multiplier: 0.1, finegrained_output: false },
  efficientNet: {
    model_type: "efficientnet",
    width_coefficient: 1,
    depth_coefficient: 1,
    hidden_dim: 32,
    kernel_sizes: [3, 3],
    in_channels: [8, 8],
    out_channels: [8, 8],
    strides: [1, 2],
    expand_ratios: [1, 2],
    num_block_repeats: [1, 1],
  },
  convNext: { model_type: "convnext", hidden_sizes: [4, 8], depths: [1, 1] },
  vit: { model_type: "vit", ...transformer },
  deit: { model_type: "deit", ...transformer },
};

const PREPROCESSING = { image_processor_type: "ViTImageProcessor", size: { height: 16, width: 16 } };

beforeAll(() => useDevice("wasm"));

describe("models", () => {
  for (const [name, config] of Object.entries(CONFIGS))
    it(`${name} is made by its row, saved, and loaded again to the same answers`, async () => {
      const entry = models[name as keyof typeof models] as (typeof models)["vit"];
      const labels = ["cat", "dog", "bird"];
      const named = { ...config, id2label: { 0: "cat", 1: "dog", 2: "bird" } };
      const created = entry.create(await entry.load(), named, {
        has: () => false,
        names: [],
      } as unknown as WeightsFile);
      const model = created.model as unknown as Module;
      expect(model).toBeInstanceOf(Module);
      model.initialize({ seed: 1 });
      const folder = await pretrainedFolder({
        model,
        config,
        labels,
        // a ResNet's names lead back to Hugging Face's, the others' are theirs
        mapping: name === "resnet" ? created.mapping : [],
        files: { "preprocessor_config.json": PREPROCESSING },
      });
      const files = await writeModelFolder(folder);
      model.dispose();
      const answers: unknown[] = [];
      await expectNoLeak(async () => {
        const classify = await loadImageClassifier(files, { device: "wasm" });
        expect(classify.info).toMatchObject({ architecture: name, labels });
        answers.push(await classify(wavePicture(0)));
        await classify.dispose();
      });
      expect(answers[0]).toHaveLength(3);
      expect(answers[1]).toEqual(answers[0]);
    });
});
