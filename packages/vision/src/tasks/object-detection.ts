import {
  booleanOption,
  choiceOption,
  defineTask,
  integerOption,
  labelsOf,
  listOption,
  loadTask,
  numberOption,
  type Task,
  type TaskLoadOptions,
  type TaskTypes,
  textOption,
} from "@ai/layers/tasks";
import { InputError, type ModelSource } from "@ai/tensor";
import type { DetectionModel } from "../models/detection-model.js";
import type { SelectBoxesOptions } from "../postprocess/select-boxes.js";
import type { Picture } from "../preprocess/picture.js";
import type { Box } from "../preprocess/picture-transform.js";
import type { PreprocessSteps } from "../preprocess/preprocessor-config.js";
import { type ImageSource, readImage } from "../preprocess/read-image.js";
import { readerOf } from "./detection-readers.js";
import { type DetectionExplanation, type DetectionTarget, explainDetection } from "./explain-detection.js";
import { findBoxes } from "./find-boxes.js";
import { checkImageInput, imageToSendable } from "./image-input.js";
import { LABELED_MODEL_OPTIONS, type LoadLabeledModelOptions, loadLabeledModel } from "./labeled-model.js";
import { EXPLAIN_IMAGE_OPTIONS, type ExplainImageOptions } from "./picture-relevance.js";
import { visionWorker } from "./vision-worker.js";

/** An object in a picture: plain JSON. */
export interface Detection {
  readonly label: string;
  /** The label's place in the model's labels. */
  readonly index: number;
  /** In (0, 1]. */
  readonly score: number;
  /** Edges in pixels of the original picture, whose top left corner is (0, 0); never outside of it. */
  readonly box: Box;
}

/** Options of a call of an object detector. */
export interface DetectObjectsOptions {
  /** Leaves out objects with a lower score. Default what is usual for the model: 0.25 (FastestDet), 0.5 (DETR), 0.3 (PointDetector). */
  readonly threshold?: number | null;
  /**
   * What happens to a box that overlaps a better one: it is dropped (`hard`), loses score (`linear`, `gaussian`: Soft-NMS),
   * or stays (`none`). Default `hard`; `none` for DETR, which gives each object one box.
   */
  readonly suppression?: "hard" | "linear" | "gaussian" | "none" | null;
  /** Of `hard` and `linear`: intersection over union above which boxes overlap. Default the model's: 0.45 (FastestDet), 0.6 (PointDetector), else 0.5. */
  readonly iouThreshold?: number | null;
  /** Of `gaussian`: how fast the score falls with less overlap. Default 0.5. */
  readonly sigma?: number | null;
  /** Whether boxes of different classes suppress each other, too. Default false. */
  readonly acrossClasses?: boolean | null;
  /** How many objects at most, the best ones. Default 100. */
  readonly maxDetections?: number;
  /** Only objects of these labels. Default all. */
  readonly classes?: readonly string[] | null;
}

/** Options of {@link loadObjectDetector} beside those of every task. */
export type LoadObjectDetectorOptions = LoadLabeledModelOptions;

/** What is known of a loaded object detector. */
export interface ObjectDetectorInfo {
  /** The architecture's name in the registry. */
  readonly architecture: string;
  readonly labels: readonly string[];
  /** What is done to a picture before the model sees it. */
  readonly preprocessing: PreprocessSteps;
  /** What a call does where its options do not say. */
  readonly usual: Required<Pick<DetectObjectsOptions, "threshold" | "suppression" | "iouThreshold">>;
}

/** What an object detector takes and gives. */
export interface ObjectDetection extends TaskTypes {
  readonly input: ImageSource;
  readonly prepared: Picture;
  readonly result: Detection[];
  readonly options: DetectObjectsOptions;
  readonly loadOptions: LoadObjectDetectorOptions;
  readonly info: ObjectDetectorInfo;
  readonly target: DetectionTarget;
  readonly explainOptions: ExplainImageOptions;
  readonly explanation: DetectionExplanation;
}

type Given = Required<DetectObjectsOptions>;

/** A call without options. */
const UNSAID: Given = {
  threshold: null,
  suppression: null,
  iouThreshold: null,
  sigma: null,
  acrossClasses: null,
  maxDetections: 100,
  classes: null,
};

/** @throws InputError for options that this suppression has not. */
function assertSuppression(operation: string, suppression: string, given: Given): void {
  const has: Readonly<Record<string, readonly string[]>> = {
    iouThreshold: ["hard", "linear"],
    sigma: ["gaussian"],
    acrossClasses: ["hard", "linear", "gaussian"],
  };
  for (const [name, kinds] of Object.entries(has))
    if (given[name as keyof Given] !== null && !kinds.includes(suppression))
      throw new InputError(
        `${operation}: expected ${name} with suppression ${kinds.join(" or ")}, got it with ${suppression}; leave it out or choose another suppression`,
      );
}

