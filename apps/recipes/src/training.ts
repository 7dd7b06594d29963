import type { Module } from "@ai/layers";
import {
  AdamW,
  type ComputeLoss,
  CrossEntropyLoss,
  DataLoader,
  OneCycleLR,
  TensorDataset,
  Trainer,
} from "@ai/layers/training";
import { argMax, dispose, read, type Tensor, tensor, tidy } from "@ai/tensor";
import { type Digits, IMAGE_SIZE } from "./digits.js";

/** What every recipe gets: how much data, how long, and where its lines go. */
export interface RecipeOptions {
  readonly images: number;
  readonly testImages: number;
  readonly epochs: number;
  readonly print: (line: string) => void;
  readonly signal?: AbortSignal;
}

/** A model from pictures to logits `[batch, 10]`. */
export type DigitModel = Module<[input: Tensor], Tensor>;

/** Options of {@link train}. */
export interface TrainOptions {
  readonly epochs: number;
  readonly learningRate?: number;
  readonly computeLoss?: ComputeLoss<readonly Tensor[], DigitModel>;
  readonly signal?: AbortSignal | undefined;
}

const BATCH_SIZE = 64;

/** Trains what is not frozen. @returns seconds a step. */
export async function train(
  model: DigitModel,
  digits: Digits,
  { epochs, learningRate = 2e-3, computeLoss, signal }: TrainOptions,
): Promise<number> {
  const { images, labels, count } = digits;
  const dataset = new TensorDataset([
    { values: images, shape: [count, IMAGE_SIZE, IMAGE_SIZE, 1], dtype: "float32" },
    { values: labels, shape: [count], dtype: "int32" },
  ]);
  const loader = new DataLoader(dataset, { batchSize: BATCH_SIZE, shuffle: true, seed: 1 });
  const trained = model.parameters().filter(({ requiresGrad }) => requiresGrad);
  const optimizer = new AdamW(trained, { learningRate });
  const totalSteps = epochs * Math.ceil(count / BATCH_SIZE);
  const trainer = new Trainer<readonly Tensor[], DigitModel>({
    model,
    optimizer,
    schedule: new OneCycleLR(optimizer, { maxLearningRate: learningRate, totalSteps }),
    ...(computeLoss === undefined ? { loss: new CrossEntropyLoss() } : { computeLoss }),
  });
  const started = performance.now();
  await trainer.fit(loader, { epochs, ...(signal && { signal }) });
  const seconds = (performance.now() - started) / 1000;
  optimizer.dispose();
  return seconds / totalSteps;
}

/** Share of the digits that a model reads right, in evaluation mode. */
export async function accuracy(model: DigitModel, { images, labels, count }: Digits): Promise<number> {
  model.eval();
  const size = IMAGE_SIZE * IMAGE_SIZE;
  let right = 0;
  for (let start = 0; start < count; start += 500) {
    const end = Math.min(count, start + 500);
    const answers = tidy(() => {
      const batch = tensor(images.slice(start * size, end * size), [end - start, IMAGE_SIZE, IMAGE_SIZE, 1]);
      return argMax(model.call(batch), { axis: 1 });
    });
    (await read(answers)).forEach((digit, index) => {
      if (digit === labels[start + index]) right++;
    });
    answers.dispose();
  }
  model.train();
  return right / count;
}

/** Shortest of a few calls with so many pictures, in milliseconds. */
export async function millisecondsPerCall(model: DigitModel, batch: number): Promise<number> {
  model.eval();
  const x = tensor(new Float32Array(batch * IMAGE_SIZE * IMAGE_SIZE).fill(0.5), [
    batch,
    IMAGE_SIZE,
    IMAGE_SIZE,
    1,
  ]);
  let best = Number.POSITIVE_INFINITY;
  for (let count = 0; count < 10; count++) {
    const started = performance.now();
    const y = model.call(x);
    await read(y);
    best = Math.min(best, performance.now() - started);
    dispose(y);
  }
  dispose(x);
  model.train();
  return best;
}
