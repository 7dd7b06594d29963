import { describeDevice, InputError } from "@ai/tensor";
import { defaultStorage } from "../browser-storage.js";
import type { FitEnd, TrainingCallback, TrainingRun } from "../callbacks/callback.js";
import { parse, stringify } from "../checkpoint.js";
import type { EpochRecord, TrainingHistory } from "../history.js";
import { assertOptionNames } from "../option-names.js";
import { readIfPresent, type TrainingStorage } from "../storage.js";

/** The file in a run's folder. */
export const RECORD_FILE = "run.json";
/** Between epochs it is written after this time. */
const WRITE_MILLISECONDS = 10_000;
/** A curve has at most so many points, each a mean. */
const MAX_POINTS = 400;

/** A value of a run's configuration: plain JSON. */
export type ConfigValue =
  | null
  | boolean
  | number
  | string
  | readonly ConfigValue[]
  | { readonly [name: string]: ConfigValue | undefined };

/** A few steps of the loss curve. */
export interface CurvePoint {
  /** The middle of the steps. */
  readonly step: number;
  /** Their mean loss. */
  readonly loss: number;
  /** Of the last of them. */
  readonly learningRate: number;
}

/** What a run did: plain data. */
export interface RunRecord {
  /** What was decided for it: sizes, rates, seeds. */
  readonly config: { readonly [name: string]: ConfigValue | undefined };
  readonly epochs: readonly EpochRecord[];
  /** Training loss over the steps, in at most a few hundred points. */
  readonly curve: readonly CurvePoint[];
  /** Optimizer steps so far. */
  readonly step: number;
  /** Absent while it runs, or when what is left of it does not tell. */
  readonly outcome?: FitEnd["outcome"];
  readonly reason?: string;
  /** ISO 8601. */
  readonly startedAt?: string;
  readonly device?: string;
}

/** Options of {@link runRecord}. */
export interface RunRecordOptions {
  /** The run's folder; `run.json` is written there. */
  readonly folder: string;
  /** What tells this run from others: plain JSON. */
  readonly config?: RunRecord["config"];
  /** Default: the file system in Node, the browser's storage elsewhere. */
  readonly storage?: TrainingStorage;
}

/**
 * Keeps `run.json` in a run's folder: configuration, values of all epochs, loss curve and how it ended, for `compareRuns`.
 * @throws InputError for a configuration that is not plain JSON.
 * @example
 * const callbacks = [runRecord({ folder: "runs/wide", config: { width: 256, learningRate: 1e-3 } })];
 */
export function runRecord(options: RunRecordOptions): TrainingCallback {
  assertOptionNames("runRecord", options, ["folder", "config", "storage"]);
  const { folder, config = {} } = options;
  if (typeof folder !== "string" || folder === "")
    throw new InputError(`runRecord: expected a folder, got ${String(folder)}`);
  assertConfig(config, "config");
  const path = `${folder}/${RECORD_FILE}`;
  let storage = options.storage;
  let startedAt = "";
  let writtenAt = 0;
  const write = async ({ trainer }: TrainingRun, end?: FitEnd): Promise<void> => {
    storage ??= await defaultStorage();
    writtenAt = performance.now();
    const { history, step } = trainer;
    const record: RunRecord = {
      config,
      epochs: history.epochs,
      curve: curveOf(history),
      step,
      startedAt,
      device: describeDevice().device,
      ...end,
    };
    await storage.write(path, new TextEncoder().encode(stringify(record)));
  };
  return {
    name: "run-record",
    async onFitStart(run) {
      storage ??= await defaultStorage();
      const old = run.trainer.step === 0 ? undefined : await readRecord(path, storage);
      startedAt = old?.startedAt ?? new Date().toISOString();
      await write(run);
    },
    async onStepEnd(run) {
      if (performance.now() - writtenAt > WRITE_MILLISECONDS) await write(run);
    },
    onEpochEnd: (_, run) => write(run),
    onFitEnd: (end, run) => write(run, end),
  };
}

/** What `runRecord` wrote; undefined when there is no such file. @throws InputError for another file of that name. */
export async function readRecord(path: string, storage: TrainingStorage): Promise<RunRecord | undefined> {
  const bytes = await readIfPresent(storage, path);
  if (bytes === undefined) return undefined;
  let record: RunRecord | undefined;
  try {
    record = parse(new TextDecoder().decode(bytes)) as RunRecord;
  } catch {
    // told below
  }
  if (!Array.isArray(record?.epochs) || !Array.isArray(record.curve))
    throw new InputError(`compareRuns: expected ${path} as runRecord wrote it, got another file; remove it`);
  return record;
}

/** The losses of a run in at most {@link MAX_POINTS} pieces. */
export function curveOf({
  losses,
  learningRates,
}: Pick<TrainingHistory, "losses" | "learningRates">): CurvePoint[] {
  const size = Math.max(1, Math.ceil(losses.length / MAX_POINTS));
  const points: CurvePoint[] = [];
  for (let start = 0; start < losses.length; start += size) {
    const part = losses.slice(start, start + size);
    points.push({
      step: start + (1 + part.length) / 2,
      loss: part.reduce((total, loss) => total + loss, 0) / part.length,
      learningRate: learningRates[start + part.length - 1],
    });
  }
  return points;
}

function assertConfig(value: unknown, path: string): void {
  const isObject = typeof value === "object" && value !== null;
  if (Array.isArray(value) || (isObject && Object.getPrototypeOf(value) === Object.prototype)) {
    for (const [name, part] of Object.entries(value as object))
      if (part !== undefined) assertConfig(part, `${path}.${name}`);
    return;
  }
  if (value === null || ["boolean", "number", "string"].includes(typeof value)) return;
  throw new InputError(
    `runRecord: expected plain JSON as config, got ${isObject ? "an object of a class" : typeof value} at ${path}; write its name or numbers`,
  );
}
