import type { AnyModule, Parameter } from "@ai/layers";
import {
  AdamW,
  DataLoader,
  type EpochRecord,
  type FitOptions,
  LambdaLR,
  type LearningRateSchedule,
  MappedDataset,
  OneCycleLR,
  Trainer,
  type TrainerOptions,
} from "@ai/layers/training";
import type { Augmentation, VisionSample } from "../augment/sample.js";
import type { KeptSamples } from "./picture-set.js";
import { isLastBatchTooSmall } from "./training-parts.js";

/** What trainings of pictures from scratch differ in. */
export interface FitFromScratch<Sample extends VisionSample, Batch, Model extends AnyModule> {
  readonly model: Model;
  readonly pictures: KeptSamples<Sample>;
  readonly validation: KeptSamples<Sample> | undefined;
  readonly validationBatchSize: number;
  readonly augment: Augmentation;
  readonly collate: (samples: readonly Sample[]) => Batch;
  readonly computeLoss: NonNullable<TrainerOptions<Batch, Model>["computeLoss"]>;
  readonly metrics?: TrainerOptions<Batch, Model>["metrics"];
  /** Parameters with a largest learning rate of their own, whose cycle begins with an epoch; the rest has `learningRate`. */
  readonly slower?: {
    readonly parameters: readonly Parameter[];
    readonly learningRate: number;
    readonly startEpoch: number;
  };
  readonly epochs: number;
  readonly batchSize: number;
  readonly learningRate: number;
  readonly weightDecay: number;
  /** Share of the steps in which the learning rate rises. */
  readonly increasingShare: number;
  readonly seed: number;
  readonly callbacks: FitOptions<Batch>["callbacks"];
  readonly signal: AbortSignal | undefined;
  readonly resumeFrom: string | undefined;
}

/**
 * Trains a model on augmented pictures under AdamW and one cycle of the learning rates. The model stays the caller's; when
 * training fails it is disposed.
 * @returns how each epoch went
 */
export async function fitFromScratch<Sample extends VisionSample, Batch, Model extends AnyModule>(
  parts: FitFromScratch<Sample, Batch, Model>,
): Promise<readonly EpochRecord[]> {
  const { model, pictures, validation, collate, epochs, batchSize, learningRate, weightDecay, seed } = parts;
  const { callbacks, signal, resumeFrom, metrics, slower } = parts;
  const slow = new Set(slower?.parameters);
  const rest = { parameters: model.parameters().filter((parameter) => !slow.has(parameter)) };
  const groups =
    slower === undefined
      ? [rest]
      : [rest, { parameters: slower.parameters, options: { learningRate: slower.learningRate } }];
  const optimizer = new AdamW(groups, { learningRate, weightDecay });
  try {
    const loader = new DataLoader(new MappedDataset(pictures, parts.augment), {
      batchSize,
      shuffle: true,
      dropLast: isLastBatchTooSmall(pictures.length, batchSize),
      seed,
      collate,
    });
    const trainer = new Trainer<Batch, Model>({
      model,
      optimizer,
      computeLoss: parts.computeLoss,
      schedule: scheduleOf(optimizer, parts, loader.length!),
      ...(metrics === undefined ? {} : { metrics }),
    });
    const { history } = await trainer.fit(loader, {
      epochs,
      ...(validation === undefined
        ? {}
        : { validation: new DataLoader(validation, { batchSize: parts.validationBatchSize, collate }) }),
      ...(callbacks === undefined ? {} : { callbacks }),
      ...(signal === undefined ? {} : { signal }),
      ...(resumeFrom === undefined ? {} : { resumeFrom }),
    });
    return [...history.epochs];
  } catch (error) {
    model.dispose();
    throw error;
  } finally {
    optimizer.dispose();
  }
}

function scheduleOf<Sample extends VisionSample, Batch, Model extends AnyModule>(
  optimizer: AdamW,
  { slower, epochs, learningRate, increasingShare }: FitFromScratch<Sample, Batch, Model>,
  stepsPerEpoch: number,
): LearningRateSchedule {
  const totalSteps = epochs * stepsPerEpoch;
  if (slower === undefined)
    return new OneCycleLR(optimizer, { maxLearningRate: learningRate, totalSteps, increasingShare });
  // what was frozen begins gently too: full steps at once would undo what it has learnt
  const starts = [0, slower.startEpoch * stepsPerEpoch];
  return new LambdaLR(optimizer, {
    factor: (step, group) => cycle(step - starts[group], totalSteps - starts[group], increasingShare),
  });
}

/** Factor of the learning rate: up in a line, down in half a cosine; 0 outside. */
function cycle(step: number, steps: number, increasingShare: number): number {
  if (step < 0 || step >= steps) return 0;
  const top = Math.floor(increasingShare * steps);
  if (step < top) return (step + 1) / (top + 1);
  return (1 + Math.cos((Math.PI * (step - top)) / (steps - top))) / 2;
}
