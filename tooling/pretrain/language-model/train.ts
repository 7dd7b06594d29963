import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import {
  AdamW,
  CosineAnnealingLR,
  checkpoints,
  crossEntropyLoss,
  DataLoader,
  LinearLR,
  RandomSampler,
  SequentialLR,
  Trainer,
  type TrainingCallback,
} from "@ai/layers/training";
import { LanguageModel, type MixerName } from "./model.js";
import { RunClock, type RunTimes } from "./run-clock.js";
import { type CharacterBatch, type CharacterText, TextWindows } from "./text.js";

/** Sizes and schedule of a run. */
export interface LanguageModelRun {
  readonly mixer: MixerName;
  readonly dim: number;
  readonly numLayers: number;
  readonly numHeads: number;
  readonly contextLength: number;
  readonly dropout: number;
  readonly batchSize: number;
  readonly steps: number;
  readonly warmUpSteps: number;
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly seed: number;
  /** Steps between two measurements on the validation text. */
  readonly stepsPerEpoch: number;
}

/** The run of the card: 0.8 M parameters. */
export const DEFAULT_RUN: LanguageModelRun = {
  mixer: "attention",
  dim: 128,
  numLayers: 5,
  numHeads: 4,
  contextLength: 128,
  dropout: 0,
  batchSize: 16,
  steps: 1200,
  warmUpSteps: 100,
  learningRate: 3e-3,
  weightDecay: 0.1,
  seed: 1,
  stepsPerEpoch: 250,
};

const MAX_GRADIENT_NORM = 1;
const ADAM_BETAS = [0.9, 0.99] as const;

/** The model of a run. */
export function makeModel(run: LanguageModelRun, text: CharacterText): LanguageModel {
  return new LanguageModel({ ...run, vocabSize: text.vocabulary.length, maxLength: run.contextLength });
}

/** The text as batches, and how a model learns from them. */
export function makeTraining(run: LanguageModelRun, text: CharacterText, model: LanguageModel) {
  const { contextLength, batchSize, steps, warmUpSteps, seed } = run;
  const windows = new TextWindows(text.train, contextLength, 1);
  const numSamples = run.stepsPerEpoch * batchSize;
  const data = new DataLoader<never, CharacterBatch>(windows, {
    batchSize,
    sampler: new RandomSampler(windows.length, { replacement: true, numSamples }),
    seed,
  });
  const groups = model.parameterGroups([
    { match: (_, { shape }) => shape.length < 2, options: { weightDecay: 0 } }, // biases and norms
  ]);
  const optimizer = new AdamW(groups, {
    learningRate: run.learningRate,
    betas: ADAM_BETAS,
    weightDecay: run.weightDecay,
  });
  const schedule = new SequentialLR(optimizer, {
    schedules: [
      new LinearLR(optimizer, { startFactor: 0.01, totalIterations: warmUpSteps }),
      new CosineAnnealingLR(optimizer, {
        totalIterations: steps - warmUpSteps,
        minLearningRate: run.learningRate / 20,
      }),
    ],
    milestones: [warmUpSteps],
  });
  const trainer = {
    optimizer,
    schedule,
    maxGradientNorm: MAX_GRADIENT_NORM,
    computeLoss: ({ ids, targets }: CharacterBatch, current: LanguageModel) =>
      crossEntropyLoss(current.call(ids), targets),
    batchWeight: ({ count }: CharacterBatch) => count,
  };
  return { data, trainer };
}

/** Windows of the validation text in which each character but the first counts once. */
export function validationLoader(
  { contextLength, batchSize }: LanguageModelRun,
  text: CharacterText,
  stride = contextLength,
): DataLoader<never, CharacterBatch> {
  return new DataLoader(new TextWindows(text.validation, contextLength, stride), { batchSize });
}

/** What a run gave. */
export interface LanguageModelResult extends RunTimes {
  readonly run: LanguageModelRun;
  readonly parameters: number;
  readonly vocabulary: number;
  readonly trainCharacters: number;
  readonly validationCharacters: number;
  /** Nats a character on the validation text, windows side by side: what stands at a window's start has little context. */
  readonly validationLoss: number;
  /** The same with windows that overlap by half: each character but the first ones sees half a window at least. */
  readonly validationLossOverlapping: number;
  readonly curve: readonly {
    readonly step: number;
    readonly trainLoss: number;
    readonly validationLoss: number;
  }[];
}

/** Options of {@link trainLanguageModel}. */
export interface TrainLanguageModelOptions {
  /** Folder of checkpoints; a run that was stopped goes on from its last one. */
  readonly folder: string;
  /** Steps between two checkpoints. Default 250. */
  readonly checkpointSteps?: number;
  readonly callbacks?: readonly TrainingCallback[];
  readonly signal?: AbortSignal;
}

/** Trains the model and saves its weights as `model.safetensors` in the folder. */
export async function trainLanguageModel(
  run: LanguageModelRun,
  text: CharacterText,
  options: TrainLanguageModelOptions,
): Promise<LanguageModelResult> {
  const { folder, checkpointSteps = 250, callbacks = [], signal } = options;
  const model = makeModel(run, text).initialize({ seed: run.seed });
  const { data, trainer: training } = makeTraining(run, text, model);
  try {
    const trainer = new Trainer<CharacterBatch, LanguageModel>({ model, ...training });
    const clock = new RunClock();
    await trainer.fit(data, {
      epochs: Math.ceil(run.steps / run.stepsPerEpoch),
      maxSteps: run.steps,
      validation: validationLoader(run, text),
      resumeFrom: folder,
      callbacks: [...callbacks, clock, checkpoints({ folder, everySteps: checkpointSteps })],
      signal,
    });
    const times = clock.times();
    const { loss } = await trainer.evaluate(validationLoader(run, text), { signal });
    const overlapping = validationLoader(run, text, Math.ceil(run.contextLength / 2));
    const { loss: lossOverlapping } = await trainer.evaluate(overlapping, { signal });
    await mkdir(folder, { recursive: true });
    await model.save(join(folder, "model.safetensors"));
    return {
      run,
      parameters: model
        .parameters()
        .reduce((total, { shape }) => total + shape.reduce((product, length) => product * length, 1), 0),
      vocabulary: text.vocabulary.length,
      trainCharacters: text.train.length,
      validationCharacters: text.validation.length,
      validationLoss: loss,
      validationLossOverlapping: lossOverlapping,
      ...times,
      curve: trainer.history.epochs.map(({ step, values }) => ({
        step,
        trainLoss: values.loss,
        validationLoss: values["validation.loss"],
      })),
    };
  } finally {
    training.optimizer.dispose();
    model.dispose();
  }
}
