import { AdamW, DataLoader, type FitOptions, MappedDataset, OneCycleLR, Trainer } from "@ai/layers/training";
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
import { assertBoxedPictures, type BoxedPictures, type BoxSample, ResizedBoxes } from "./labeled-boxes.js";
import { channelStatistics } from "./labeled-pictures.js";
import { TrainedObjectDetector } from "./trained-object-detector.js";

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
  readonly validation?: BoxedPictures;
  /** Pictures are resized to this. Default 320. */
  readonly width?: number;
  /** Default 240. */
  readonly height?: number;
  /** Default {@link POINT_DETECTOR_SMALL}. */
  readonly model?: Omit<PointDetectorConfig, "numClasses">;
  /** Default 40. */
  readonly epochs?: number;
  /** Default 8. */
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
  data: BoxedPictures,
  options: TrainObjectDetectorOptions = {},
): Promise<TrainedObjectDetector> {
  const operation = "trainObjectDetector";
  assertOptionNames(operation, options, OPTIONS);
  const { validation, width = 320, height = 240, epochs = 40, batchSize = 8, seed = 0 } = options;
  const { learningRate = 0.003, weightDecay = 0.05, signal, resumeFrom, callbacks } = options;
  const sizes = options.model ?? POINT_DETECTOR_SMALL;
  assertIntegers(operation, { width, height, epochs, batchSize });
  assertNumbers(operation, { learningRate, weightDecay });
  assertBoxedPictures(operation, "data", data);
  if (validation !== undefined) assertBoxedPictures(operation, "validation", validation);
  const augment =
    options.augment ??
    compose([randomHorizontalFlip(), colorJitter({ brightness: 0.2, contrast: 0.2, saturation: 0.2 })]);

  signal?.throwIfAborted();
  const pictures = new ResizedBoxes(data, { width, height });
  const { mean, deviation } = channelStatistics(await firstPictures(pictures, signal));
  const preprocessing = {
    image_processor_type: "ViTImageProcessor",
    size: { height, width },
    resample: 2,
    image_mean: mean,
    image_std: deviation,
  };
  const preprocess = imagePreprocessor(preprocessing);
  const numClasses = data.classes.length;
  manualSeed(seed);
  const model = new PointDetector({ ...sizes, numClasses });
  const grid = pointGrid(
    [height, width],
    model.stages.map(({ stride }) => stride),
  );
  const collate = (samples: readonly BoxSample[]): DetectionBatch => ({
    images: preprocess(samples.map(({ picture }) => picture)).pixelValues,
    ...stackPointTargets(samples.map(({ boxes }) => assignPoints(boxes, grid, { numClasses }))),
  });
  const optimizer = new AdamW(model.parameters(), { learningRate, weightDecay });
  try {
    const loader = new DataLoader(new MappedDataset(pictures, augment), {
      batchSize,
      shuffle: true,
      dropLast: data.length >= batchSize,
      seed,
      collate,
    });
    const trainer = new Trainer<DetectionBatch, PointDetector>({
      model,
      optimizer,
      computeLoss: ({ images, ...targets }, detector) =>
        pointDetectorLoss(detector.call(images), targets).total,
      schedule: new OneCycleLR(optimizer, {
        maxLearningRate: learningRate,
        totalSteps: epochs * loader.length!,
        increasingShare: 0.1,
      }),
    });
    const { history } = await trainer.fit(loader, {
      epochs,
      ...(validation === undefined
        ? {}
        : {
            validation: new DataLoader(new ResizedBoxes(validation, { width, height }), {
              batchSize,
              collate,
            }),
          }),
      ...(callbacks === undefined ? {} : { callbacks }),
      ...(signal === undefined ? {} : { signal }),
      ...(resumeFrom === undefined ? {} : { resumeFrom }),
    });
    return new TrainedObjectDetector({
      model,
      config: writePointDetectorConfig(sizes, data.classes),
      preprocessing,
      size: { width, height },
      epochs: [...history.epochs],
    });
  } catch (error) {
    model.dispose();
    throw error;
  } finally {
    optimizer.dispose();
  }
}

async function firstPictures(pictures: ResizedBoxes, signal: AbortSignal | undefined) {
  const chosen = [];
  for (let index = 0; index < Math.min(pictures.length, STATISTICS_PICTURES); index++) {
    signal?.throwIfAborted();
    chosen.push((await pictures.get(index)).picture);
  }
  return chosen;
}
