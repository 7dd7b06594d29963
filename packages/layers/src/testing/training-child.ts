/**
 * A short training run that has every kind of state, in a process that a test may kill: convolution, batch norm,
 * dropout, AdamW, one-cycle schedule, clipping, augmentation, shuffling, metrics and a checkpoint after every step.
 */
import { flatten, manualSeed, relu, type Tensor, useDevice } from "@ai/tensor";
import { Conv2d } from "../conv.js";
import { Dropout } from "../dropout.js";
import { Linear } from "../linear.js";
import { Module } from "../module.js";
import { BatchNorm2d } from "../normalization.js";
import {
  Accuracy,
  AdamW,
  ArrayDataset,
  CrossEntropyLoss,
  checkpoints,
  createCollate,
  DataLoader,
  earlyStopping,
  MappedDataset,
  OneCycleLR,
  Trainer,
  type TrainingCallback,
  type TrainingStorage,
} from "../training/index.js";

/** Steps of the whole run. */
export const CHILD_STEPS = 60;
const SIDE = 6;
const ITEMS = 40;
const BATCH = 8;
const EPOCHS = CHILD_STEPS / (ITEMS / BATCH);

class TinyNet extends Module<[x: Tensor], Tensor> {
  readonly conv = new Conv2d(1, 4, 3);
  readonly norm = new BatchNorm2d(4);
  readonly dropout = new Dropout(0.25);
  readonly output = new Linear(4 * (SIDE - 2) ** 2, 3);

  protected forward(x: Tensor): Tensor {
    const features = relu(this.norm.call(this.conv.call(x))); // [batch, SIDE - 2, SIDE - 2, 4]
    return this.output.call(this.dropout.call(flatten(features, { startAxis: 1 })));
  }
}

/** Options of {@link trainTinyNet}. */
export interface TinyRunOptions {
  readonly folder: string;
  readonly keepLast: number;
  readonly storage?: TrainingStorage;
  readonly onStep?: (step: number) => void;
}

/** Trains from the last checkpoint of the folder, or from the start. */
export async function trainTinyNet({ folder, keepLast, storage, onStep }: TinyRunOptions): Promise<void> {
  const generator = manualSeed(7).fork("data");
  const items = Array.from({ length: ITEMS }, (_, label) => ({
    values: Float32Array.from({ length: SIDE * SIDE }, () => generator.normal() + (label % 3)),
    shape: [SIDE, SIDE, 1],
    dtype: "float32" as const,
  })).map((image, index) => [image, index % 3] as const);
  const noisy = new MappedDataset(new ArrayDataset(items), ([image, label], { generator: noise }) => {
    const values = image.values.map((value) => value + 0.1 * noise.normal());
    return [{ ...image, values }, label] as const;
  });
  const collate = createCollate({ numberDtype: "int32" });
  const loader = new DataLoader(noisy, { batchSize: BATCH, shuffle: true, seed: 3, collate, prefetch: 2 });
  const validation = new DataLoader(noisy, { batchSize: 20, seed: 4, collate });
  const model = new TinyNet();
  const optimizer = new AdamW(model.parameters(), { learningRate: 0.01 });
  const schedule = new OneCycleLR(optimizer, { maxLearningRate: 0.02, totalSteps: CHILD_STEPS });
  const trainer = new Trainer({
    model,
    optimizer,
    schedule,
    loss: new CrossEntropyLoss(),
    maxGradientNorm: 1,
    metrics: { accuracy: new Accuracy() },
  });
  const report: TrainingCallback = { name: "report", last: true, onStepEnd: () => onStep?.(trainer.step) };
  const files = storage === undefined ? {} : { storage };
  await trainer.fit(loader, {
    epochs: EPOCHS,
    validation,
    resumeFrom: folder,
    ...files,
    callbacks: [
      earlyStopping({ patience: 100 }),
      checkpoints({ folder, everySteps: 1, everyEpochs: 1, keepLast, ...files }),
      report,
    ],
  });
  optimizer.dispose();
  model.dispose();
}

/** The child process: starts the device, says `ready`, waits for a line, trains and says each step. */
export async function runChild(folder: string): Promise<void> {
  await useDevice("wasm");
  process.stdout.write("ready\n");
  await new Promise<void>((resolve) => process.stdin.once("data", () => resolve()));
  await trainTinyNet({ folder, keepLast: 2, onStep: (step) => process.stdout.write(`step ${step}\n`) });
  process.stdout.write("done\n");
  process.exit(0);
}
