import type { FitOptions } from "@ai/layers/training";
import { manualSeed } from "@ai/tensor";
import { randomHorizontalFlip } from "../augment/flips.js";
import { randomCrop } from "../augment/random-crop.js";
import { type Augmentation, compose } from "../augment/sample.js";
import { ResNet9 } from "../models/resnet9/resnet9.js";
import { assertIntegers, assertNumbers, assertOptionNames } from "../preprocess/checks.js";
import { imagePreprocessor } from "../preprocess/image-preprocessor.js";
import { classTraining, type ImageBatch } from "./class-training.js";
import { fitFromScratch } from "./fit-from-scratch.js";
import { measurePreprocessing } from "./measure-preprocessing.js";
import { assertPictureSets, classSamples, type PictureSet } from "./picture-set.js";
import { TrainedImageClassifier } from "./trained-image-classifier.js";
import { ensureDevice } from "./training-parts.js";

/** Options of {@link trainImageClassifier}. */
export interface TrainImageClassifierOptions {
  /** Pictures that are not learnt from: their accuracy is measured after each epoch. */
  readonly validation?: PictureSet;
  /** Width and height that pictures are resized to. Default 32. */
  readonly size?: number;
  /** Channels of the first convolution; the network has eight times as many in the end. Default 16. */
  readonly width?: number;
  /** Default 12. */
  readonly epochs?: number;
  /** Default 64. A last batch of less than a quarter of it is left out of an epoch, each time with other pictures. */
  readonly batchSize?: number;
  /** Largest learning rate, reached after a quarter of the steps. Default 0.01. */
  readonly learningRate?: number;
  /** Default 0.05. */
  readonly weightDecay?: number;
  /** Default 0.1. */
  readonly labelSmoothing?: number;
  /** Changes pictures of `size` by chance; default a crop after padding by an eighth, and a horizontal flip. */
  readonly augment?: Augmentation;
  /** Weights, order and augmentation follow from it. Default 0. */
  readonly seed?: number;
  /** What else happens while training: progress, checkpoints, histories. */
  readonly callbacks?: FitOptions<ImageBatch>["callbacks"];
  readonly signal?: AbortSignal;
  /** Folder of checkpoints: continue from the last one. */
  readonly resumeFrom?: string;
}

const OPTIONS = [
  "validation",
  "size",
  "width",
  "epochs",
  "batchSize",
  "learningRate",
  "weightDecay",
  "labelSmoothing",
  "augment",
  "seed",
  "callbacks",
  "signal",
  "resumeFrom",
] as const;

/** Pictures that the channels' mean and deviation are taken from. */
const STATISTICS_PICTURES = 2000;

/**
 * Trains a classifier of small pictures from scratch: a {@link ResNet9} under AdamW, one cycle of the learning rate,
 * smoothed labels, random crops and flips.
 * @param data Pictures with classes, for example `imageFolder("pictures", { folder: "train" })`; read once, kept in memory.
 * @returns the model with what it needs to be saved and used; the caller disposes it.
 * @throws InputError for options out of range or pictures without classes, the signal's reason once aborted.
 * @example
 * const data = await imageFolder("cifar10.tar", { folder: "train" });
 * const trained = await trainImageClassifier(data, { epochs: 12, callbacks: [progressBar()] });
 * await trained.save("models/mine");
 * const classify = await loadImageClassifier("models/mine");
 */
export async function trainImageClassifier(
  data: PictureSet,
  options: TrainImageClassifierOptions = {},
): Promise<TrainedImageClassifier> {
  const operation = "trainImageClassifier";
  assertOptionNames(operation, options, OPTIONS);
  const { validation, size = 32, width = 16, epochs = 12, batchSize = 64, seed = 0 } = options;
  const { learningRate = 0.01, weightDecay = 0.05, labelSmoothing = 0.1 } = options;
  const { callbacks, signal, resumeFrom } = options;
  assertIntegers(operation, { size, width, epochs, batchSize });
  assertNumbers(operation, { learningRate, weightDecay, labelSmoothing });
  assertPictureSets(operation, { data, validation }, { minClasses: 2, maker: "imageFolder" });
  const padding = Math.max(1, Math.round(size / 8));
  const augment =
    options.augment ?? compose([randomCrop({ width: size, height: size, padding }), randomHorizontalFlip()]);

  signal?.throwIfAborted();
  await ensureDevice();
  const sampleSize = { width: size, height: size };
  const pictures = classSamples(data, sampleSize);
  const preprocessing = await measurePreprocessing(pictures, sampleSize, {
    count: STATISTICS_PICTURES,
    signal,
  });
  const preprocess = imagePreprocessor(preprocessing);
  manualSeed(seed);
  const model = new ResNet9({ width, numClasses: data.classes.length });
  const history = await fitFromScratch({
    model,
    pictures,
    validation: validation && classSamples(validation, sampleSize),
    validationBatchSize: 200,
    augment,
    ...classTraining(preprocess, labelSmoothing),
    epochs,
    batchSize,
    learningRate,
    weightDecay,
    increasingShare: 0.25,
    seed,
    callbacks,
    signal,
    resumeFrom,
  });
  return new TrainedImageClassifier({
    model,
    config: { architectures: ["ResNet9"], model_type: "resnet9", width, num_channels: 3 },
    classes: data.classes,
    preprocessing,
    epochs: history,
  });
}