/** What a call does, of its options and what is usual for the model. @throws InputError for what does not go together. */
function selectionOf(
  operation: string,
  given: Given,
  { usual, labels }: Pick<ObjectDetectorInfo, "usual" | "labels">,
): SelectBoxesOptions {
  const suppression = given.suppression ?? usual.suppression ?? "none";
  assertSuppression(operation, suppression, given);
  const unknown = given.classes?.find((name) => !labels.includes(name));
  if (unknown !== undefined)
    throw new InputError(
      `${operation}: expected classes of ${labels.slice(0, 10).join(", ")}${labels.length > 10 ? " …" : ""}, got ${unknown}; info.labels has all`,
    );
  return {
    threshold: given.threshold ?? usual.threshold ?? 0,
    suppression,
    iouThreshold: given.iouThreshold ?? usual.iouThreshold ?? 0.5,
    sigma: given.sigma ?? 0.5,
    acrossClasses: given.acrossClasses ?? false,
    maxDetections: given.maxDetections,
    ...(given.classes === null
      ? {}
      : { labels: new Set(labels.flatMap((name, index) => (given.classes?.includes(name) ? [index] : []))) }),
  };
}

/** Object detection, for {@link loadObjectDetector} and the worker. */
export const objectDetection = /* @__PURE__ */ defineTask<ObjectDetection>(() => ({
  task: "object-detection",
  loader: "loadObjectDetector",
  verb: "detect",
  loadOptions: LABELED_MODEL_OPTIONS,
  options: {
    threshold: numberOption({ default: null, minimum: 0, maximum: 1 }),
    suppression: choiceOption(["hard", "linear", "gaussian", "none"], null),
    iouThreshold: numberOption({ default: null, minimum: 0, maximum: 1 }),
    sigma: numberOption({ default: null, minimum: 1e-6 }),
    acrossClasses: { default: null, parse: booleanOption(false).parse },
    maxDetections: integerOption({ default: UNSAID.maxDetections, minimum: 1 }),
    classes: listOption(textOption("")),
  },
  explainOptions: EXPLAIN_IMAGE_OPTIONS,
  checkInput: checkImageInput,
  toSendable: imageToSendable,
  worker: visionWorker,
  async start(source, options, context) {
    const { model, architecture, config, preprocess } = await loadLabeledModel<DetectionModel>(
      "object-detection",
      { model: source, options },
      context,
    );
    try {
      const labels = labelsOf(context.operation, config, { count: model.numClasses, labels: options.labels });
      const { usual } = readerOf(model);
      const info = { architecture, labels, preprocessing: preprocess.steps, usual };
      return {
        info,
        async prepare(input, options, { operation, signal }) {
          selectionOf(operation, options, info); // before anything is decoded
          return readImage(input, { signal });
        },
        async run(pictures, options, { operation, signal }) {
          const selection = selectionOf(operation, options, info);
          const detector = { model, architecture, preprocess };
          const found = await findBoxes(detector, pictures, { ...selection, operation, signal });
          return found.map((boxes) =>
            boxes.map(({ label, score, box }) => ({ label: labels[label], index: label, score, box })),
          );
        },
        async explain(input, target, options, work) {
          const picture = await readImage(input, { signal: work.signal });
          const explained = {
            model,
            architecture,
            preprocess,
            labels,
            usual: selectionOf(work.operation, UNSAID, info),
          };
          return explainDetection(explained, { picture, target }, options, work);
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
 * Loads a detector of objects: FastestDet, DETR, or one that `trainObjectDetector` trained.
 * @param model A Hugging Face repository id, a URL, a folder, a file of weights, chosen files, or the name of one of our
 * own models.
 * @returns a function of one picture or several (a path, URL, `Blob`, bytes, pixels, or what a page can draw), which gives
 * the objects in each as plain JSON, best first, boxes in pixels of the original picture; with `stream`, `explain` and `dispose`.
 * @throws InputError for a model or option that there is not, WeightsError, DownloadError, DeviceError, the signal's reason.
 * @example
 * const detect = await loadObjectDetector("facebook/detr-resnet-50", { onProgress: console.log });
 * for (const { label, score, box } of await detect("photo.jpg", { classes: ["cat"] })) console.log(label, score, box);
 * await detect.dispose();
 */
export function loadObjectDetector(
  model: ModelSource,
  options: TaskLoadOptions & LoadObjectDetectorOptions = {},
): Promise<Task<ObjectDetection>> {
  return loadTask(objectDetection, model, options);
}
