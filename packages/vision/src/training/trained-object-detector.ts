import type { EpochRecord } from "@ai/layers/training";
import { type ModelFolder, saveModelFolder } from "@ai/tensor";
import { type CocoMetrics, cocoMetrics, type EvaluatedPicture } from "../metrics/coco-metrics.js";
import type { PointDetector } from "../models/point-detector/point-detector.js";
import type { DetectedBox } from "../postprocess/boxes.js";
import type { DecodePointsOptions } from "../postprocess/decode-points.js";
import { assertOptionNames } from "../preprocess/checks.js";
import { type ImagePreprocessor, imagePreprocessor } from "../preprocess/image-preprocessor.js";
import type { Picture } from "../preprocess/picture.js";
import { findBoxes } from "../tasks/find-boxes.js";
import type { PictureSet } from "./picture-set.js";

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

  /** Objects of one picture, best first, in its pixels. */
  async detect(picture: Picture, options: DecodePointsOptions = {}): Promise<DetectedBox[]> {
    assertOptionNames("TrainedObjectDetector.detect", options, [
      "scoreThreshold",
      "iouThreshold",
      "maxDetections",
    ]);
    const { scoreThreshold = 0.05, iouThreshold = 0.6, maxDetections = 300 } = options;
    this.model.eval();
    const detector = { model: this.model, architecture: "pointDetector", preprocess: this.#preprocess };
    const [found] = await findBoxes(detector, [picture], {
      operation: "TrainedObjectDetector.detect",
      threshold: scoreThreshold,
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
    { signal, ...options }: DecodePointsOptions & { readonly signal?: AbortSignal } = {},
  ): Promise<CocoMetrics> {
    const pictures: EvaluatedPicture[] = [];
    for (let index = 0; index < data.length; index++) {
      signal?.throwIfAborted();
      const { picture, boxes: objects = [] } = await data.get(index);
      pictures.push({
        objects,
        detections: await this.detect(picture, { scoreThreshold: 0.02, ...options }),
      });
    }
    return cocoMetrics(pictures);
  }

  /** Saves `config.json`, `model.safetensors` and `preprocessor_config.json` (Node). */
  async save(
    folder: string,
    options: { readonly card?: ModelFolder["card"]; readonly signal?: AbortSignal } = {},
  ): Promise<void> {
    assertOptionNames("TrainedObjectDetector.save", options, ["card", "signal"]);
    const { card, signal } = options;
    const files: ModelFolder = {
      config: this.config,
      tensors: await this.model.stateDict(),
      files: { "preprocessor_config.json": `${JSON.stringify(this.preprocessing, undefined, 2)}\n` },
      ...(card === undefined ? {} : { card }),
    };
    await saveModelFolder(folder, files, signal === undefined ? {} : { signal });
  }

  /** Frees the model. */
  dispose(): void {
    this.model.dispose();
  }
}
