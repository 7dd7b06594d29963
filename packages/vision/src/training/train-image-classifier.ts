import {
  Accuracy,
  AdamW,
  crossEntropyLoss,
  DataLoader,
  type FitOptions,
  MappedDataset,
  OneCycleLR,
  Trainer,
} from "@ai/layers/training";
import { manualSeed, type Tensor, tensor } from "@ai/tensor";
import { randomHorizontalFlip } from "../augment/flips.js";
import { randomCrop } from "../augment/random-crop.js";
import { type Augmentation, compose } from "../augment/sample.js";
import type { ImageModel } from "../models/image-model.js";
import { ResNet9 } from "../models/resnet9/resnet9.js";
import { assertIntegers, assertNumbers, assertOptionNames } from "../preprocess/checks.js";
import { imagePreprocessor } from "../preprocess/image-preprocessor.js";
import {
  assertLabeledPictures,
  type ClassSample,
  channelStatistics,
  type LabeledPictures,
  ResizedPictures,
} from "./labeled-pictures.js";
import { TrainedImageClassifier } from "./trained-image-classifier.js";

/** Options of {@link trainImageClassifier}. */
export interface TrainImageClassifierOptions {
  /** Pictures that are not learnt from: their accuracy is measured after each epoch. */
  readonly validation?: LabeledPictures;
  /** Width and height that pictures are resized to. Default 32. */
  readonly size?: number;
  /** Channels of the first convolution; the network has eight times as many in the end. Default 16. */
  readonly width?: number;
  /** Default 12. */
  readonly epochs?: number;
  /** Default 64. */
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

/** A batch that a classifier learns from. */
export interface ImageBatch {
  /** `[batch, height, width, channels]` */
  readonly images: Tensor;
  /** `[batch]` int32 */
  readonly labels: Tensor;
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
  data: LabeledPictures,
  options: TrainImageClassifierOptions = {},
): Promise<TrainedImageClassifier> {
  const operation = "trainImageClassifier";
  assertOptionNames(operation, options, OPTIONS);
  const { validation, size = 32, width = 16, epochs = 12, batchSize = 64, seed = 0 } = options;
  const { learningRate = 0.01, weightDecay = 0.05, labelSmoothing = 0.1, signal, resumeFrom } = options;
  assertIntegers(operation, { size, width, epochs, batchSize });
  assertNumbers(operation, { learningRate, weightDecay, labelSmoothing });
  assertLabeledPictures(operation, "data", data);
  if (validation !== undefined) assertLabeledPictures(operation, "validation", validation);
  const padding = Math.max(1, Math.round(size / 8));
  const augment =
    options.augment ?? compose([randomCrop({ width: size, height: size, padding }), randomHorizontalFlip()]);

  signal?.throwIfAborted();
  const pictures = new ResizedPictures(data, size);
  const { mean, deviation } = channelStatistics(await someOf(pictures, STATISTICS_PICTURES, signal));
  const preprocessing = {
    image_processor_type: "ViTImageProcessor",
    size: { height: size, width: size },
    resample: 2,
    image_mean: mean,
    image_std: deviation,
  };
  const preprocess = imagePreprocessor(preprocessing);
  const collate = (samples: readonly ClassSample[]): ImageBatch => ({
    images: preprocess(samples.map(({ picture }) => picture)).pixelValues,
    labels: tensor(Int32Array.from(samples.map(({ label }) => label)), [samples.length], "int32"),
  });

  manualSeed(seed);
  const model = new ResNet9({ width, numClasses: data.classes.length });
  const optimizer = new AdamW(model.parameters(), { learningRate, weightDecay });
  try {
    const loader = new DataLoader(new MappedDataset(pictures, augment), {
      batchSize,
      shuffle: true,
      dropLast: data.length >= batchSize,
      seed,
      collate,
    });
    const trainer = new Trainer<ImageBatch, ImageModel>({
      model,
      optimizer,
      computeLoss: ({ images, labels }, classifier) => {
        const output = classifier.call(images); // [batch, classes]
        return { loss: crossEntropyLoss(output, labels, { labelSmoothing }), output, target: labels };
      },
      schedule: new OneCycleLR(optimizer, {
        maxLearningRate: learningRate,
        totalSteps: epochs * loader.length!,
        increasingShare: 0.25,
      }),
      metrics: { accuracy: new Accuracy() },
    });
    const { history } = await trainer.fit(loader, {
      epochs,
      ...(validation === undefined
        ? {}
        : {
            validation: new DataLoader(new ResizedPictures(validation, size), { batchSize: 200, collate }),
          }),
      ...(options.callbacks === undefined ? {} : { callbacks: options.callbacks }),
      ...(signal === undefined ? {} : { signal }),
      ...(resumeFrom === undefined ? {} : { resumeFrom }),
    });
    return new TrainedImageClassifier({
      model,
      config: { architectures: ["ResNet9"], model_type: "resnet9", width, num_channels: 3 },
      classes: data.classes,
      preprocessing,
      epochs: [...history.epochs],
    });
  } catch (error) {
    model.dispose();
    throw error;
  } finally {
    optimizer.dispose();
  }
}

/** At most `count` pictures, evenly over the set. */
async function someOf(pictures: ResizedPictures, count: number, signal: AbortSignal | undefined) {
  const step = Math.max(1, pictures.length / count);
  const chosen = [];
  for (let index = 0; index < pictures.length; index += step) {
    signal?.throwIfAborted();
    chosen.push((await pictures.get(Math.floor(index))).picture);
  }
  return chosen;
}
