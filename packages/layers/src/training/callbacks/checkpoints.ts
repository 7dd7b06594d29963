import { InputError, WeightsError } from "@ai/tensor";
import { defaultStorage } from "../browser-storage.js";
import { listCheckpoints, loadCheckpoint, saveCheckpoint } from "../checkpoint.js";
import type { EpochRecord } from "../history.js";
import { monitorMode } from "../monitor-mode.js";
import { assertOptionNames } from "../option-names.js";
import type { TrainingStorage } from "../storage.js";
import type { TrainingCallback, TrainingRun } from "./callback.js";

/** Options of {@link checkpoints}. */
export interface CheckpointsOptions {
  /** Holds one folder a checkpoint; give it to `resumeFrom` of `fit`. */
  readonly folder: string;
  /** Save after so many steps. */
  readonly everySteps?: number;
  /** Save after so many epochs. Default 1, or never when `everySteps` is given. */
  readonly everyEpochs?: number;
  /** How many of the newest to keep. Default 2. */
  readonly keepLast?: number;
  /** A value of the epochs, such as `"validation.loss"`: the checkpoint with the best one is kept too. */
  readonly monitor?: string;
  /** Whether small or large values are good. Default "min" for losses and errors; any other monitor needs it. */
  readonly mode?: "min" | "max";
  /** Default: the file system in Node, the browser's storage elsewhere. */
  readonly storage?: TrainingStorage;
}

/**
 * Saves everything that an exact resume needs. Each checkpoint is written as a whole or not at all.
 * @throws InputError for counts below 1, or a monitor that is no loss or error without a mode.
 * @example
 * await trainer.fit(loader, { epochs: 10, resumeFrom: "runs/a", callbacks: [checkpoints({ folder: "runs/a" })] });
 */
export function checkpoints(options: CheckpointsOptions): TrainingCallback {
  return new Checkpoints(options);
}

function assertCount(name: string, value: number | undefined): void {
  if (value !== undefined && (!Number.isInteger(value) || value < 1))
    throw new InputError(`checkpoints: expected an integer ${name} of at least 1, got ${value}`);
}

async function isWhole(path: string, storage: TrainingStorage): Promise<boolean> {
  try {
    await loadCheckpoint(path, { storage });
    return true;
  } catch (error) {
    if (error instanceof WeightsError) return false;
    throw error;
  }
}

class Checkpoints implements TrainingCallback {
  readonly name = "checkpoints";
  readonly last = true;
  readonly #options: CheckpointsOptions;
  readonly #everyEpochs: number | undefined;
  readonly #keepLast: number;
  readonly #mode: "min" | "max";
  #storage: TrainingStorage | undefined;

  constructor(options: CheckpointsOptions) {
    assertOptionNames("checkpoints", options, [
      "folder",
      "everySteps",
      "everyEpochs",
      "keepLast",
      "monitor",
      "mode",
      "storage",
    ]);
    const { folder, everySteps, everyEpochs, keepLast = 2, monitor, mode } = options;
    if (typeof folder !== "string" || folder === "")
      throw new InputError(`checkpoints: expected a folder, got ${String(folder)}`);
    assertCount("everySteps", everySteps);
    assertCount("everyEpochs", everyEpochs);
    assertCount("keepLast", keepLast);
    if (mode !== undefined && monitor === undefined)
      throw new InputError("checkpoints: expected a monitor beside mode, got none");
    this.#everyEpochs = everyEpochs ?? (everySteps === undefined || monitor !== undefined ? 1 : undefined);
    this.#keepLast = keepLast;
    this.#mode = monitor === undefined ? "min" : monitorMode("checkpoints", monitor, mode);
    this.#options = options;
    this.#storage = options.storage;
  }

  async onFitStart({ trainer }: TrainingRun): Promise<void> {
    this.#storage ??= await defaultStorage();
    const { folder } = this.#options;
    const present = await listCheckpoints(folder, { storage: this.#storage });
    const later = present.filter(({ step }) => step > trainer.step).reverse();
    for (const { path, step } of later)
      if (await isWhole(path, this.#storage))
        throw new InputError(
          `checkpoints: expected no later checkpoint than step ${trainer.step} in ${folder}, got step ${step}; pass resumeFrom to continue it, or use another folder`,
        );
    // resuming passed these over; left there they would count as the newest
    for (const { path } of later) await this.#storage.remove(path);
  }

  async onStepEnd(run: TrainingRun): Promise<void> {
    const { everySteps } = this.#options;
    if (everySteps !== undefined && run.trainer.step % everySteps === 0) await this.#save(run);
  }

  async onEpochEnd({ epoch, values }: EpochRecord, run: TrainingRun): Promise<void> {
    if (this.#everyEpochs === undefined || epoch % this.#everyEpochs !== 0) return;
    const { monitor } = this.#options;
    const value = monitor === undefined ? undefined : values[monitor];
    if (monitor !== undefined && value === undefined)
      throw new InputError(
        `checkpoints: expected one of ${Object.keys(values).join(", ")}, got monitor ${monitor}; pass validation data or another monitor`,
      );
    await this.#save(run, value);
  }

  async #save({ trainer }: TrainingRun, monitored?: number): Promise<void> {
    const { folder } = this.#options;
    const storage = this.#storage ?? (await defaultStorage());
    const state = await trainer.state();
    await saveCheckpoint(folder, state, {
      storage,
      ...(monitored === undefined ? {} : { monitored, mode: this.#mode }),
    });
    const all = await listCheckpoints(folder, { storage });
    const kept = new Set(all.slice(-this.#keepLast));
    const best = all
      .filter((entry) => entry.monitored !== undefined && !Number.isNaN(entry.monitored))
      .sort((a, b) => (this.#mode === "max" ? -1 : 1) * (a.monitored! - b.monitored!) || a.step - b.step)[0];
    for (const entry of all) if (!kept.has(entry) && entry !== best) await storage.remove(entry.path);
  }
}
