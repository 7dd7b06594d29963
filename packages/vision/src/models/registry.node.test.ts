import { Module } from "@ai/layers";
import { type ModelConfig, pretrainedFolder, type Task } from "@ai/layers/tasks";
import { readSafetensors, useDevice, type WeightsFile, writeModelFolder } from "@ai/tensor";
import { expectNoLeak } from "@ai/tensor/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { type ImageClassification, loadImageClassifier } from "../tasks/image-classification.js";
import { loadImageEmbedder } from "../tasks/image-embedding.js";
import { loadObjectDetector } from "../tasks/object-detection.js";
import { loadTextRecognizer } from "../tasks/text-recognition.js";
import { wavePicture } from "../testing/classifier-case.js";
import { fineTuneImageClassifier } from "../training/fine-tune-image-classifier.js";
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
  fastestDet: {
    model_type: "fastest_det",
    stem_channels: 4,
    stage_channels: [8, 12, 16],
    stage_depths: [2, 2, 1],
    head_channels: 6,
  },
  detr: {
    model_type: "detr",
    backbone_config: {
      model_type: "resnet",
      layer_type: "basic",
      embedding_size: 4,
      hidden_sizes: [4, 8],
      depths: [1, 1],
    },
    num_queries: 3,
    d_model: 8,
    encoder_layers: 1,
    encoder_attention_heads: 2,
    encoder_ffn_dim: 8,
    decoder_layers: 1,
    decoder_attention_heads: 2,
    decoder_ffn_dim: 8,
  },
  pointDetector: {
    model_type: "point_detector",
    embedding_size: 4,
    hidden_sizes: [4, 8, 8],
    depths: [1, 1, 1],
    head_channels: 8,
    head_depth: 1,
  },
  lprnet: { model_type: "lprnet", width_factor: 0.25 },
};

const PREPROCESSING = { image_processor_type: "ViTImageProcessor", size: { height: 16, width: 16 } };
const LARGER = { ...PREPROCESSING, size: { height: 64, width: 64 } };

/** How each task is loaded and called, and how many answers it gives at least. */
const TASKS = {
  "image-classification": {
    load: loadImageClassifier,
    options: {},
    answers: 3,
    preprocessing: PREPROCESSING,
  },
  "object-detection": {
    load: loadObjectDetector,
    options: { threshold: 0.01 },
    answers: 1,
    preprocessing: LARGER,
  },
  "image-to-text": {
    load: loadTextRecognizer,
    options: {},
    preprocessing: { ...PREPROCESSING, size: { height: 24, width: 94 } },
    answers: 1,
  },
} as const;

beforeAll(() => useDevice("wasm"));

/** A small model of a row as the files of its folder. */
async function savedRow(name: keyof typeof models): Promise<Map<string, Uint8Array>> {
  const config = CONFIGS[name];
  const entry = models[name] as (typeof models)["vit"];
  const { preprocessing } = TASKS[entry.tasks[0] as keyof typeof TASKS];
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
    labels: ["cat", "dog", "bird"],
    // a ResNet's names lead back to Hugging Face's, the others' are theirs
    mapping: name === "resnet" ? created.mapping : [],
    files: { "preprocessor_config.json": preprocessing },
  });
  const files = await writeModelFolder(folder);
  model.dispose();
  return files;
}

describe("models", () => {
  for (const name of Object.keys(CONFIGS))
    it(`${name} is made by its row, saved, and loaded again to the same answers`, async () => {
      const entry = models[name as keyof typeof models];
      const { load, options, answers: expected } = TASKS[entry.tasks[0] as keyof typeof TASKS];
      const files = await savedRow(name as keyof typeof models);
      const answers: unknown[] = [];
      await expectNoLeak(async () => {
        const task = (await load(files, { device: "wasm" })) as Task<ImageClassification>;
        expect(task.info.architecture).toBe(name);
        expect(JSON.stringify(task.info)).toContain('["cat","dog"'); // labels, or symbols without the blank
        answers.push(await task(wavePicture(0), options));
        await task.dispose();
      });
      expect(Object.keys(answers[0] as object).length).toBeGreaterThanOrEqual(expected);
      expect(answers[1]).toEqual(answers[0]);
    });

  const embedding = Object.entries(models).filter(([, { tasks }]) =>
    (tasks as readonly string[]).includes("image-feature-extraction"),
  );
  it.each(embedding.map(([name]) => name as keyof typeof models))(
    "%s gives embeddings, is taught other classes, and keeps its checkpoint's names",
    async (name) => {
      const files = await savedRow(name);
      const embed = await loadImageEmbedder(files, { device: "wasm" });
      expect(await embed(wavePicture(0))).toHaveLength(embed.info.embeddingDim);
      await embed.dispose();
      const data = {
        length: 4,
        classes: ["plant", "stone"],
        get: (index: number) => ({ picture: wavePicture(index), label: index % 2 }),
      };
      const trained = await fineTuneImageClassifier(data, {
        from: files,
        epochs: 1,
        frozenEpochs: 0,
        batchSize: 4,
      });
      const again = await writeModelFolder(await trained.files());
      trained.dispose();
      const namesOf = async (from: Map<string, Uint8Array>) =>
        [...(await readSafetensors(from.get("model.safetensors")!)).names].sort();
      expect(await namesOf(again)).toEqual(await namesOf(files));
      const classify = await loadImageClassifier(again, { device: "wasm" });
      expect(classify.info).toMatchObject({ architecture: name, labels: data.classes });
      await classify.dispose();
    },
  );
});
