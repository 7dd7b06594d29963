import { encodeSafetensors, InputError, readSafetensors, WeightsError } from "@ai/tensor";
import type { StateDict } from "../state-dict.js";
import { defaultStorage } from "./browser-storage.js";
import { crc32c } from "./crc32c.js";
import { assertOptionNames } from "./option-names.js";
import { readIfPresent, type TrainingStorage } from "./storage.js";
import type { TrainingState, TrainingStateJson } from "./training-state.js";

const PREFIX = "step-";
const STEP_DIGITS = 10;
const MANIFEST = "state.json";

/** A file of a checkpoint, to tell a whole one from a damaged one. */
interface FileRecord {
  readonly bytes: number;
  readonly crc32c: number;
}

interface Manifest {
  readonly state: TrainingStateJson;
  readonly files: Readonly<Record<string, FileRecord>>;
  /** The value by which the best checkpoint is found. */
  readonly monitored?: number;
  /** Whether small or large values of it are good. */
  readonly mode?: "min" | "max";
}

/** A checkpoint in a folder. */
export interface CheckpointInfo {
  /** Path of the checkpoint's own folder; `model.safetensors` is in it. */
  readonly path: string;
  readonly step: number;
  /** Finished epochs. */
  readonly epoch: number;
  /** The value that it was saved with, if any. */
  readonly monitored: number | undefined;
  /** Whether small or large values of it are good, if that was saved. */
  readonly mode?: "min" | "max";
}

/** Options of {@link saveCheckpoint}. */
export interface SaveCheckpointOptions {
  /** Default: the file system in Node, the browser's storage elsewhere. */
  readonly storage?: TrainingStorage;
  /** A value to find the best checkpoint by. */
  readonly monitored?: number;
  /** Whether small or large values of it are good. Default "min". */
  readonly mode?: "min" | "max";
}

function assertMode(operation: string, mode: unknown): void {
  if (mode !== "min" && mode !== "max")
    throw new InputError(`${operation}: expected mode min or max, got ${String(mode)}`);
}

/** The end of an epoch has a name of its own: its last step may have been saved before the evaluation. */
function nameOf({ step, epoch, continues }: TrainingStateJson): string {
  const name = `${PREFIX}${String(step).padStart(STEP_DIGITS, "0")}`;
  return continues || epoch === 0 ? name : `${name}-epoch-${epoch}`;
}

/** JSON with numbers that JSON lacks as `{ "$number": "NaN" }`. */
export function stringify(value: unknown): string {
  return JSON.stringify(value, (_, part) =>
    typeof part === "number" && !Number.isFinite(part) ? { $number: String(part) } : part,
  );
}

export function parse(text: string): unknown {
  return JSON.parse(text, (_, part) =>
    typeof part === "object" && part !== null && typeof part.$number === "string"
      ? Number(part.$number)
      : part,
  );
}

/**
 * Writes a training state as `FOLDER/step-NNNNNNNNNN[-epoch-N]/`: `model.safetensors` (PyTorch's names and layouts),
 * `optimizer.safetensors`, `callbacks.safetensors`, `history.f64` and `state.json`. All or nothing: a process that is
 * killed meanwhile leaves the earlier checkpoints and no part of this one.
 * @returns where it is.
 * @throws WeightsError when a weight is not finite: such a checkpoint would be of no use.
 */
export async function saveCheckpoint(
  folder: string,
  state: TrainingState,
  options: SaveCheckpointOptions = {},
): Promise<CheckpointInfo> {
  assertOptionNames("saveCheckpoint", options, ["storage", "monitored", "mode"]);
  const { storage, monitored, mode = "min" } = options;
  assertMode("saveCheckpoint", mode);
  if (options.mode !== undefined && monitored === undefined)
    throw new InputError("saveCheckpoint: expected a monitored value beside mode, got none");
  const target = storage ?? (await defaultStorage());
  for (const [name, { dtype, values }] of state.model)
    if (dtype === "float32" && !values.every(Number.isFinite))
      throw new WeightsError(
        `saveCheckpoint: expected finite weights, got NaN or infinity in ${name} at step ${state.json.step}; go back to an earlier checkpoint and lower the learning rate`,
      );
  const history = new Float64Array(2 * state.losses.length);
  history.set(state.losses);
  history.set(state.learningRates, state.losses.length);
  const contents = new Map<string, Uint8Array>([
    ["model.safetensors", encodeSafetensors(state.model)],
    ["optimizer.safetensors", encodeSafetensors(state.optimizer)],
    ["callbacks.safetensors", encodeSafetensors(state.callbacks)],
    ["history.f64", new Uint8Array(history.buffer)],
  ]);
  const files = [...contents].map(
    ([name, bytes]) => [name, { bytes: bytes.length, crc32c: crc32c(bytes) }] as const,
  );
  const manifest: Manifest = {
    state: state.json,
    files: Object.fromEntries(files),
    ...(monitored === undefined ? {} : { monitored, mode }),
  };
  contents.set(MANIFEST, new TextEncoder().encode(stringify(manifest)));
  const { step } = state.json;
  const path = `${folder}/${nameOf(state.json)}`;
  await target.writeFolder(path, contents);
  return { path, step, epoch: state.json.epoch, monitored, ...(monitored === undefined ? {} : { mode }) };
}

/** @throws WeightsError when it is not there; what reading throws when it is: that says nothing about the checkpoint. */
async function readPart(path: string, name: string, storage: TrainingStorage): Promise<Uint8Array> {
  const bytes = await readIfPresent(storage, `${path}/${name}`);
  if (bytes === undefined)
    throw new WeightsError(`loadCheckpoint: expected ${name} in ${path}, got none; use another checkpoint`);
  return bytes;
}

