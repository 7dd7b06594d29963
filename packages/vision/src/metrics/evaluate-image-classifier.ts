import type { Task } from "@ai/layers/tasks";
import { InputError } from "@ai/tensor";
import type { VisionSample } from "../augment/sample.js";
import { assertIntegers, assertOptionNames } from "../preprocess/checks.js";
import type { ImageClassification } from "../tasks/image-classification.js";
import { matchClasses } from "./match-classes.js";

/** Pictures with a class each, such as `imageFolder` gives, or with objects, such as `vocDataset` gives. */
export interface LabeledPictures {
  readonly length: number;
  /** Names of the classes; labels are indices into it. */
  readonly classes: readonly string[];
  get(index: number): VisionSample | Promise<VisionSample>;
}

/** Options of {@link evaluateImageClassifier}. */
export interface EvaluateImageClassifierOptions {
  /** Pictures that go through the model at once. Default 32. */
  readonly batchSize?: number;
  readonly signal?: AbortSignal;
  /** Told after each batch. */
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
}

/** How often a classifier is right, each share in [0, 1]. */
export interface ImageClassifierScores {
  /** Pictures that were classified. */
  readonly count: number;
  /** Share whose class got the highest score. */
  readonly top1: number;
  /** Share whose class is among the five highest. */
  readonly top5: number;
  /** By class that has pictures. */
  readonly classes: readonly { readonly label: string; readonly count: number; readonly top1: number }[];
}

/**
 * Classifies pictures whose class is known and counts how often that is the best answer or among the best five. Classes
 * of the data and labels of the model belong together by name; the model may have more.
 * @throws InputError where the model lacks a class of the data or a picture its label, the signal's reason.
 * @example
 * const { top1 } = await evaluateImageClassifier(classify, await imageFolder("pictures", { folder: "test" }));
 */
export async function evaluateImageClassifier(
  classify: Task<ImageClassification>,
  data: LabeledPictures,
  options: EvaluateImageClassifierOptions = {},
): Promise<ImageClassifierScores> {
  const operation = "evaluateImageClassifier";
  assertOptionNames(operation, options, ["batchSize", "signal", "onProgress"]);
  const { batchSize = 32, signal, onProgress } = options;
  assertIntegers(operation, { batchSize });
  if (!Array.isArray(data?.classes) || !(data.length > 0))
    throw new InputError(
      `${operation}: expected pictures { length, classes, get }, got ${data?.length === 0 ? "none" : typeof data}; make them with imageFolder`,
    );
  const wanted = matchClasses(operation, data.classes, classify.info.labels);
  const counts = data.classes.map(() => ({ count: 0, right: 0 }));
  let amongFive = 0;
  for (let start = 0; start < data.length; start += batchSize) {
    signal?.throwIfAborted();
    const numPictures = Math.min(batchSize, data.length - start);
    const samples = await Promise.all(Array.from({ length: numPictures }, (_, at) => data.get(start + at)));
    const answers = await classify(
      samples.map(({ picture }) => picture),
      { topK: 5, batchSize, ...(signal === undefined ? {} : { signal }) },
    );
    samples.forEach(({ label }, at) => {
      const counted = counts[label ?? -1];
      if (counted === undefined)
        throw new InputError(
          `${operation}: expected a label in [0, ${data.classes.length}) for picture ${start + at}, got ${String(label)}`,
        );
      const rank = answers[at].findIndex(({ index }) => index === wanted[label!]);
      counted.count++;
      if (rank === 0) counted.right++;
      if (rank >= 0) amongFive++;
    });
    onProgress?.({ done: start + numPictures, total: data.length });
  }
  const right = counts.reduce((total, counted) => total + counted.right, 0);
  return {
    count: data.length,
    top1: right / data.length,
    top5: amongFive / data.length,
    classes: counts.flatMap(({ count, right: known }, label) =>
      count === 0 ? [] : [{ label: data.classes[label], count, top1: known / count }],
    ),
  };
}
