import { defaultStorage } from "../browser-storage.js";
import type { EpochRecord } from "../history.js";
import { assertOptionNames } from "../option-names.js";
import type { TrainingStorage } from "../storage.js";
import type { TrainingCallback } from "./callback.js";

/** Options of {@link csvHistory}. */
export interface CsvHistoryOptions {
  /** The file; it is replaced. */
  readonly path: string;
  /** Default: the file system in Node, the browser's storage elsewhere. */
  readonly storage?: TrainingStorage;
}

function quote(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** The epochs as a table: `epoch,step,seconds,learningRate` and every value; empty where an epoch lacks one. */
export function historyToCsv(epochs: readonly EpochRecord[]): string {
  const names = [...new Set(epochs.flatMap(({ values }) => Object.keys(values)))];
  const rows = epochs.map(({ epoch, step, seconds, learningRate, values }) => [
    epoch,
    step,
    seconds,
    learningRate,
    ...names.map((name) => values[name] ?? ""),
  ]);
  const header = ["epoch", "step", "seconds", "learningRate", ...names].map(quote);
  return [header, ...rows].map((row) => `${row.join(",")}\n`).join("");
}

/** Keeps a CSV file of all epochs so far, those before a resume included. */
export function csvHistory(options: CsvHistoryOptions): TrainingCallback {
  assertOptionNames("csvHistory", options, ["path", "storage"]);
  const { path, storage } = options;
  return {
    name: "csv-history",
    async onEpochEnd(_, { trainer }) {
      const target = storage ?? (await defaultStorage());
      await target.write(path, new TextEncoder().encode(historyToCsv(trainer.history.epochs)));
    },
  };
}
