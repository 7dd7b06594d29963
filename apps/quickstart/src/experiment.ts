import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Module } from "@ai/layers";
import {
  Accuracy,
  Adam,
  CrossEntropyLoss,
  checkpoints,
  csvHistory,
  DataLoader,
  OneCycleLR,
  progressBar,
  TensorDataset,
  Trainer,
  tensorBoard,
} from "@ai/layers/training";
import type { Tensor } from "@ai/tensor";
import { type DigitSet, IMAGE_SIZE, normalizePixels } from "./mnist.js";
import { type Prediction, predict } from "./predict.js";

/** One model to train and how. */
export interface Recipe {
  /** Key in `metrics.json` and file name of the weights. */
  readonly name: "cnn" | "lstm";
  readonly title: string;
  readonly description: string;
  readonly build: () => Module;
  readonly epochs: number;
  readonly maxLearningRate: number;
}

/** What a run needs besides the recipe. */
export interface RunOptions {
  readonly train: TensorDataset;
  readonly test: DigitSet;
  readonly batchSize: number;
  readonly seed: number;
  /** Folder for weights, events and history. */
  readonly folder: string;
  readonly signal: AbortSignal;
}

/** A trained model's results. */
export interface ExperimentResult {
  readonly prediction: Prediction;
  readonly losses: readonly number[];
  readonly learningRates: readonly number[];
  readonly seconds: number;
  /** The weights were read back from disk into a new model, and every test answer is the same. */
  readonly reloadedEqual: boolean;
}

/** Longest step that a gradient may make: recurrent networks need it, others do not notice. */
const MAX_GRADIENT_NORM = 1;

/** Digits as normalised pictures `[count, 28, 28, 1]` and labels `[count]`; models share it. */
export function digitDataset(digits: DigitSet): TensorDataset {
  return new TensorDataset([
    {
      values: normalizePixels(digits.images),
      shape: [digits.count, IMAGE_SIZE, IMAGE_SIZE, 1],
      dtype: "float32",
    },
    { values: Int32Array.from(digits.labels), shape: [digits.count], dtype: "int32" },
  ]);
}

/** A model with its optimizer, schedule and data, ready to be timed and trained. */
export class Experiment {
  readonly recipe: Recipe;
  readonly #options: RunOptions;
  readonly #model: Module;
  readonly #loader: DataLoader<unknown, readonly Tensor[]>;
  readonly #optimizer: Adam;
  readonly #trainer: Trainer;

  constructor(recipe: Recipe, options: RunOptions) {
    this.recipe = recipe;
    this.#options = options;
    this.#model = recipe.build();
    this.#loader = new DataLoader(options.train, {
      batchSize: options.batchSize,
      shuffle: true,
      seed: options.seed,
    });
    this.#optimizer = new Adam(this.#model.parameters(), { learningRate: recipe.maxLearningRate });
    this.#trainer = new Trainer({
      model: this.#model,
      loss: new CrossEntropyLoss(),
      optimizer: this.#optimizer,
      schedule: new OneCycleLR(this.#optimizer, {
        maxLearningRate: recipe.maxLearningRate,
        totalSteps: recipe.epochs * this.#loader.length!,
      }),
      maxGradientNorm: MAX_GRADIENT_NORM,
      metrics: { accuracy: new Accuracy() },
    });
  }

  /** Layers, shapes and parameters as a table. */
  describe(): string {
    return String(this.#model.summary([this.#options.batchSize, IMAGE_SIZE, IMAGE_SIZE, 1]));
  }

  /** Seconds that {@link run} will take, from a few timed steps. */
  async estimate(): Promise<number> {
    return (await this.#trainer.estimate(this.#loader, { epochs: this.recipe.epochs })).seconds;
  }

  /** Trains, tests, saves, and proves that what was saved answers the same. */
  async run(): Promise<ExperimentResult> {
    const { folder, test, signal } = this.#options;
    const { name, build, epochs } = this.recipe;
    // a run starts anew: an earlier one's checkpoints are later than its first
    await rm(join(folder, name, "checkpoints"), { recursive: true, force: true });
    const started = performance.now();
    const { history } = await this.#trainer.fit(this.#loader, {
      epochs,
      signal,
      callbacks: [
        progressBar({ title: name.toUpperCase() }),
        checkpoints({ folder: join(folder, name, "checkpoints"), everyEpochs: 1, keepLast: 1 }),
        tensorBoard({ folder: join(folder, name) }),
        csvHistory({ path: join(folder, name, "history.csv") }),
      ],
    });
    const seconds = (performance.now() - started) / 1000;
    const prediction = await predict(this.#model, test, signal);

    const weights = join(folder, `${name}.safetensors`);
    await this.#model.save(weights);
    const reloaded = build();
    await reloaded.load(weights);
    const again = await predict(reloaded, test, signal);
    reloaded.dispose();
    return {
      prediction,
      losses: [...history.losses],
      learningRates: [...history.learningRates],
      seconds,
      reloadedEqual: prediction.answers.every((answer, index) => answer === again.answers[index]),
    };
  }

  /** Frees the model and the optimizer's state. */
  dispose(): void {
    this.#optimizer.dispose();
    this.#model.dispose();
  }
}