/** @throws SyntaxError for what is not JSON; WeightsError for other JSON. */
function manifestOf(path: string, bytes: Uint8Array): Manifest {
  const manifest = parse(new TextDecoder().decode(bytes)) as Manifest;
  if (typeof manifest?.state?.step !== "number" || typeof manifest.files !== "object")
    throw new WeightsError(`loadCheckpoint: expected a training state in ${path}, got another ${MANIFEST}`);
  return manifest;
}

/**
 * Reads one checkpoint.
 * @param path Its own folder, `…/step-NNNNNNNNNN`.
 * @throws WeightsError when a file is missing, cut or changed; what the storage throws for one that cannot be read now.
 */
export async function loadCheckpoint(
  path: string,
  options: { readonly storage?: TrainingStorage } = {},
): Promise<TrainingState> {
  assertOptionNames("loadCheckpoint", options, ["storage"]);
  const { storage } = options;
  const source = storage ?? (await defaultStorage());
  let manifest: Manifest;
  const contents = new Map<string, Uint8Array>();
  try {
    manifest = manifestOf(path, await readPart(path, MANIFEST, source));
    for (const name of Object.keys(manifest.files)) contents.set(name, await readPart(path, name, source));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new WeightsError(
      `loadCheckpoint: expected a whole checkpoint in ${path}, got a damaged ${MANIFEST}; use another`,
      { cause: error },
    );
  }
  for (const [name, { bytes, crc32c: sum }] of Object.entries(manifest.files)) {
    const file = contents.get(name)!;
    if (file.length !== bytes || crc32c(file) !== sum)
      throw new WeightsError(
        `loadCheckpoint: expected ${path}/${name} as it was written, got a damaged file; use another checkpoint`,
      );
  }
  const file = (name: string): Uint8Array => {
    const found = contents.get(name);
    if (found === undefined) throw new WeightsError(`loadCheckpoint: expected ${name} in ${path}, got none`);
    return found;
  };
  const stateDict = async (name: string): Promise<StateDict> => (await readSafetensors(file(name))).hosts();
  const numbers = new Float64Array(file("history.f64").slice().buffer);
  return {
    json: manifest.state,
    model: await stateDict("model.safetensors"),
    optimizer: await stateDict("optimizer.safetensors"),
    callbacks: await stateDict("callbacks.safetensors"),
    losses: numbers.slice(0, numbers.length / 2),
    learningRates: numbers.slice(numbers.length / 2),
  };
}

/** The checkpoints in a folder by rising step; damaged manifests are left out. */
export async function listCheckpoints(
  folder: string,
  options: { readonly storage?: TrainingStorage } = {},
): Promise<CheckpointInfo[]> {
  assertOptionNames("listCheckpoints", options, ["storage"]);
  const { storage } = options;
  const source = storage ?? (await defaultStorage());
  const found: CheckpointInfo[] = [];
  for (const name of await source.list(folder)) {
    if (!name.startsWith(PREFIX)) continue;
    const path = `${folder}/${name}`;
    const bytes = await readIfPresent(source, `${path}/${MANIFEST}`);
    if (bytes === undefined) continue;
    try {
      const { state, monitored, mode } = manifestOf(path, bytes);
      const { step, epoch } = state;
      found.push({ path, step, epoch, monitored, ...(mode === undefined ? {} : { mode }) });
    } catch {
      // a manifest that makes no sense is no checkpoint; the ones before it are
    }
  }
  return found.sort((a, b) => a.step - b.step || a.epoch - b.epoch);
}

/**
 * The newest checkpoint of a folder that is whole: one that was cut is passed over for the one before. One that cannot be
 * read now (no permission, too many open files) is an error: the run would begin anew.
 * @returns undefined when there is none.
 */
export async function loadLastCheckpoint(
  folder: string,
  options: { readonly storage?: TrainingStorage | undefined } = {},
): Promise<TrainingState | undefined> {
  assertOptionNames("loadLastCheckpoint", options, ["storage"]);
  const { storage } = options;
  const source = storage ?? (await defaultStorage());
  for (const { path } of (await listCheckpoints(folder, { storage: source })).reverse()) {
    try {
      return await loadCheckpoint(path, { storage: source });
    } catch (error) {
      if (!(error instanceof WeightsError)) throw error;
    }
  }
  return undefined;
}

/**
 * The checkpoint with the best monitored value.
 * @param options `mode`: whether small or large values are good, default as it was saved, else "min"; `storage` as in {@link saveCheckpoint}.
 * @throws InputError when the folder has none with a value, or for an unknown option or mode.
 */
export async function findBestCheckpoint(
  folder: string,
  options: { readonly storage?: TrainingStorage; readonly mode?: "min" | "max" } = {},
): Promise<CheckpointInfo> {
  assertOptionNames("findBestCheckpoint", options, ["storage", "mode"]);
  const { storage, mode: given } = options;
  assertMode("findBestCheckpoint", given ?? "min");
  const candidates = (await listCheckpoints(folder, storage === undefined ? {} : { storage })).filter(
    ({ monitored }) => monitored !== undefined && !Number.isNaN(monitored),
  );
  const sign = (given ?? candidates.at(-1)?.mode) === "max" ? -1 : 1;
  candidates.sort((a, b) => sign * (a.monitored! - b.monitored!) || a.step - b.step);
  if (candidates.length === 0)
    throw new InputError(
      `findBestCheckpoint: expected a checkpoint with a monitored value in ${folder}, got none; pass monitor when saving`,
    );
  return candidates[0];
}
