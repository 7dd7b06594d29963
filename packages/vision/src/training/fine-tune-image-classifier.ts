import { BatchNorm2d, type Parameter } from "@ai/layers";
import type { FitOptions, TrainingCallback } from "@ai/layers/training";
import { InputError } from "@ai/tensor";
import { randomHorizontalFlip } from "../augment/flips.js";
import { randomCrop } from "../augment/random-crop.js";
import { type Augmentation, compose } from "../augment/sample.js";
import { assertIntegers, assertNumbers, assertOptionNames } from "../preprocess/checks.js";
import { convertChannels } from "../preprocess/convert-channels.js";
import { imagePreprocessor, resizedSize } from "../preprocess/image-preprocessor.js";
import { resizeImage } from "../preprocess/resize-image.js";
import { classTraining, type ImageBatch } from "./class-training.js";
import { fitFromScratch } from "./fit-from-scratch.js";
import { assertPictureSets, type PictureSet, placedSamples } from "./picture-set.js";
import { loadPretrainedImageModel, type PretrainedSource, replaceClasses } from "./pretrained-image-model.js";
import { TrainedImageClassifier } from "./trained-image-classifier.js";
import { batchSizeFor, ensureDevice } from "./training-parts.js";

/** Options of {@link fineTuneImageClassifier}. */
export interface FineTuneImageClassifierOptions extends PretrainedSource {
  /** Fields of `preprocessor_config.json`, which they stand in place of. */
  readonly preprocessing?: Readonly<Record<string, unknown>>;
  /** Pictures that are not learnt from: their accuracy is measured after each epoch. */
  readonly validation?: PictureSet;
  /** Epochs in all. Default 6. */
  readonly epochs?: number;
  /** So many of them, at the beginning, only the new last layer learns. Default a third. */
  readonly frozenEpochs?: number;
  /**
   * Default 32, fewer in a set of less than 256 pictures: then an epoch has eight steps, or batches of eight. A last batch of
   * less than a quarter of it is left out of an epoch, each time with other pictures.
   */
  readonly batchSize?: number;
  /** Largest learning rate of the new last layer. Default 0.005. */
  readonly learningRate?: number;
  /** Largest learning rate of all else. Default a twentieth of `learningRate`. */
  readonly backboneLearningRate?: number;
  /** Default 0.01. */
  readonly weightDecay?: number;
  /** Default 0.1. */
  readonly labelSmoothing?: number;
  /**
   * Whether batch normalization goes on gathering means and variances once the model is thawed. Default false: small
   * batches of few pictures would spoil what it gathered over many.
   */
  readonly updateBatchNorm?: boolean;
  /** Changes pictures by chance, which have been resized as the model wants them; default a crop after padding by an eighth, and a horizontal flip. */
  readonly augment?: Augmentation;
  /** New weights, order and augmentation follow from it. Default 0. */
  readonly seed?: number;
  /** What else happens while training: progress, checkpoints, histories. */
  readonly callbacks?: FitOptions<ImageBatch>["callbacks"];
  readonly signal?: AbortSignal;
  /** Folder of checkpoints: continue from the last one. */
  readonly resumeFrom?: string;
}

const OPTIONS = [
  "from",
  "config",
  "weightsFile",
  "hub",
  "preprocessing",
  "validation",
  "epochs",
  "frozenEpochs",
  "batchSize",
  "learningRate",
  "backboneLearningRate",
  "weightDecay",
  "labelSmoothing",
  "updateBatchNorm?",
  "augment",
  "seed",
  "callbacks",
  "signal",
  "resumeFrom",
] as const;

/** Moves a picture about by an eighth of its shorter edge, whatever its size. */
const shift: Augmentation = (sample, context) => {
  const { width, height } = sample.picture;
  const padding = Math.max(1, Math.round(Math.min(width, height) / 8));
  return randomCrop({ width, height, padding })(sample, context);
};

/**
 * Teaches a pretrained classifier of pictures other classes. Its last layer starts anew; first it learns alone, with all
 * else frozen and as it is when the model is used (batch normalization keeps its means and variances, nothing is dropped),
 * then everything learns, the pretrained part with a lower rate that rises from nothing. The fastest device is taken unless
 * `useDevice` chose one.
 * @param data Pictures with classes, for example `imageFolder("pictures")`; read once, kept in memory in the model's size.
 * @returns the model with what it needs to be saved and used, under the names of its checkpoint; the caller disposes it.
 * @throws InputError for options out of range, pictures without classes or a model that there is not, WeightsError and
 * DownloadError for one that cannot be read, the signal's reason once aborted.
 * @see Yosinski et al. (2014), "How transferable are features in deep neural networks?", https://arxiv.org/abs/1411.1792
 * @example
 * const data = await imageFolder("flowers", { folder: "train" });
 * const trained = await fineTuneImageClassifier(data, { from: "microsoft/resnet-18", callbacks: [progressBar()] });
 * await trained.save("models/flowers");
 * const classify = await loadImageClassifier("models/flowers");
 */
