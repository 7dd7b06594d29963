/** Models and pictures of the `vision` workloads, written to a folder: weights as they ship or by the rule of inputs.mjs,
 * as safetensors for us and as ONNX with the same values for Transformers.js. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { saveSafetensors, useDevice } from "@ai/tensor";
import { models, writeJpeg } from "@ai/vision";
import { fastestDetGraph } from "./fastest-det-graph.mjs";
import { values } from "./inputs.mjs";
import { mobileNetGraph, resNet9Graph } from "./vision-graphs.mjs";
import { drawPicture } from "./vision-inputs.mjs";

const IMAGENET = { image_mean: [0.485, 0.456, 0.406], image_std: [0.229, 0.224, 0.225] };

/** Classifiers by the name of their folder: our `config.json`, theirs where it must differ, and the graph. */
const CLASSIFIERS = {
  "mobilenet-v2": {
    size: 224,
    classes: 1000,
    epsilon: 1e-3,
    entry: models.mobileNetV2,
    graph: mobileNetGraph,
    config: { model_type: "mobilenet_v2", tf_padding: false, layer_norm_eps: 1e-3 },
    preprocessing: {
      image_processor_type: "CLIPImageProcessor",
      size: { shortest_edge: 256 },
      crop_size: { height: 224, width: 224 },
      do_center_crop: true,
      ...IMAGENET,
    },
  },
  "cifar10-small": {
    size: 32,
    classes: 10,
    entry: models.resnet9,
    graph: resNet9Graph,
    // Transformers.js has no ResNet9: any classifier of convolutions takes the graph
    theirConfig: { model_type: "resnet" },
    shipped: true,
  },
};

/** Detectors, in the same way; Transformers.js has none of this kind, so ONNX Runtime runs the graph by itself. */
const DETECTORS = {
  "fastest-det": {
    size: 352,
    classes: 80,
    entry: models.fastestDet,
    graph: fastestDetGraph,
    config: { model_type: "fastest_det" },
    preprocessing: {
      image_processor_type: "MobileViTImageProcessor",
      size: { height: 352, width: 352 },
      do_center_crop: false,
    },
  },
};
const MODELS = { ...CLASSIFIERS, ...DETECTORS };

/** Values that keep activations near 1, so that classes differ. */
function fill(state) {
  let seed = 7000;
  return new Map(
    [...state].map(([name, entry]) => {
      if (!(entry.values instanceof Float32Array)) return [name, entry];
      const { shape } = entry;
      const drawn = values(entry.values.length, seed++);
      const fanIn = shape.slice(1).reduce((product, length) => product * length, 1);
      const change =
        shape.length > 1
          ? (value) => value * Math.sqrt(24 / fanIn)
          : name.endsWith("running_var") || name.endsWith(".weight")
            ? (value) => 1 + 0.2 * value
            : (value) => 0.2 * value;
      return [name, { ...entry, values: drawn.map(change) }];
    }),
  );
}

/** Where the models lie that come with `@ai/vision`. */
const SHIPPED = join(dirname(fileURLToPath(import.meta.resolve("@ai/vision/package.json"))), "pretrained");

/** `config.json`, `preprocessor_config.json` and weights of a model. */
async function partsOf(name) {
  const { entry, config, preprocessing, classes, shipped = false } = MODELS[name];
  const read = async (file) => JSON.parse(await readFile(join(SHIPPED, name, file), "utf8"));
  const labels = Array.from({ length: classes }, (_, index) => [index, `class ${index}`]);
  const ours = shipped ? await read("config.json") : { ...config, id2label: Object.fromEntries(labels) };
  const { model } = entry.create(await entry.load(), ours, new Map());
  if (shipped) await model.load(join(SHIPPED, name, "model.safetensors"));
  const state = await model.stateDict();
  model.dispose();
  return {
    ours,
    preprocessing: shipped ? await read("preprocessor_config.json") : preprocessing,
    state: shipped ? state : fill(state),
  };
}

async function writeModel(folder, name) {
  const { graph, theirConfig = {}, ...sizes } = MODELS[name];
  const { ours, preprocessing, state } = await partsOf(name);
  // what Transformers takes for granted and Transformers.js does not
  const granted = { do_resize: true, do_rescale: true, rescale_factor: 1 / 255, resample: 2 };
  const normalizes = preprocessing.image_mean !== undefined;
  const files = {
    "preprocessor_config.json": { ...granted, ...(normalizes && { do_normalize: true }), ...preprocessing },
  };
  for (const [side, content] of Object.entries({ ours, theirs: { ...ours, ...theirConfig } })) {
    const target = join(folder, side, name);
    await mkdir(join(target, "onnx"), { recursive: true });
    await writeFile(join(target, "config.json"), JSON.stringify(content));
    for (const [file, json] of Object.entries(files))
      await writeFile(join(target, file), JSON.stringify(json));
  }
  await saveSafetensors(join(folder, "ours", name, "model.safetensors"), state);
  await writeFile(join(folder, "theirs", name, "onnx", "model.onnx"), graph(state, sizes));
}

/** Sizes of the pictures, by the name of the file. */
const PICTURES = { tiny: [32, 32], photo: [640, 480], megapixel: [1216, 832] };

/**
 * Writes pictures and models; those of `names`, or all.
 * @returns the folder, and a function that removes it.
 */
export async function writeVisionFiles(names = [...Object.keys(PICTURES), ...Object.keys(MODELS)]) {
  await useDevice("cpu");
  const folder = await mkdtemp(join(tmpdir(), "ai-bench-vision-"));
  for (const [name, [width, height]] of Object.entries(PICTURES).filter(([name]) => names.includes(name)))
    await writeFile(
      join(folder, `${name}.jpg`),
      await writeJpeg(drawPicture(width, height), { quality: 90 }),
    );
  for (const name of Object.keys(MODELS).filter((name) => names.includes(name)))
    await writeModel(folder, name);
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}
