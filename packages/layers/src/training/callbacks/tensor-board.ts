import { InputError } from "@ai/tensor";
import { defaultStorage } from "../browser-storage.js";
import type { EpochRecord } from "../history.js";
import type { TrainingStorage } from "../storage.js";
import type { StepValues, TrainingCallback, TrainingRun } from "./callback.js";
import { record, restartEvent, type Scalar, scalarEvent, versionEvent } from "./event-file.js";

/** What is not written yet is written after this time, or once it is this long. */
const FLUSH_MILLISECONDS = 2_000;
const FLUSH_BYTES = 1 << 16;

/** Writes scalars to an event file that TensorBoard reads. Nothing is written before the first {@link flush}. */
export class TensorBoardWriter {
  readonly #folder: string;
  #storage: TrainingStorage | undefined;
  #path: string | undefined;
  #waiting: Uint8Array[] = [];

  /** @param folder One run; each writer makes a file of its own in it. */
  constructor(folder: string, { storage }: { readonly storage?: TrainingStorage } = {}) {
    this.#folder = folder;
    this.#storage = storage;
  }

  /** Bytes that are not written yet. */
  get waitingBytes(): number {
    return this.#waiting.reduce((total, { length }) => total + length, 0);
  }

  /** Adds scalars of one step. */
  add(step: number, scalars: readonly Scalar[]): void {
    this.#waiting.push(record(scalarEvent(Date.now() / 1000, step, scalars)));
  }

  /** What earlier files of the folder have from `step` on is no longer shown. */
  restartAt(step: number): void {
    this.#waiting.push(record(restartEvent(Date.now() / 1000, step)));
  }

  /** Writes what was added. */
  async flush(): Promise<void> {
    if (this.#waiting.length === 0) return;
    const parts = this.#waiting;
    this.#waiting = [];
    this.#storage ??= await defaultStorage();
    if (this.#path === undefined) {
      this.#path = await this.#freePath(this.#storage);
      parts.unshift(record(versionEvent(Date.now() / 1000)));
    }
    const bytes = new Uint8Array(parts.reduce((total, { length }) => total + length, 0));
    let offset = 0;
    for (const part of parts) {
      bytes.set(part, offset);
      offset += part.length;
    }
    await this.#storage.append(this.#path, bytes);
  }

  /** TensorBoard reads files in the order of their names: the time comes first. */
  async #freePath(storage: TrainingStorage): Promise<string> {
    const present = new Set(await storage.list(this.#folder));
    const seconds = String(Math.floor(Date.now() / 1000)).padStart(10, "0");
    let serial = 0;
    const name = (): string => `events.out.tfevents.${seconds}.training.${String(serial).padStart(4, "0")}`;
    while (present.has(name())) serial++;
    return `${this.#folder}/${name()}`;
  }
}

/** Options of {@link tensorBoard}. */
export interface TensorBoardOptions {
  /** The run's folder; `tensorboard --logdir` gets it or the one above. */
  readonly folder: string;
  /** Write the values of every so-manieth step. Default 1. */
  readonly everySteps?: number;
  /** Default: the file system in Node, the browser's storage elsewhere. */
  readonly storage?: TrainingStorage;
}

/**
 * Writes event files for TensorBoard: `step/loss`, `step/learning_rate` and `step/gradient_norm` of each step, and each
 * epoch's values as `training/NAME` and `validation/NAME`. Steps that an earlier run wrote into the
 * same folder are replaced, after a resume those that are repeated.
 */
export function tensorBoard({ folder, everySteps = 1, storage }: TensorBoardOptions): TrainingCallback {
  if (!Number.isInteger(everySteps) || everySteps < 1)
    throw new InputError(`tensorBoard: expected an integer everySteps of at least 1, got ${everySteps}`);
  let writer = new TensorBoardWriter(folder);
  let flushedAt = 0;
  const flush = async (): Promise<void> => {
    flushedAt = performance.now();
    await writer.flush();
  };
  return {
    name: "tensor-board",
    onFitStart({ trainer }: TrainingRun) {
      writer = new TensorBoardWriter(folder, storage === undefined ? {} : { storage });
      writer.restartAt(trainer.step + 1); // in a new folder there is nothing to hide
    },
    onStepValues({ step, loss, learningRate, gradientNorm }: StepValues) {
      if (step % everySteps !== 0) return;
      const norm = gradientNorm === undefined ? [] : [{ tag: "step/gradient_norm", value: gradientNorm }];
      writer.add(step, [
        { tag: "step/loss", value: loss },
        { tag: "step/learning_rate", value: learningRate },
        ...norm,
      ]);
    },
    async onStepEnd() {
      if (performance.now() - flushedAt > FLUSH_MILLISECONDS || writer.waitingBytes > FLUSH_BYTES)
        await flush();
    },
    async onEpochEnd({ step, values }: EpochRecord) {
      const scalars = Object.entries(values).map(([name, value]) => ({
        tag: name.startsWith("validation.") ? name.replace(".", "/") : `training/${name}`,
        value,
      }));
      writer.add(step, scalars);
      await flush();
    },
    onFitEnd: flush,
  };
}