export async function fineTuneImageClassifier(
  data: PictureSet,
  options: FineTuneImageClassifierOptions,
): Promise<TrainedImageClassifier> {
  const operation = "fineTuneImageClassifier";
  assertOptionNames(operation, options ?? {}, OPTIONS);
  if (options?.from === undefined)
    throw new InputError(`${operation}: expected from, the pretrained model, got none; name one`);
  const { validation, epochs = 6, seed = 0, updateBatchNorm = false } = options;
  const { frozenEpochs = Math.ceil(epochs / 3), learningRate = 0.005, weightDecay = 0.01 } = options;
  const { backboneLearningRate = learningRate / 20, labelSmoothing = 0.1 } = options;
  const { callbacks = [], signal, resumeFrom } = options;
  assertIntegers(operation, { epochs, batchSize: options.batchSize ?? 1 });
  assertIntegers(operation, { frozenEpochs }, 0);
  assertNumbers(operation, { learningRate, backboneLearningRate, weightDecay, labelSmoothing }, 0);
  if (typeof updateBatchNorm !== "boolean")
    throw new InputError(
      `${operation}: expected updateBatchNorm as true or false, got ${typeof updateBatchNorm}`,
    );
  assertPictureSets(operation, { data, validation }, { minClasses: 2, maker: "imageFolder" });
  const { augment = compose([shift, randomHorizontalFlip()]) } = options;
  const { batchSize = batchSizeFor(data.length, 32) } = options;
  await ensureDevice();

  const pretrained = await loadPretrainedImageModel(operation, options, signal);
  const { model, mapping } = pretrained;
  const preprocessing = options.preprocessing ?? pretrained.preprocessing;
  try {
    const preprocess = imagePreprocessor(preprocessing);
    const { resize, resample } = preprocess.steps;
    // what preprocessing then finds of the right size it leaves alone
    const samples = (set: PictureSet) =>
      placedSamples(set, (picture) => {
        const rgb = convertChannels(picture, 3);
        return resize === undefined ? rgb : resizeImage(rgb, { ...resizedSize(rgb, resize), resample });
      });
    const { backbone } = replaceClasses(model, data.classes.length, seed);
    const history = await fitFromScratch({
      model,
      pictures: samples(data),
      validation: validation && samples(validation),
      validationBatchSize: batchSize,
      augment,
      ...classTraining(preprocess, labelSmoothing),
      slower: { parameters: backbone, learningRate: backboneLearningRate, startEpoch: frozenEpochs },
      epochs,
      batchSize,
      learningRate,
      weightDecay,
      increasingShare: 0.25,
      seed,
      callbacks: [thawing(model, { backbone, frozenEpochs, updateBatchNorm }), ...callbacks],
      signal,
      resumeFrom,
    });
    for (const parameter of backbone) parameter.requiresGrad = true;
    model.eval();
    const { num_labels: _, ...config } = pretrained.config;
    return new TrainedImageClassifier({
      model,
      config: { ...config, problem_type: "single_label_classification" },
      classes: data.classes,
      preprocessing,
      epochs: history,
      mapping,
    });
  } catch (error) {
    model.dispose();
    throw error;
  }
}

/** Freezes what came with the model for the first epochs, in every respect, and thaws it then. */
function thawing(
  model: TrainedImageClassifier["model"],
  {
    backbone,
    frozenEpochs,
    updateBatchNorm,
  }: {
    readonly backbone: readonly Parameter[];
    readonly frozenEpochs: number;
    readonly updateBatchNorm: boolean;
  },
): TrainingCallback {
  return {
    name: "thawing",
    onEpochStart({ trainer }) {
      const isFrozen = trainer.epoch < frozenEpochs;
      for (const parameter of backbone) parameter.requiresGrad = !isFrozen;
      // the trainer has just put all of the model into training mode
      for (const [, module] of model.namedModules())
        if (isFrozen || (!updateBatchNorm && module instanceof BatchNorm2d)) module.training = false;
    },
  };
}
