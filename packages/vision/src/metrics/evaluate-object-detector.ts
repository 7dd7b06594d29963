import type { Task } from "@ai/layers/tasks";
import { InputError } from "@ai/tensor";
import { assertIntegers, assertNumbers, assertOptionNames } from "../preprocess/checks.js";
import type { ObjectDetection } from "../tasks/object-detection.js";
import { type CocoMetrics, cocoMetrics, type EvaluatedPicture } from "./coco-metrics.js";
import type { EvaluateImageClassifierOptions, LabeledPictures } from "./evaluate-image-classifier.js";
import { matchClasses } from "./match-classes.js";

/** Options of {@link evaluateObjectDetector}. */
export interface EvaluateObjectDetectorOptions extends EvaluateImageClassifierOptions {
  /** Leaves out objects with a lower score. Default 0.02: what is left out cannot be recalled. */
  readonly threshold?: number;
}

/** Detections of a picture that count at most. */
const MAX_DETECTIONS = 300;

/**
 * Finds the objects of pictures where they are known and gives COCO's numbers; labels count the classes of the data.
 * Classes of the data and labels of the model belong together by name; what the model finds of others is left out.
 * @throws InputError where the model lacks a class of the data, the signal's reason.
 * @example
 * const { averagePrecision50 } = await evaluateObjectDetector(detect, await vocDataset("bccd.tar", { split: "test" }));
 */
export async function evaluateObjectDetector(
  detect: Task<ObjectDetection>,
  data: LabeledPictures,
  options: EvaluateObjectDetectorOptions = {},
): Promise<CocoMetrics> {
  const operation = "evaluateObjectDetector";
  assertOptionNames(operation, options, ["batchSize", "threshold", "signal", "onProgress"]);
  const { batchSize = 8, threshold = 0.02, signal, onProgress } = options;
  assertIntegers(operation, { batchSize });
  assertNumbers(operation, { threshold }, 0, 1);
  if (!Array.isArray(data?.classes) || !(data.length > 0))
    throw new InputError(
      `${operation}: expected pictures { length, classes, get }, got ${data?.length === 0 ? "none" : typeof data}; make them with vocDataset`,
    );
  const places = matchClasses(operation, data.classes, detect.info.labels);
  const labelOf = new Map(places.map((place, label) => [place, label]));
  const pictures: EvaluatedPicture[] = [];
  for (let start = 0; start < data.length; start += batchSize) {
    signal?.throwIfAborted();
    const numPictures = Math.min(batchSize, data.length - start);
    const samples = await Promise.all(Array.from({ length: numPictures }, (_, at) => data.get(start + at)));
    const answers = await detect(
      samples.map(({ picture }) => picture),
      { threshold, maxDetections: MAX_DETECTIONS, batchSize, ...(signal === undefined ? {} : { signal }) },
    );
    samples.forEach(({ boxes: objects = [] }, at) => {
      const detections = answers[at].flatMap(({ index, score, box }) => {
        const label = labelOf.get(index);
        return label === undefined ? [] : [{ label, score, box }];
      });
      pictures.push({ objects, detections });
    });
    onProgress?.({ done: start + numPictures, total: data.length });
  }
  return cocoMetrics(pictures);
}
