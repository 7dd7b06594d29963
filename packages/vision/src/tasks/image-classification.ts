import { Linear } from "@ai/layers";
import {
  choiceOption,
  defineTask,
  integerOption,
  labelsOf,
  loadTask,
  numberOption,
  type Task,
  type TaskLoadOptions,
  type TaskTypes,
} from "@ai/layers/tasks";
import { InputError, type ModelSource, read, sigmoid, softmax, type Tensor, tidy } from "@ai/tensor";
import type { ImageModel } from "../models/image-model.js";
import { type ImageClass, rankClasses } from "../postprocess/rank-classes.js";
import type { Picture } from "../preprocess/picture.js";
import type { PreprocessSteps } from "../preprocess/preprocessor-config.js";
import { type ImageSource, readImage } from "../preprocess/read-image.js";
import { classIndex, explainImage, type ImageExplanation } from "./explain-image.js";
import { assertFinite } from "./finite-output.js";
import { checkImageInput, imageToSendable } from "./image-input.js";
import { LABELED_MODEL_OPTIONS, type LoadLabeledModelOptions, loadLabeledModel } from "./labeled-model.js";
import { oneSizeBatches } from "./one-size-batches.js";
import { EXPLAIN_IMAGE_OPTIONS, type ExplainImageOptions } from "./picture-relevance.js";
import { visionWorker } from "./vision-worker.js";

/** Options of a call of an image classifier. */
export interface ClassifyImageOptions {
  /** How many classes at most, the best first. Default 5. */
  readonly topK?: number;
  /** Leaves out classes with a lower score. Default 0, and none with `activation: "none"`. */
  readonly threshold?: number | null;
  /**
   * What makes scores of the model's numbers: `softmax` (they sum to 1), `sigmoid` (each for itself, for pictures with
   * several labels) or `none`. Default `sigmoid` where the model's `problem_type` is `multi_label_classification`.
   */
  readonly activation?: "softmax" | "sigmoid" | "none" | null;
}

/** Options of {@link loadImageClassifier} beside those of every task. */
export type LoadImageClassifierOptions = LoadLabeledModelOptions;

/** What is known of a loaded image classifier. */
export interface ImageClassifierInfo {
  /** The architecture's name in the registry. */
  readonly architecture: string;
  readonly labels: readonly string[];
  /** What is done to a picture before the model sees it. */
  readonly preprocessing: PreprocessSteps;
}

/** What an image classifier takes and gives. */
export interface ImageClassification extends TaskTypes {
  readonly input: ImageSource;
  readonly prepared: Picture;
  readonly result: ImageClass[];
  readonly options: ClassifyImageOptions;
  readonly loadOptions: LoadImageClassifierOptions;
  readonly info: ImageClassifierInfo;
  /** A label, or its place among the labels. */
  readonly target: string | number;
  readonly explainOptions: ExplainImageOptions;
  readonly explanation: ImageExplanation;
}

type Activation = "softmax" | "sigmoid" | "none";

/** What makes scores of the model's numbers, `[batch, classes]`. */
const ACTIVATIONS: Readonly<Record<Activation, (raw: Tensor) => Tensor>> = {
  softmax: (raw) => softmax(raw),
  sigmoid: (raw) => sigmoid(raw),
  none: (raw) => raw,
};

/** How many numbers the model gives for a picture. */
function numClassesOf(model: ImageModel): number {
  const { classifiers } = model.parts;
  const outputs = model
    .namedModules()
    .filter(([path]) => classifiers.some((name) => path === name || path.startsWith(`${name}.`)))
    .flatMap(([, module]) => (module instanceof Linear ? [module.outFeatures] : []));
  if (outputs.length === 0)
    throw new InputError(
      `loadImageClassifier: expected a model with a classifier, got none at ${classifiers.join(" and ")}`,
    );
  return outputs.at(-1)!;
}

/** Image classification, for {@link loadImageClassifier} and the worker. */
export const imageClassification = /* @__PURE__ */ defineTask<ImageClassification>(() => ({
  task: "image-classification",
  loader: "loadImageClassifier",
  verb: "classify",
  loadOptions: LABELED_MODEL_OPTIONS,
  options: {
    topK: integerOption({ default: 5, minimum: 1 }),
    threshold: numberOption({ default: null }),
    activation: choiceOption(["softmax", "sigmoid", "none"], null),
  },
  explainOptions: EXPLAIN_IMAGE_OPTIONS,
  checkInput: checkImageInput,
  toSendable: imageToSendable,
  worker: visionWorker,
  async start(source, options, context) {
    const { model, architecture, config, preprocess } = await loadLabeledModel<ImageModel>(
      "image-classification",
      { model: source, options },
      context,
    );
    try {
      const { steps } = preprocess;
      const labels = labelsOf(context.operation, config, {
        count: numClassesOf(model),
        labels: options.labels,
      });
      const usual = config.problem_type === "multi_label_classification" ? "sigmoid" : "softmax";
      const scoresOf = async (
        pictures: readonly Picture[],
        { activation, operation }: { readonly activation: Activation; readonly operation: string },
      ): Promise<ArrayLike<number>> => {
        const scores = tidy(() => ACTIVATIONS[activation](model.call(preprocess(pictures).pixelValues))); // [batch, classes]
        try {
          const values = (await read(scores)) as Float32Array;
          assertFinite(operation, values, { what: "scores", architecture });
          return values;
        } finally {
          scores.dispose();
        }
      };
      return {
        info: { architecture, labels, preprocessing: steps },
        prepare: (input, _options, { signal }) => readImage(input, { signal }),
        async run(pictures, { topK, threshold, activation }, { operation, signal }) {
          const chosen = activation ?? usual;
          const rank = {
            topK,
            threshold: threshold ?? (chosen === "none" ? Number.NEGATIVE_INFINITY : 0),
          };
          const results: ImageClass[][] = [];
          for (const batch of oneSizeBatches(pictures, steps)) {
            signal.throwIfAborted();
            const scores = Array.from(await scoresOf(batch, { activation: chosen, operation })); // [batch, classes]
            for (let start = 0; start < scores.length; start += labels.length)
              results.push(rankClasses(scores.slice(start, start + labels.length), labels, rank));
          }
          return results;
        },
        async explain(input, target, options, work) {
          const index = classIndex(work.operation, target, labels);
          const picture = await readImage(input, { signal: work.signal });
          const explained = { model, architecture, preprocess, labels, activate: ACTIVATIONS[usual] };
          return explainImage(explained, { picture, index }, options, work);
        },
        dispose: () => model.dispose(),
      };
    } catch (error) {
      model.dispose();
      throw error;
    }
  },
}));

/**
 * Loads a classifier of pictures.
 * @param model A Hugging Face repository id, a URL, a folder, a file of weights, chosen files, or the name of one of our
 * own models.
 * @returns a function of one picture or several (a path, URL, `Blob`, bytes, pixels, or what a page can draw), which gives
 * the best classes of each as plain JSON; with `stream`, `explain` and `dispose`.
 * @throws InputError for a model or option that there is not, WeightsError, DownloadError, DeviceError, the signal's reason.
 * @example
 * const classify = await loadImageClassifier("microsoft/resnet-18", { onProgress: console.log });
 * const [best] = await classify("photo.jpg", { topK: 1 });
 * console.log(best.label, best.score);
 * await classify.dispose();
 */
export function loadImageClassifier(
  model: ModelSource,
  options: TaskLoadOptions & LoadImageClassifierOptions = {},
): Promise<Task<ImageClassification>> {
  return loadTask(imageClassification, model, options);
}
