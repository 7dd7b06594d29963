import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as ai from "@ai/tensor";
import { imagePreprocessor, loadImageClassifier, models, readImage, resizeImage } from "@ai/vision";
import { digest } from "../workloads/inputs.mjs";
import { digestClasses, drawPicture, visionInput } from "../workloads/vision-inputs.mjs";

const readJson = async (path) => JSON.parse(await readFile(path, "utf8"));

/** Bytes of a JPEG in, labels out, as a user calls it. */
async function prepareClassify({ folder, model, picture }) {
  const bytes = await readFile(join(folder, `${picture}.jpg`));
  const { device } = ai.describeDevice();
  const classify = await loadImageClassifier(join(folder, "ours", model), { device });
  return {
    async run(wanted) {
      const classes = await classify(bytes);
      return wanted ? digestClasses(classes) : undefined;
    },
    dispose: () => classify.dispose(),
  };
}

async function prepareDecode({ folder, picture }) {
  const bytes = await readFile(join(folder, `${picture}.jpg`));
  return {
    async run(wanted) {
      const { data } = await readImage(bytes);
      return wanted ? digest(data) : undefined;
    },
  };
}

function prepareResize({ width, height, to }) {
  const photo = drawPicture(width, height);
  return {
    run(wanted) {
      const { data } = resizeImage(photo, { ...to, resample: "lanczos" });
      return wanted ? digest(data) : undefined;
    },
  };
}

async function preprocessorOf({ folder, model, picture }) {
  const preprocess = imagePreprocessor(
    await readJson(join(folder, "ours", model, "preprocessor_config.json")),
  );
  return { preprocess, photo: await readImage(join(folder, `${picture}.jpg`)) };
}

async function preparePreprocess(workload, finish) {
  const { preprocess, photo } = await preprocessorOf(workload);
  return { run: (wanted) => finish(preprocess(photo).pixelValues, wanted) };
}

/** The model by itself, on pixels that are there. */
async function prepareForward(workload, finish) {
  const { folder, model: name, size } = workload;
  const config = await readJson(join(folder, "ours", name, "config.json"));
  const entry = Object.values(models).find(({ modelTypes }) => modelTypes.includes(config.model_type));
  const { model } = entry.create(await entry.load(), config, new Map());
  await model.load(join(folder, "ours", name, "model.safetensors"));
  model.eval();
  const x = ai.fromValues(visionInput(size), [1, size, size, 3], "float32");
  return {
    run: (wanted) => finish(model.call(x), wanted),
    dispose() {
      model.dispose();
      x.dispose();
    },
  };
}

export const VISION_KINDS = {
  classify: prepareClassify,
  "decode-picture": prepareDecode,
  "resize-picture": prepareResize,
  "preprocess-picture": preparePreprocess,
  "forward-picture": prepareForward,
};
