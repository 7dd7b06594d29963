import { InputError } from "@ai/tensor";
import { defaultStorage } from "../browser-storage.js";
import { assertOptionNames } from "../option-names.js";
import type { ParameterStatistics } from "../parameter-statistics.js";
import { readIfPresent, type TrainingStorage } from "../storage.js";
import type { TrainingCallback } from "./callback.js";
import { ParameterWatch, type WatchParametersOptions } from "./parameter-watch.js";

/** Statistics of all parameters right after a step. */
export interface ParametersAtStep {
  readonly step: number;
  readonly parameters: readonly ParameterStatistics[];
}

/** Options of {@link parameterHistory}: `path`, `onStatistics` or both. */
export interface ParameterHistoryOptions extends WatchParametersOptions {
  /** A CSV file, a row a parameter and step. */
  readonly path?: string;
  /** Gets the statistics, histograms included. */
  readonly onStatistics?: (statistics: ParametersAtStep) => void;
  /** Default: the file system in Node, the browser's storage elsewhere. */
  readonly storage?: TrainingStorage;
}

const OPTIONS = ["everySteps", "bins", "match", "path", "onStatistics", "storage"] as const;
const COLUMNS = [
  "norm",
  "mean",
  "std",
  "min",
  "max",
  "zeros",
  "nonFinite",
  "gradientNorm",
  "updateRatio",
] as const;
const HEADER = `step,parameter,size,${COLUMNS.join(",")}\n`;

/**
 * Keeps statistics of every parameter: norm, mean, deviation, range, zeros, gradient norm and how large the update was beside
 * the values. Rows of steps that are repeated after a resume are replaced. It copies the parameters twice at the steps
 * that it looks at.
 * @throws InputError for counts below 1, or neither `path` nor `onStatistics`.
 * @example
 * const callbacks = [parameterHistory({ path: "runs/a/parameters.csv", everySteps: 50 })];
 */
export function parameterHistory(options: ParameterHistoryOptions): TrainingCallback {
  assertOptionNames("parameterHistory", options, OPTIONS);
  const { path, onStatistics } = options;
  if (path === undefined && onStatistics === undefined)
    throw new InputError("parameterHistory: expected a path or onStatistics, got neither");
  const watch = new ParameterWatch("parameterHistory", options);
  let storage = options.storage;
  return {
    name: "parameter-history",
    async onFitStart({ trainer }) {
      if (path === undefined) return;
      storage ??= await defaultStorage();
      const bytes = await readIfPresent(storage, path);
      const old = bytes === undefined ? [] : new TextDecoder().decode(bytes).split("\n").slice(1);
      const kept = old.filter((line) => line !== "" && Number(line.split(",", 1)[0]) <= trainer.step);
      const text = HEADER + kept.map((line) => `${line}\n`).join("");
      await storage.write(path, new TextEncoder().encode(text));
    },
    onGradients: (update, run) => watch.before(update, run),
    async onStepEnd({ trainer: { step } }) {
      const parameters = await watch.after();
      if (parameters === undefined) return;
      onStatistics?.({ step, parameters });
      if (path === undefined || storage === undefined) return;
      const rows = parameters.map((each) =>
        [step, each.path, each.size, ...COLUMNS.map((name) => each[name] ?? "")].join(","),
      );
      await storage.append(path, new TextEncoder().encode(`${rows.join("\n")}\n`));
    },
  };
}
