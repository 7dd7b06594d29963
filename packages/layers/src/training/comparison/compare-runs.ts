import { InputError } from "@ai/tensor";
import { defaultStorage } from "../browser-storage.js";
import { SMALL_IS_GOOD } from "../monitor-mode.js";
import { assertOptionNames } from "../option-names.js";
import type { TrainingStorage } from "../storage.js";
import { findRuns } from "./read-run.js";
import type { ConfigValue, RunRecord } from "./run-record.js";

/** Options of {@link compareRuns}. */
export interface CompareRunsOptions {
  /** Whether small or large is good, by name such as `"validation.f1"`. Default: small for losses and errors, else large. */
  readonly modes?: Readonly<Record<string, "min" | "max">>;
  /** Default: the file system in Node, the browser's storage elsewhere. */
  readonly storage?: TrainingStorage;
  readonly signal?: AbortSignal;
}

/** A value of one run. */
export interface RunValue {
  /** After the last epoch. */
  readonly last: number;
  readonly best: number;
  /** The epoch with the best. */
  readonly bestEpoch: number;
}

/** One run among others. */
export interface ComparedRun extends RunRecord {
  /** Its folder below the one that all share. */
  readonly name: string;
  readonly folder: string;
  /** Of all epochs. */
  readonly seconds: number;
  /** By name: `loss`, metrics, and the same of the validation data after `validation.`. */
  readonly values: Readonly<Record<string, RunValue>>;
}

/** What {@link compareRuns} gives: plain data. */
export interface RunComparison {
  readonly runs: readonly ComparedRun[];
  /** Values that some run has: whether small is good, and the best run's name. */
  readonly values: readonly {
    readonly name: string;
    readonly mode: "min" | "max";
    readonly bestRun: string;
  }[];
  /** Parts of the configurations that differ, one value a run; undefined where a run lacks it. */
  readonly differences: readonly {
    readonly name: string;
    readonly values: readonly (ConfigValue | undefined)[];
  }[];
}

/**
 * Compares runs by what their callbacks wrote (`runRecord`, `csvHistory`, `checkpoints`): last and best values, and what
 * is different in their configurations.
 * @param folders One folder that has runs in it, or a list of such folders and of runs.
 * @returns plain data, for `formatRuns` and `reportRuns`.
 * @throws the reason of `signal` once aborted; InputError when a folder has no run.
 * @example
 * const comparison = await compareRuns("runs");
 * console.log(formatRuns(comparison));
 * await writeFile("runs/report.html", reportRuns(comparison));
 */
export async function compareRuns(
  folders: string | readonly string[],
  options: CompareRunsOptions = {},
): Promise<RunComparison> {
  assertOptionNames("compareRuns", options, ["modes", "storage", "signal"]);
  const { modes = {}, signal } = options;
  const list = typeof folders === "string" ? [folders] : folders;
  if (
    !Array.isArray(list) ||
    list.length === 0 ||
    list.some((each) => typeof each !== "string" || each === "")
  )
    throw new InputError("compareRuns: expected a folder or a list of folders, got something else");
  for (const mode of Object.values(modes))
    if (mode !== "min" && mode !== "max")
      throw new InputError(`compareRuns: expected modes min or max, got ${String(mode)}`);
  signal?.throwIfAborted();
  const storage = options.storage ?? (await defaultStorage());
  const found: [string, RunRecord][] = [];
  for (const folder of list) {
    const inside = await findRuns(folder.replace(/\/+$/, ""), storage);
    signal?.throwIfAborted();
    if (inside.length === 0)
      throw new InputError(
        `compareRuns: expected runs in ${folder}, got none; write them with runRecord, csvHistory or checkpoints`,
      );
    found.push(...inside.filter(([path]) => !found.some(([known]) => known === path)));
  }
  const shared = sharedFolder(found.map(([path]) => path));
  const modeOf = (name: string): "min" | "max" => modes[name] ?? (SMALL_IS_GOOD.test(name) ? "min" : "max");
  const runs = found.map(([folder, record]): ComparedRun => {
    const seconds = record.epochs.reduce((total, epoch) => total + epoch.seconds, 0);
    return {
      ...record,
      name: folder.slice(shared.length),
      folder,
      seconds,
      values: valuesOf(record, modeOf),
    };
  });
  const names = [...new Set(runs.flatMap(({ values }) => Object.keys(values)))];
  return {
    runs,
    values: names.map((name) => ({ name, mode: modeOf(name), bestRun: bestRun(runs, name, modeOf(name)) })),
    differences: differencesOf(runs.map(({ config }) => config)),
  };
}

/** What all paths begin with, up to a `/`; the parent of a single one. */
function sharedFolder(paths: readonly string[]): string {
  const parents = paths.map((path) => path.slice(0, path.lastIndexOf("/") + 1));
  let [shared] = parents;
  while (!parents.every((parent) => parent.startsWith(shared)))
    shared = shared.slice(0, shared.lastIndexOf("/", shared.length - 2) + 1);
  return shared;
}

function isBetter(mode: "min" | "max", value: number, than: number): boolean {
  return Number.isNaN(than) ? !Number.isNaN(value) : mode === "min" ? value < than : value > than;
}

function valuesOf({ epochs }: RunRecord, modeOf: (name: string) => "min" | "max"): Record<string, RunValue> {
  const values: Record<string, RunValue> = {};
  for (const { epoch, values: current } of epochs)
    for (const [name, last] of Object.entries(current)) {
      const known = values[name];
      const wins = known === undefined || isBetter(modeOf(name), last, known.best);
      values[name] = wins ? { last, best: last, bestEpoch: epoch } : { ...known, last };
    }
  return values;
}

function bestRun(runs: readonly ComparedRun[], name: string, mode: "min" | "max"): string {
  const having = runs.filter(({ values }) => name in values);
  const best = having.reduce((a, b) => (isBetter(mode, b.values[name].best, a.values[name].best) ? b : a));
  return best.name;
}

function differencesOf(configs: readonly RunRecord["config"][]): RunComparison["differences"] {
  const flat = configs.map((config) => flattened(config));
  const names = [...new Set(flat.flatMap((config) => [...config.keys()]))];
  return names
    .map((name) => ({ name, values: flat.map((config) => config.get(name)) }))
    .filter(({ values }) => new Set(values.map((value) => JSON.stringify(value))).size > 1);
}

/** Nested settings by paths with dots; lists stay whole. */
function flattened(config: RunRecord["config"], prefix = ""): Map<string, ConfigValue> {
  const found = new Map<string, ConfigValue>();
  for (const [name, value] of Object.entries(config)) {
    if (value === undefined) continue;
    if (typeof value === "object" && value !== null && !Array.isArray(value))
      for (const [path, part] of flattened(value as RunRecord["config"], `${prefix}${name}.`))
        found.set(path, part);
    else found.set(prefix + name, value);
  }
  return found;
}
