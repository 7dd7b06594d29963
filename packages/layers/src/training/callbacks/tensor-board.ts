import { InputError } from "@ai/tensor";
import { defaultStorage } from "../browser-storage.js";
import type { EpochRecord } from "../history.js";
import { assertOptionNames } from "../option-names.js";
import type { ParameterStatistics } from "../parameter-statistics.js";
import type { TrainingStorage } from "../storage.js";
import type { StepValues, TrainingCallback, TrainingRun } from "./callback.js";
import {
  type HistogramSummary,
  histogramEvent,
  record,
  restartEvent,
  type Scalar,
  scalarEvent,
  versionEvent,
} from "./event-file.js";
import { ParameterWatch, type WatchParametersOptions } from "./parameter-watch.js";

/** What is not written yet is written after this time, or once it is this long. */
const FLUSH_MILLISECONDS = 2_000;
const FLUSH_BYTES = 1 << 16;
/** Bins of histograms; TensorBoard shows as many. */
const DEFAULT_BINS = 30;

/** Writes scalars to an event file that TensorBoard reads. Nothing is written before the first {@link flush}. */
export class TensorBoardWriter {
  readonly #folder: string;
  #storage: TrainingStorage | undefined;
  #path: string | undefined;
  #waiting: Uint8Array[] = [];

  /** @param folder One run; each writer makes a file of its own in it. */
  constructor(folder: string, options: { readonly storage?: TrainingStorage } = {}) {
    assertOptionNames("TensorBoardWriter", options, ["storage"]);
    const { storage } = options;
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

  /** Adds histograms of one step. */
  addHistograms(step: number, histograms: readonly HistogramSummary[]): void {
    this.#waiting.push(record(histogramEvent(Date.now() / 1000, step, histograms)));
  }

  /** What earlier files of the folder have from `step` on is no longer shown. */
  restartAt(step: number): void {
    this.#waiting.push(record(restartEvent(Date.now() / 1000, step)));
  }

  /** Writes what was added; when that fails, the next time writes it to a new file: the end of this one may be cut. */
  async flush(): Promise<void> {
    if (this.#waiting.length === 0) return;
    const added = this.#waiting;
    const parts = [...added];
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
    try {
      await this.#storage.append(this.#path, bytes);
    } catch (error) {
      this.#path = undefined;
      this.#waiting = [...added, ...this.#waiting];
      throw error;
    }
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

function addParameters(
  writer: TensorBoardWriter,
  step: number,
  parameters: readonly ParameterStatistics[],
): void {
  writer.add(
    step,
    parameters.flatMap(({ path, norm, gradientNorm, updateRatio }) =>
      Object.entries({ weight_norm: norm, gradient_norm: gradientNorm, update_ratio: updateRatio }).flatMap(
        ([name, value]) => (value === undefined ? [] : [{ tag: `${name}/${path}`, value }]),
      ),
    ),
  );
  writer.addHistograms(
    step,
    parameters.flatMap(({ path, histogram, ...statistics }) =>
      histogram === undefined ? [] : [{ tag: `weights/${path}`, statistics: { ...statistics, histogram } }],
    ),
  );
}

/** Options of {@link tensorBoard}. */
export interface TensorBoardOptions {
  /** The run's folder; `tensorboard --logdir` gets it or the one above. */
  readonly folder: string;
  /** Write the values of every so-manieth step. Default 1. */
  readonly everySteps?: number;
  /**
   * Write of each parameter a histogram `weights/PATH` (30 bins unless said) and the scalars `weight_norm/PATH`,
   * `gradient_norm/PATH` and `update_ratio/PATH`. `true` looks after every hundredth step. Default false.
   */
  readonly parameters?: boolean | WatchParametersOptions;
  /** Default: the file system in Node, the browser's storage elsewhere. */
  readonly storage?: TrainingStorage;
}

/**
 * Writes event files for TensorBoard: `step/loss`, `step/learning_rate` and `step/gradient_norm` of each step, and each
 * epoch's values as `training/NAME` and `validation/NAME`. Steps that an earlier run wrote into the
 * same folder are replaced, after a resume those that are repeated.
 */
export function tensorBoard(options: TensorBoardOptions): TrainingCallback {
  assertOptionNames("tensorBoard", options, ["folder", "everySteps", "parameters", "storage"]);
  const { folder, everySteps = 1, parameters = false, storage } = options;
  if (!Number.isInteger(everySteps) || everySteps < 1)
    throw new InputError(`tensorBoard: expected an integer everySteps of at least 1, got ${everySteps}`);
  if (typeof parameters !== "boolean")
    assertOptionNames("tensorBoard: parameters", parameters, ["everySteps", "bins", "match"]);
  const watch =
    parameters === false
      ? undefined
      : new ParameterWatch("tensorBoard", { bins: DEFAULT_BINS, ...(parameters === true ? {} : parameters) });
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
    ...(watch === undefined ? {} : { onGradients: (update, run) => watch.before(update, run) }),
    async onStepEnd({ trainer: { step } }) {
      const seen = await watch?.after();
      if (seen !== undefined) addParameters(writer, step, seen);
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
