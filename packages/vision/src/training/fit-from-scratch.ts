import type { AnyModule } from "@ai/layers";
import {
  AdamW,
  DataLoader,
  type EpochRecord,
  type FitOptions,
  MappedDataset,
  OneCycleLR,
  Trainer,
  type TrainerOptions,
} from "@ai/layers/training";
import type { Augmentation, VisionSample } from "../augment/sample.js";
import type { KeptSamples } from "./picture-set.js";

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
 * Trains a model on augmented pictures under AdamW and one cycle of the learning rate. The model stays the caller's; when
 * training fails it is disposed.
 * @returns how each epoch went
 */
export async function fitFromScratch<Sample extends VisionSample, Batch, Model extends AnyModule>(
  parts: FitFromScratch<Sample, Batch, Model>,
): Promise<readonly EpochRecord[]> {
  const { model, pictures, validation, collate, epochs, batchSize, learningRate, weightDecay, seed } = parts;
  const { callbacks, signal, resumeFrom, metrics } = parts;
  const optimizer = new AdamW(model.parameters(), { learningRate, weightDecay });
  try {
    const loader = new DataLoader(new MappedDataset(pictures, parts.augment), {
      batchSize,
      shuffle: true,
      dropLast: pictures.length >= batchSize,
      seed,
      collate,
    });
    const trainer = new Trainer<Batch, Model>({
      model,
      optimizer,
      computeLoss: parts.computeLoss,
      schedule: new OneCycleLR(optimizer, {
        maxLearningRate: learningRate,
        totalSteps: epochs * loader.length!,
        increasingShare: parts.increasingShare,
      }),
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
