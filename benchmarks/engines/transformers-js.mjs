import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import * as ort from "onnxruntime-web";
import { digest } from "../workloads/inputs.mjs";
import { digestClasses, drawPicture, visionInput } from "../workloads/vision-inputs.mjs";
import { channelsFirst } from "./onnxruntime.mjs";

let transformers;

/** Transformers.js on ONNX Runtime Web, as in a browser: in Node it would take the native one. */
export async function startTransformers(runtime) {
  if (runtime !== undefined) globalThis[Symbol.for("onnxruntime")] = runtime;
  transformers = await import("@huggingface/transformers");
  const { env } = transformers;
  env.allowRemoteModels = false;
  env.useWasmCache = false; // it would ask a server for the runtime that is installed here
  return env.version;
}

export async function start() {
  const version = await startTransformers(ort);
  ort.env.wasm.wasmPaths = undefined;
  ort.env.wasm.numThreads = availableParallelism();
  return { description: `Transformers.js ${version} on WebAssembly, ${ort.env.wasm.numThreads} threads` };
}

/** `auto`: whatever the runtime that was given has. */
const load = (loader, folder, model) => {
  transformers.env.localModelPath = join(folder, "theirs");
  return loader(model, { device: "auto", dtype: "fp32" });
};

const pictureFile = async ({ folder, picture }) => new Blob([await readFile(join(folder, `${picture}.jpg`))]);

async function prepareClassify(workload) {
  const { pipeline, RawImage } = transformers;
  const file = await pictureFile(workload);
  const task = (model, options) => pipeline("image-classification", model, options);
  const classify = await load(task, workload.folder, workload.model);
  return {
    async run(wanted) {
      const classes = await classify(await RawImage.fromBlob(file), { top_k: 5 });
      return wanted ? digestClasses(classes) : undefined;
    },
    dispose: () => classify.dispose(),
  };
}

async function prepareDecode(workload) {
  const file = await pictureFile(workload);
  return {
    async run(wanted) {
      const { data } = await transformers.RawImage.fromBlob(file);
      return wanted ? digest(data) : undefined;
    },
  };
}

function prepareResize({ width, height, to }) {
  const photo = new transformers.RawImage(drawPicture(width, height).data, width, height, 3);
  return {
    async run(wanted) {
      const { data } = await photo.resize(to.width, to.height, { resample: "lanczos" });
      return wanted ? digest(data) : undefined;
    },
  };
}

async function preparePreprocess(workload) {
  const { AutoProcessor, RawImage } = transformers;
  const photo = await RawImage.fromBlob(await pictureFile(workload));
  const preprocess = await load(
    (...request) => AutoProcessor.from_pretrained(...request),
    workload.folder,
    workload.model,
  );
  return {
    async run(wanted) {
      const { pixel_values: pixels } = await preprocess(photo);
      const { size } = workload;
      return wanted ? digest(channelsFirst(pixels.data, 1, 3, size * size)) : undefined;
    },
  };
}

async function prepareForward({ folder, model: name, size }) {
  const { AutoModelForImageClassification, Tensor } = transformers;
  const model = await load(
    (...request) => AutoModelForImageClassification.from_pretrained(...request),
    folder,
    name,
  );
  const pixels = channelsFirst(visionInput(size), 1, size * size, 3);
  const x = new Tensor("float32", pixels, [1, 3, size, size]);
  return {
    async run(wanted) {
      const { logits } = await model({ pixel_values: x });
      return wanted ? digest(logits.data) : undefined;
    },
    dispose: () => model.dispose(),
  };
}

const KINDS = {
  classify: prepareClassify,
  "decode-picture": prepareDecode,
  "resize-picture": prepareResize,
  "preprocess-picture": preparePreprocess,
  "forward-picture": prepareForward,
};

export const whyNot = ({ kind }) => (kind in KINDS ? undefined : `its engine here has no ${kind}`);

export const prepare = async (workload) => KINDS[workload.kind](workload);
