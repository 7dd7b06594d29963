import type { EpochRecord } from "@ai/layers/training";
import { type ModelFolder, read, saveModelFolder, tidy } from "@ai/tensor";
import { type CocoMetrics, cocoMetrics, type EvaluatedPicture } from "../metrics/coco-metrics.js";
import type { PointDetector } from "../models/point-detector/point-detector.js";
import type { DetectedBox } from "../postprocess/boxes.js";
import { type DecodePointsOptions, decodePoints } from "../postprocess/decode-points.js";
import { type PointGrid, pointGrid } from "../postprocess/point-grid.js";
import { assertOptionNames } from "../preprocess/checks.js";
import { type ImagePreprocessor, imagePreprocessor } from "../preprocess/image-preprocessor.js";
import type { Picture } from "../preprocess/picture.js";
import { type PictureSet, type SampleSize, scaleBox } from "./picture-set.js";

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
  readonly #grid: PointGrid;
  readonly #size: SampleSize;

  /** @internal */
  constructor(parts: {
    readonly model: PointDetector;
    readonly config: Readonly<Record<string, unknown>>;
    readonly preprocessing: Readonly<Record<string, unknown>>;
    readonly size: SampleSize;
    readonly epochs: readonly EpochRecord[];
  }) {
    const { model, config, preprocessing, size, epochs } = parts;
    this.model = model;
    this.config = config;
    this.preprocessing = preprocessing;
    this.#preprocess = imagePreprocessor(preprocessing);
    this.epochs = epochs;
    this.#size = size;
    this.#grid = pointGrid(
      [size.height, size.width],
      model.stages.map(({ stride }) => stride),
    );
  }

  /** Objects of one picture, best first, in its pixels. */
  async detect(picture: Picture, options: DecodePointsOptions = {}): Promise<DetectedBox[]> {
    this.model.eval();
    const tensors = tidy(() => {
      const { classes, distances, centerness } = this.model.call(this.#preprocess(picture).pixelValues);
      return [classes, distances, centerness];
    });
    try {
      const [classes, distances, centerness] = await Promise.all(tensors.map((tensor) => read(tensor)));
      const [across, down] = [picture.width / this.#size.width, picture.height / this.#size.height];
      return decodePoints({ classes, distances, centerness }, this.#grid, options).map((found) => ({
        ...found,
        box: scaleBox(found.box, across, down),
      }));
    } finally {
      for (const tensor of tensors) tensor.dispose();
    }
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
