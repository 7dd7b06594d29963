import type { FitOptions } from "@ai/layers/training";
import { manualSeed, type Tensor } from "@ai/tensor";
import { colorJitter } from "../augment/color-jitter.js";
import { randomHorizontalFlip } from "../augment/flips.js";
import { type Augmentation, compose } from "../augment/sample.js";
import { assignPoints } from "../losses/assign-points.js";
import { pointDetectorLoss, stackPointTargets } from "../losses/point-detector-loss.js";
import {
  POINT_DETECTOR_SMALL,
  type PointDetectorConfig,
  writePointDetectorConfig,
} from "../models/point-detector/point-detector.config.js";
import { PointDetector } from "../models/point-detector/point-detector.js";
import { pointGrid } from "../postprocess/point-grid.js";
import { assertIntegers, assertNumbers, assertOptionNames } from "../preprocess/checks.js";
import { imagePreprocessor } from "../preprocess/image-preprocessor.js";
import { fitFromScratch } from "./fit-from-scratch.js";
import { measurePreprocessing } from "./measure-preprocessing.js";
import { assertPictureSets, type BoxSample, boxSamples, type PictureSet } from "./picture-set.js";
import { TrainedObjectDetector } from "./trained-object-detector.js";
import { ensureDevice } from "./training-parts.js";

/** A batch that a detector learns from. */
export interface DetectionBatch {
  /** `[batch, height, width, channels]` */
  readonly images: Tensor;
  /** `[batch, points, classes]` */
  readonly classes: Tensor;
  /** `[batch, points, 4]` */
  readonly distances: Tensor;
  /** `[batch, points, 1]` */
  readonly centerness: Tensor;
}

/** Options of {@link trainObjectDetector}. */
export interface TrainObjectDetectorOptions {
  /** Pictures that are not learnt from: their loss is measured after each epoch. */
  readonly validation?: PictureSet;
  /** Pictures are resized to this. Default 320. */
  readonly width?: number;
  /** Default 240. */
  readonly height?: number;
  /** Default {@link POINT_DETECTOR_SMALL}. */
  readonly model?: Omit<PointDetectorConfig, "numClasses">;
  /** Default 40. */
  readonly epochs?: number;
  /** Default 8. A last batch of less than a quarter of it is left out of an epoch, each time with other pictures. */
  readonly batchSize?: number;
  /** Largest learning rate, reached after a tenth of the steps. Default 0.003. */
  readonly learningRate?: number;
  /** Default 0.05. */
  readonly weightDecay?: number;
  /** Changes resized pictures and their boxes by chance; default a horizontal flip and other colours. */
  readonly augment?: Augmentation;
  /** Weights, order and augmentation follow from it. Default 0. */
  readonly seed?: number;
  /** What else happens while training: progress, checkpoints, histories. */
  readonly callbacks?: FitOptions<DetectionBatch>["callbacks"];
  readonly signal?: AbortSignal;
  /** Folder of checkpoints: continue from the last one. */
  readonly resumeFrom?: string;
}

const OPTIONS = [
  "validation",
  "width",
  "height",
  "model",
  "epochs",
  "batchSize",
  "learningRate",
  "weightDecay",
  "augment",
  "seed",
  "callbacks",
  "signal",
  "resumeFrom",
] as const;

/** Pictures that the channels' mean and deviation are taken from. */
const STATISTICS_PICTURES = 100;

/**
 * Trains a detector from scratch: a {@link PointDetector} under AdamW and one cycle of the learning rate.
 * @param data Pictures with boxes, for example `vocDataset("bccd.tar", { split: "train" })`; read once, kept in memory.
 * @returns the model with what it needs to be saved and used; the caller disposes it.
 * @throws InputError for options out of range or data without classes, the signal's reason once aborted.
 * @example
 * const trained = await trainObjectDetector(await vocDataset("bccd.tar", { split: "train" }), { epochs: 40 });
 * const { averagePrecision50 } = await trained.evaluate(await vocDataset("bccd.tar", { split: "test" }));
 * await trained.save("models/cells");
 */
export async function trainObjectDetector(
  data: PictureSet,
  options: TrainObjectDetectorOptions = {},
): Promise<TrainedObjectDetector> {
  const operation = "trainObjectDetector";
  assertOptionNames(operation, options, OPTIONS);
  const { validation, width = 320, height = 240, epochs = 40, batchSize = 8, seed = 0 } = options;
  const { learningRate = 0.003, weightDecay = 0.05, signal, resumeFrom, callbacks } = options;
  const sizes = options.model ?? POINT_DETECTOR_SMALL;
  assertIntegers(operation, { width, height, epochs, batchSize });
  assertNumbers(operation, { learningRate, weightDecay });
  assertPictureSets(operation, { data, validation }, { minClasses: 1, maker: "vocDataset" });
  const augment =
    options.augment ??
    compose([randomHorizontalFlip(), colorJitter({ brightness: 0.2, contrast: 0.2, saturation: 0.2 })]);

  signal?.throwIfAborted();
  await ensureDevice();
  const size = { width, height };
  const pictures = boxSamples(data, size);
  const preprocessing = await measurePreprocessing(pictures, size, { count: STATISTICS_PICTURES, signal });
  const preprocess = imagePreprocessor(preprocessing);
  const numClasses = data.classes.length;
  manualSeed(seed);
  const model = new PointDetector({ ...sizes, numClasses });
  const grid = pointGrid(
    [height, width],
    model.stages.map(({ stride }) => stride),
  );
  const history = await fitFromScratch({
    model,
    pictures,
    validation: validation && boxSamples(validation, size),
    validationBatchSize: batchSize,
    augment,
    collate: (samples: readonly BoxSample[]): DetectionBatch => ({
      images: preprocess(samples.map(({ picture }) => picture)).pixelValues,
      ...stackPointTargets(samples.map(({ boxes }) => assignPoints(boxes, grid, { numClasses }))),
    }),
    computeLoss: ({ images, ...targets }, detector) =>
      pointDetectorLoss(detector.call(images), targets).total,
    epochs,
    batchSize,
    learningRate,
    weightDecay,
    increasingShare: 0.1,
    seed,
    callbacks,
    signal,
    resumeFrom,
  });
  return new TrainedObjectDetector({
    model,
    config: writePointDetectorConfig(sizes, data.classes),
    preprocessing,
    epochs: history,
  });
}
