import { halfPrecision } from "@ai/layers";
import type { EpochRecord } from "@ai/layers/training";
import { type ModelFolder, saveModelFolder } from "@ai/tensor";
import { type CocoMetrics, cocoMetrics, type EvaluatedPicture } from "../metrics/coco-metrics.js";
import type { PointDetector } from "../models/point-detector/point-detector.js";
import type { DetectedBox } from "../postprocess/boxes.js";
import { assertIntegers, assertNumbers, assertOptionNames } from "../preprocess/checks.js";
import { type ImagePreprocessor, imagePreprocessor } from "../preprocess/image-preprocessor.js";
import type { Picture } from "../preprocess/picture.js";
import { findBoxes } from "../tasks/find-boxes.js";
import type { PictureSet } from "./picture-set.js";

/** Options of {@link TrainedObjectDetector.detect}. */
export interface DetectTrainedOptions {
  /** Leaves out objects with a lower score. Default 0.05. */
  readonly threshold?: number;
  /** Boxes of a class that overlap a better one by more are dropped. Default 0.6. */
  readonly iouThreshold?: number;
  /** How many objects at most, the best ones. Default 300. */
  readonly maxDetections?: number;
}

/** Options of {@link TrainedObjectDetector.save}. */
export interface SaveDetectorOptions {
  /** Half the bytes: weights of 16 bits, computed with 32. Default false. */
  readonly float16?: boolean;
  /** `README.md`. */
  readonly card?: ModelFolder["card"];
  readonly signal?: AbortSignal;
}

/** What training gave: a detector, and what is needed to use it. */
export class TrainedObjectDetector {
  readonly model: PointDetector;
  /** Content of `config.json`, labels included. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Content of `preprocessor_config.json`. */
  readonly preprocessing: Readonly<Record<string, unknown>>;
  /** How each epoch went. */
  readonly epochs: readonly EpochRecord[];
  readonly #preprocess: ImagePreprocessor;

  /** @internal */
  constructor(parts: {
    readonly model: PointDetector;
    readonly config: Readonly<Record<string, unknown>>;
    readonly preprocessing: Readonly<Record<string, unknown>>;
    readonly epochs: readonly EpochRecord[];
  }) {
    const { model, config, preprocessing, epochs } = parts;
    this.model = model;
    this.config = config;
    this.preprocessing = preprocessing;
    this.#preprocess = imagePreprocessor(preprocessing);
    this.epochs = epochs;
  }

  /**
   * Objects of one picture, best first, in its pixels.
   * @throws InputError for an option that makes no sense, or weights that give no numbers.
   */
  async detect(picture: Picture, options: DetectTrainedOptions = {}): Promise<DetectedBox[]> {
    const operation = "TrainedObjectDetector.detect";
    assertOptionNames(operation, options, ["threshold", "iouThreshold", "maxDetections"]);
    const { threshold = 0.05, iouThreshold = 0.6, maxDetections = 300 } = options;
    assertNumbers(operation, { threshold, iouThreshold }, 0, 1);
    assertIntegers(operation, { maxDetections });
    this.model.eval();
    const detector = { model: this.model, architecture: "pointDetector", preprocess: this.#preprocess };
    const [found] = await findBoxes(detector, [picture], {
      operation,
      threshold,
      iouThreshold,
      maxDetections,
      suppression: "hard",
      sigma: 0.5,
      acrossClasses: false,
    });
    return found.map(({ box, label, score }) => ({ box, label, score }));
  }

  /** COCO's numbers over pictures whose objects are known. @throws the reason of `signal` once aborted. */
  async evaluate(
    data: PictureSet,
    { signal, ...options }: DetectTrainedOptions & { readonly signal?: AbortSignal } = {},
  ): Promise<CocoMetrics> {
    const pictures: EvaluatedPicture[] = [];
    for (let index = 0; index < data.length; index++) {
      signal?.throwIfAborted();
      const { picture, boxes: objects = [] } = await data.get(index);
      pictures.push({
        objects,
        detections: await this.detect(picture, { threshold: 0.02, ...options }),
      });
    }
    return cocoMetrics(pictures);
  }

  /**
   * Saves a folder that `loadObjectDetector` opens: `config.json`, `model.safetensors`, `preprocessor_config.json`.
   * @throws InputError in a browser, where `files` gives the content instead; WeightsError when the disk refuses; the
   * signal's reason.
   */
  async save(folder: string, options: SaveDetectorOptions = {}): Promise<void> {
    assertOptionNames("TrainedObjectDetector.save", options, ["float16?", "card", "signal"]);
    const { float16 = false, card, signal } = options;
    const files = await this.files({ float16, ...(card === undefined ? {} : { card }) });
    await saveModelFolder(folder, files, signal === undefined ? {} : { signal });
  }

  /** What `save` writes, for `writeModelFolder` in a page. */
  async files(options: Omit<SaveDetectorOptions, "signal"> = {}): Promise<ModelFolder> {
    assertOptionNames("TrainedObjectDetector.files", options, ["float16?", "card"]);
    const { float16 = false, card } = options;
    const state = await this.model.stateDict();
    return {
      config: this.config,
      tensors: float16 ? halfPrecision(state) : state,
      files: { "preprocessor_config.json": `${JSON.stringify(this.preprocessing, undefined, 2)}\n` },
      ...(card === undefined ? {} : { card }),
    };
  }

  /** Frees the model. */
  dispose(): void {
    this.model.dispose();
  }
}
