import { manualSeed, read, relu, type Tensor } from "@ai/tensor";
import { Dropout } from "../dropout.js";
import { Linear } from "../linear.js";
import { Module } from "../module.js";
import {
  Accuracy,
  AdamW,
  CosineAnnealingLR,
  CrossEntropyLoss,
  DataLoader,
  type HostTensor,
  TensorDataset,
  Trainer,
  type TrainerOptions,
} from "../training/index.js";

/** Input and target. */
export type Pair = readonly Tensor[];

/** Two layers with dropout between them. */
export class Perceptron extends Module<[x: Tensor], Tensor> {
  readonly hidden = new Linear(2, 16);
  readonly dropout: Dropout;
  readonly output = new Linear(16, 2);

  constructor(probability = 0) {
    super();
    this.dropout = new Dropout(probability);
  }

  protected forward(x: Tensor): Tensor {
    return this.output.call(this.dropout.call(relu(this.hidden.call(x))));
  }
}

/** Points of the plane; their class is whether both coordinates have one sign. */
export function quadrants(count: number): TensorDataset {
  const generator = manualSeed(1).fork("points");
  const points = Float32Array.from({ length: 2 * count }, () => 2 * generator.uniform() - 1);
  const labels = Int32Array.from({ length: count }, (_, i) =>
    points[2 * i] * points[2 * i + 1] > 0 ? 1 : 0,
  );
  const inputs: HostTensor = { values: points, shape: [count, 2], dtype: "float32" };
  return new TensorDataset([inputs, { values: labels, shape: [count], dtype: "int32" }]);
}

/** All parameters, one after another. */
export async function weights(model: Perceptron): Promise<number[]> {
  return (await Promise.all(model.parameters().map(async ({ value }) => [...(await read(value))]))).flat();
}

/** A run with all that has a state: dropout, AdamW, schedule, shuffling, metrics, early stopping. */
export function makeRun(options: Partial<TrainerOptions<Pair, Perceptron>> = {}, batchSize = 8) {
  manualSeed(3);
  const model = new Perceptron(0.3);
  const optimizer = new AdamW(model.parameters(), { learningRate: 0.05 });
  const schedule = new CosineAnnealingLR(optimizer, { totalIterations: 20 });
  const data = quadrants(20);
  const loader = new DataLoader(data, { batchSize, shuffle: true, seed: 5 });
  const validation = new DataLoader(data, { batchSize: 10 });
  const loss = new CrossEntropyLoss();
  const trainer = new Trainer<Pair, Perceptron>({
    model,
    optimizer,
    schedule,
    loss,
    metrics: { accuracy: new Accuracy() },
    ...options,
  });
  manualSeed(11);
  const dispose = (): void => {
    optimizer.dispose();
    model.dispose();
  };
  return { model, optimizer, loader, validation, trainer, dispose };
}
