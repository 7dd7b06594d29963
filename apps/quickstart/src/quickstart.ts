import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { formatDuration } from "@ai/layers/training";
import { type DeviceName, InputError, manualSeed, useDevice } from "@ai/tensor";
import { digitDataset, Experiment, type ExperimentResult, type Recipe } from "./experiment.js";
import { loadDigits } from "./mnist.js";
import { buildCnn, RowReader } from "./models.js";
import { type ModelSection, renderReport } from "./report.js";

/** Digits a step. */
const BATCH_SIZE = 64;

const recipes: readonly Recipe[] = [
  {
    name: "cnn",
    title: "Convolutional network",
    description:
      "Two 3×3 convolutions (32 and 64 channels) with pooling, then two linear layers. It sees the whole picture at once.",
    build: buildCnn,
    epochs: 1,
    maxLearningRate: 3e-3,
  },
  {
    name: "lstm",
    title: "Recurrent network",
    description:
      "Two stacked LSTM layers of 128 units read the picture row by row, from top to bottom, and answer after the last row.",
    build: () => new RowReader(),
    epochs: 2,
    maxLearningRate: 4e-3,
  },
];

/** What a run is asked for. */
export interface QuickstartOptions {
  /** The fastest one when left out. */
  readonly device?: DeviceName;
  /** Training pictures to use, of 60,000. */
  readonly images?: number;
  /** Test pictures to use, of 10,000. */
  readonly testImages?: number;
  readonly seed: number;
  /** Folder for weights, events, metrics and the report. */
  readonly out: string;
  /** How the run was started, for `metrics.json`. */
  readonly command: string;
  readonly signal: AbortSignal;
  /** Shows one line or table. */
  readonly print: (text: string) => void;
}

function confusionText(confusion: readonly (readonly number[])[]): string {
  const line = (cells: readonly (number | string)[]): string =>
    cells.map((cell) => String(cell).padStart(5)).join("");
  const rows = confusion.map((row, truth) => line([truth, ...row]));
  return ["rows: truth, columns: answer", line(["", ...confusion.keys()]), ...rows].join("\n");
}

function section({ title, description }: Recipe, result: ExperimentResult): ModelSection {
  const steps = result.losses.map((_, index) => index + 1);
  return {
    title,
    description,
    testAccuracy: result.prediction.accuracy,
    seconds: result.seconds,
    curves: [
      { label: "training loss", steps, values: result.losses },
      { label: "learning rate", steps, values: result.learningRates },
    ],
    confusion: result.prediction.confusion,
    mistakes: result.prediction.mistakes,
  };
}

/**
 * Trains both networks, tests them, and writes everything to `out`.
 * @throws the reason of `signal` once aborted; InputError when a reloaded checkpoint answers otherwise.
 */
export async function runQuickstart(run: QuickstartOptions): Promise<void> {
  const { out, seed, signal, print } = run;
  const { device, hardware, threads, reason } = await useDevice(run.device);
  print(`Device: ${device} (${hardware}, ${threads} thread${threads === 1 ? "" : "s"}): ${reason}.`);
  manualSeed(seed);
  const train = await loadDigits("train", run.images);
  const test = await loadDigits("test", run.testImages);
  print(`Data: MNIST, ${train.count} handwritten digits to learn from, ${test.count} to be tested on.`);
  await mkdir(out, { recursive: true });

  const options = { train: digitDataset(train), test, batchSize: BATCH_SIZE, seed, folder: out, signal };
  const experiments = recipes.map((recipe) => new Experiment(recipe, options));
  try {
    let expected = 0;
    for (const experiment of experiments) expected += await experiment.estimate();
    print(`This will take about ${formatDuration(expected)}.`);

    const sections: ModelSection[] = [];
    const metrics: Record<string, object> = {};
    for (const experiment of experiments) {
      const { recipe } = experiment;
      print(`\n${recipe.title}\n${recipe.description}\n${experiment.describe()}`);
      const result = await experiment.run();
      const { accuracy, confusion } = result.prediction;
      print(
        `Test accuracy: ${(accuracy * 100).toFixed(2)} % of ${test.count} pictures, ${formatDuration(result.seconds)} of training.`,
      );
      print(confusionText(confusion));
      if (!result.reloadedEqual)
        throw new InputError(
          "quickstart: expected the reloaded checkpoint to give the same answers, got others; please report this",
        );
      print(
        "The checkpoint was read back from disk into a new model: it answers the same on every test picture.",
      );
      sections.push(section(recipe, result));
      metrics[recipe.name] = {
        testAccuracy: accuracy,
        images: train.count,
        seconds: result.seconds,
        device,
        dataset: "MNIST",
        split: "test",
        metric: "accuracy",
        value: accuracy,
        command: run.command,
        date: new Date().toISOString(),
      };
    }
    await writeFile(join(out, "metrics.json"), `${JSON.stringify(metrics, null, 2)}\n`);
    await writeFile(join(out, "report.html"), await renderReport(sections, `${device} (${hardware})`));
  } finally {
    for (const experiment of experiments) experiment.dispose();
  }
}
