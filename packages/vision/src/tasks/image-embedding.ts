import {
  booleanOption,
  defineTask,
  loadTask,
  type Task,
  type TaskLoadOptions,
  type TaskTypes,
} from "@ai/layers/tasks";
import type { ModelSource } from "@ai/tensor";
import type { Picture } from "../preprocess/picture.js";
import { type ImageSource, readImage } from "../preprocess/read-image.js";
import {
  EMBEDDING_MODEL_OPTIONS,
  type EmbeddingModelInfo,
  type LoadEmbeddingModelOptions,
  loadEmbeddingModel,
} from "./embedding-model.js";
import { checkImageInput, imageToSendable } from "./image-input.js";
import { visionWorker } from "./vision-worker.js";

/** Options of a call of an image embedder. */
export interface EmbedImageOptions {
  /** Whether vectors have length 1, so that the product of two is the cosine of their angle. Default true. */
  readonly normalize?: boolean;
}

/** Options of {@link loadImageEmbedder} beside those of every task. */
export type LoadImageEmbedderOptions = LoadEmbeddingModelOptions;

/** What is known of a loaded image embedder. */
export type ImageEmbedderInfo = EmbeddingModelInfo;

/** What an image embedder takes and gives. */
export interface ImageEmbedding extends TaskTypes {
  readonly input: ImageSource;
  readonly prepared: Picture;
  /** `info.embeddingDim` numbers. */
  readonly result: number[];
  readonly options: EmbedImageOptions;
  readonly loadOptions: LoadImageEmbedderOptions;
  readonly info: ImageEmbedderInfo;
}

/** `vector` with length 1; one of zeros stays as it is. */
export function normalized(vector: ArrayLike<number>): number[] {
  let sum = 0;
  for (let at = 0; at < vector.length; at++) sum += vector[at] * vector[at];
  const factor = sum > 0 ? 1 / Math.sqrt(sum) : 1;
  return Array.from(vector, (value) => value * factor);
}

/** Image embedding, for {@link loadImageEmbedder} and the worker. */
export const imageEmbedding = /* @__PURE__ */ defineTask<ImageEmbedding>(() => ({
  task: "image-feature-extraction",
  loader: "loadImageEmbedder",
  verb: "embed",
  loadOptions: EMBEDDING_MODEL_OPTIONS,
  options: { normalize: booleanOption(true) },
  explainOptions: {},
  checkInput: checkImageInput,
  toSendable: imageToSendable,
  worker: visionWorker,
  async start(source, options, context) {
    const model = await loadEmbeddingModel(source, options, context);
    return {
      info: model.info,
      prepare: (input, _options, { signal }) => readImage(input, { signal }),
      async run(pictures, { normalize }, work) {
        const embeddings = await model.embed(pictures, work);
        return embeddings.map((vector) => (normalize ? normalized(vector) : Array.from(vector)));
      },
      dispose: () => model.dispose(),
    };
  },
}));

/**
 * Loads a model that turns pictures into vectors: similar pictures have similar ones. It gives what a classifier of
 * pictures computes before its last layer, so every model of {@link loadImageClassifier} serves.
 * @param model A Hugging Face repository id, a URL, a folder, a file of weights, chosen files, or the name of one of our
 * own models.
 * @returns a function of one picture or several, which gives for each a vector of length 1 as an array of numbers: what
 * {@link SimilarityIndex} keeps and finds.
 * @throws InputError for a model or option that there is not, WeightsError, DownloadError, DeviceError, the signal's reason.
 * @example
 * const embed = await loadImageEmbedder("microsoft/resnet-18");
 * const index = new SimilarityIndex<string>({ dim: embed.info.embeddingDim });
 * const paths = ["cat.jpg", "dog.jpg", "mug.jpg"];
 * (await embed(paths)).forEach((vector, at) => index.add(vector, paths[at]));
 * const [nearest] = index.search(await embed("photo.jpg"), { topK: 1 });
 * await embed.dispose();
 */
export function loadImageEmbedder(
  model: ModelSource,
  options: TaskLoadOptions & LoadImageEmbedderOptions = {},
): Promise<Task<ImageEmbedding>> {
  return loadTask(imageEmbedding, model, options);
}
