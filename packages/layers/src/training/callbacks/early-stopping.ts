import { InputError, WeightsError } from "@ai/tensor";
import type { StateDict } from "../../state-dict.js";
import type { EpochRecord } from "../history.js";
import { monitorMode } from "../monitor-mode.js";
import { assertOptionNames } from "../option-names.js";
import type { TrainableModel } from "../trainer-options.js";
import type { CallbackState, FitEnd, TrainingCallback, TrainingRun } from "./callback.js";

/** Options of {@link earlyStopping}. */
export interface EarlyStoppingOptions {
  /** A value of the epochs, such as `"validation.loss"` (default) or `"validation.accuracy"`. */
  readonly monitor?: string;
  /** Whether small or large is good. Default "min" for losses and errors; any other monitor needs it. */
  readonly mode?: "min" | "max";
  /** Epochs without improvement that are waited for. Default 3. */
  readonly patience?: number;
  /** Only more than this is an improvement. Default 0. */
  readonly minDelta?: number;
  /**
   * Put the weights of the best epoch back when this ends the run, or all its epochs or steps are done. After any other
   * stop, such as a button's, they stay: the run may go on from there, and {@link EarlyStopping.restore} gives the best.
   * Default true.
   */
  readonly restoreBest?: boolean;
}

interface SavedState {
  readonly best: number | null;
  readonly bestEpoch: number;
  readonly waited: number;
}

/**
 * Ends a run when a value no longer improves, and restores the model as it was at its best.
 * @throws InputError for options out of range, or a monitor that is no loss or error without a mode.
 * @example
 * await trainer.fit(loader, { epochs: 100, validation, callbacks: [earlyStopping({ patience: 5 })] });
 */
export function earlyStopping(options: EarlyStoppingOptions = {}): EarlyStopping {
  return new EarlyStopping(options);
}

/** See {@link earlyStopping}. */
export class EarlyStopping implements TrainingCallback {
  readonly name = "early-stopping";
  readonly #monitor: string;
  readonly #sign: number;
  readonly #patience: number;
  readonly #minDelta: number;
  readonly #restoreBest: boolean;
  #best: number | undefined;
  #bestEpoch = 0;
  #waited = 0;
  #bestModel: StateDict | undefined;
  /** Why this ended the run. */
  #reason: string | undefined;

  constructor(options: EarlyStoppingOptions) {
    assertOptionNames("earlyStopping", options, ["monitor", "mode", "patience", "minDelta", "restoreBest?"]);
    const {
      monitor = "validation.loss",
      mode: givenMode,
      patience = 3,
      minDelta = 0,
      restoreBest = true,
    } = options;
    const mode = monitorMode("earlyStopping", monitor, givenMode);
    if (!Number.isInteger(patience) || patience < 1)
      throw new InputError(`earlyStopping: expected an integer patience of at least 1, got ${patience}`);
    if (!(typeof minDelta === "number" && minDelta >= 0))
      throw new InputError(`earlyStopping: expected a minDelta of at least 0, got ${minDelta}`);
    this.#monitor = monitor;
    this.#sign = mode === "min" ? -1 : 1;
    this.#patience = patience;
    this.#minDelta = minDelta;
    this.#restoreBest = restoreBest;
  }

  /** The best value so far and its epoch (from 1); undefined before the first epoch. */
  get best(): { readonly value: number; readonly epoch: number } | undefined {
    return this.#best === undefined ? undefined : { value: this.#best, epoch: this.#bestEpoch };
  }

  onFitStart(run: TrainingRun): void {
    const own = ["loss", ...Object.keys(run.currentMetrics())];
    const known = [...own, ...own.map((name) => `validation.${name}`)];
    const meant = this.#monitor.replace(/^(val|valid|validation)[_./]/, "validation.");
    if (!known.includes(this.#monitor))
      throw new InputError(
        `earlyStopping: expected one of ${known.join(", ")}, got monitor ${this.#monitor}${known.includes(meant) ? `; did you mean ${meant}?` : ""}`,
      );
    this.#reason = undefined;
    this.#stopWhenDone(run);
  }

  async onEpochEnd({ epoch, values }: EpochRecord, run: TrainingRun): Promise<void> {
    const value = values[this.#monitor];
    if (value === undefined)
      throw new InputError(
        `earlyStopping: expected one of ${Object.keys(values).join(", ")}, got monitor ${this.#monitor}; pass validation data or another monitor`,
      );
    const isFirst = this.#best === undefined && !Number.isNaN(value);
    if (isFirst || this.#sign * (value - (this.#best ?? value)) > this.#minDelta) {
      this.#best = value;
      this.#bestEpoch = epoch;
      this.#waited = 0;
      if (this.#restoreBest) this.#bestModel = await run.trainer.model.stateDict();
      return;
    }
    this.#waited++;
    this.#stopWhenDone(run);
  }

  #stopWhenDone(run: TrainingRun): void {
    if (this.#waited < this.#patience) return;
    this.#reason = `${this.#monitor} did not improve for ${this.#waited} epochs; best ${this.#best} in epoch ${this.#bestEpoch}`;
    run.stop(this.#reason);
  }

  onFitEnd({ outcome, reason }: FitEnd, { trainer, totalSteps }: TrainingRun): void {
    const isDone = totalSteps !== undefined && trainer.step >= totalSteps;
    const isOwn = outcome === "stopped" && (reason === this.#reason || isDone);
    if (this.#bestModel !== undefined && (outcome === "finished" || isOwn)) this.restore(trainer.model);
  }

  /**
   * Gives a model the weights of the best epoch so far, for example after a run that a button ended.
   * @throws InputError before the first epoch, or with `restoreBest: false`.
   */
  restore(model: Pick<TrainableModel, "loadStateDict">): void {
    if (this.#bestModel === undefined)
      throw new InputError(
        "earlyStopping: expected a finished epoch whose weights were kept, got none; train an epoch with restoreBest first",
      );
    model.loadStateDict(this.#bestModel);
  }

  state(): CallbackState {
    const json: SavedState = { best: this.#best ?? null, bestEpoch: this.#bestEpoch, waited: this.#waited };
    return { json, ...(this.#bestModel === undefined ? {} : { tensors: this.#bestModel }) };
  }

  loadState({ json, tensors }: CallbackState): void {
    const { best, bestEpoch, waited } = (json ?? {}) as Partial<SavedState>;
    if (best === undefined || bestEpoch === undefined || waited === undefined)
      throw new WeightsError(
        "earlyStopping.loadState: expected best, bestEpoch and waited, got something else",
      );
    this.#best = best ?? undefined;
    this.#bestEpoch = bestEpoch;
    this.#waited = waited;
    this.#bestModel = tensors === undefined || tensors.size === 0 ? undefined : tensors;
  }
}
