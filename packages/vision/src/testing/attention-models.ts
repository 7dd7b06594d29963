import { pretrainedFolder } from "@ai/layers/tasks";
import { useDevice, writeModelFolder } from "@ai/tensor";
import { readDetrConfig } from "../models/detr/detr.config.js";
import { Detr } from "../models/detr/detr.js";
import { readDeiTConfig, readViTConfig } from "../models/vit/vit.config.js";
import { DeiT, ViT } from "../models/vit/vit.js";

const id2label = { 0: "cat", 1: "dog", 2: "bird" };
const TRANSFORMER = {
  hidden_size: 12,
  num_hidden_layers: 3,
  num_attention_heads: 2,
  intermediate_size: 16,
  image_size: 24,
  patch_size: 8,
  id2label,
};
const DETR = {
  model_type: "detr",
  backbone_config: {
    model_type: "resnet",
    layer_type: "basic",
    embedding_size: 4,
    hidden_sizes: [4, 8, 8],
    depths: [1, 1, 1],
  },
  num_queries: 4,
  d_model: 8,
  encoder_layers: 2,
  encoder_attention_heads: 2,
  encoder_ffn_dim: 8,
  decoder_layers: 2,
  decoder_attention_heads: 2,
  decoder_ffn_dim: 8,
  id2label,
};

const square = { image_processor_type: "ViTImageProcessor", size: { height: 24, width: 24 } };

/** What {@link attentionFiles} makes. */
const MODELS = {
  vit: {
    config: { model_type: "vit", ...TRANSFORMER },
    make: (config: Readonly<Record<string, unknown>>) => new ViT(readViTConfig(config)),
    preprocessing: square,
  },
  deit: {
    config: { model_type: "deit", architectures: ["DeiTForImageClassificationWithTeacher"], ...TRANSFORMER },
    make: (config: Readonly<Record<string, unknown>>) => new DeiT(readDeiTConfig(config)),
    preprocessing: square,
  },
  detr: {
    config: DETR,
    make: (config: Readonly<Record<string, unknown>>) => new Detr(readDetrConfig(config)),
    preprocessing: {
      image_processor_type: "DetrImageProcessor",
      size: { shortest_edge: 32, longest_edge: 64 },
    },
  },
};

/**
 * A small Transformer, which nobody trained, as the files of its folder.
 * @param looks `"anywhere"` makes queries and keys 0, so that attention is the same everywhere. Default as drawn.
 */
export async function attentionFiles(
  name: keyof typeof MODELS,
  looks: "as drawn" | "anywhere" = "as drawn",
): Promise<Map<string, Uint8Array>> {
  await useDevice("cpu");
  const { config, make, preprocessing } = MODELS[name];
  const model = make(config).initialize({ seed: 2 });
  if (looks === "anywhere") {
    const state = await model.stateDict();
    for (const [path, { values }] of state)
      if (/\.(?:query|key|q_proj|k_proj)\./.test(path)) (values as Float32Array).fill(0);
    model.loadStateDict(state);
  }
  const files = await writeModelFolder(
    await pretrainedFolder({ model, config, files: { "preprocessor_config.json": preprocessing } }),
  );
  model.dispose();
  return files;
}
