import { InputError, type Tensor } from "@ai/tensor";
import type { Parameter } from "../../parameter.js";
import type { StateEntry } from "../../state-dict.js";
import type { EpochRecord, TrainingHistory } from "../history.js";
import type { TrainableModel } from "../trainer-options.js";
import type { TrainingState } from "../training-state.js";

/** How long a run will take, measured before it. */
export interface TrainingEstimate {
  readonly seconds: number;
  readonly secondsPerStep: number;
  /** Steps that are left. */
  readonly steps: number;
}

/** A trainer, as callbacks see it. */
export interface TrainerView {
  readonly model: TrainableModel;
  /** Optimizer steps so far. */
  readonly step: number;
  /** Finished epochs. */
  readonly epoch: number;
  /** Steps that were left out because a gradient was not finite. */
  readonly skippedSteps: number;
  readonly learningRate: number;
  readonly history: TrainingHistory;
  /** Waits for pending values, then copies everything that the rest of the run depends on. */
  state(): Promise<TrainingState>;
}

/** A run of `Trainer.fit`, as callbacks see it. */
export interface TrainingRun {
  readonly trainer: TrainerView;
  /** Epochs to reach in all. */
  readonly epochs: number;
  /** Undefined for a source that does not know its length. */
  readonly stepsPerEpoch: number | undefined;
  /** Steps of all epochs, those before a resume included. */
  readonly totalSteps: number | undefined;
  /** Undefined unless `fit` was asked for one. */
  readonly estimate: TrainingEstimate | undefined;
  /** The metrics over the epoch's training batches that have arrived so far; nothing waits for the device. */
  currentMetrics(): Record<string, number>;
  /** Waits until the values of all steps so far are known and {@link TrainingCallback.onStepValues} got them. @throws what they tell, such as a loss that is not finite. */
  valuesRead(): Promise<void>;
  /** Ends the run after this step or epoch; the reason is in the result of `fit`. */
  stop(reason: string): void;
}

/** Values of a step, known some time after it. */
export interface StepValues {
  /** Optimizer steps so far, this one included. */
  readonly step: number;
  /** Epochs that were finished before it. */
  readonly epoch: number;
  /** Mean loss over the step's batches. */
  readonly loss: number;
  readonly learningRate: number;
  /** Length of the gradient before clipping; present when gradients are clipped by norm. */
  readonly gradientNorm?: number;
}

/** What an optimizer is about to do. */
export interface GradientUpdate {
  readonly parameters: readonly Parameter[];
  /** One a parameter, its shape, after clipping; null for none. They are freed after the update. */
  readonly gradients: readonly (Tensor | null)[];
}

/** How a run ended. */
export interface FitEnd {
  readonly outcome: "finished" | "stopped" | "aborted" | "failed";
  /** Why, unless it finished. */
  readonly reason?: string;
}

/** What `fit` gives. */
export interface FitResult extends FitEnd {
  readonly history: TrainingHistory;
}

/** What a callback has to remember. */
export interface CallbackState {
  /** Plain JSON. */
  readonly json: unknown;
  readonly tensors?: ReadonlyMap<string, StateEntry>;
}

/** Takes part in a run; every method may be left out, and one that returns a promise is waited for. */
export interface TrainingCallback {
  /** Names its state in a checkpoint; once a run. */
  readonly name: string;
  /** Comes after the callbacks without it, whatever the order in the list: checkpoints hold what the others decided. */
  readonly last?: boolean;
  /** Before the first step, after a resume. */
  onFitStart?(run: TrainingRun): void | Promise<void>;
  onEpochStart?(run: TrainingRun): void | Promise<void>;
  /** Right before an update of the weights, which waits for it. */
  onGradients?(update: GradientUpdate, run: TrainingRun): void | Promise<void>;
  /** Right after an update of the weights; its values may not be known yet. */
  onStepEnd?(run: TrainingRun): void | Promise<void>;
  /** When the values of a step are known, in the order of the steps. */
  onStepValues?(values: StepValues, run: TrainingRun): void;
  /** After each batch of the evaluation between epochs. */
  onEvaluationStep?(
    progress: { readonly done: number; readonly total: number | undefined },
    run: TrainingRun,
  ): void;
  /** After the epoch's evaluation. */
  onEpochEnd?(record: EpochRecord, run: TrainingRun): void | Promise<void>;
  /** Always called once the run started, whatever its end. */
  onFitEnd?(end: FitEnd, run: TrainingRun): void | Promise<void>;
  /** What it has to remember for an exact resume. */
  state?(): CallbackState | Promise<CallbackState>;
  loadState?(state: CallbackState): void;
}

/** Callbacks as they are called: those that come last behind the others. @throws InputError for a name that is there twice. */
export function inOrder(callbacks: readonly TrainingCallback[]): readonly TrainingCallback[] {
  const names = callbacks.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined)
    throw new InputError(`Trainer.fit: expected callbacks of different names, got ${twice} twice`);
  return [...callbacks.filter(({ last }) => !last), ...callbacks.filter(({ last }) => last)];
}

/** Tells of gradients; undefined when no callback asks for them. */
export function gradientListener(
  callbacks: readonly TrainingCallback[],
  parameters: readonly Parameter[],
  run: TrainingRun,
): ((gradients: readonly (Tensor | null)[]) => Promise<void>) | undefined {
  const listeners = callbacks.filter((callback) => callback.onGradients !== undefined);
  if (listeners.length === 0) return undefined;
  return async (gradients) => {
    for (const listener of listeners) await listener.onGradients?.({ parameters, gradients }, run);
  };
}

/** Hands saved states to the callbacks of their names; those that are used are taken out of `states`. */
export function restoreCallbacks(
  callbacks: readonly TrainingCallback[],
  states: Map<string, CallbackState>,
): void {
  for (const callback of callbacks) {
    const state = states.get(callback.name);
    if (state === undefined || callback.loadState === undefined) continue;
    callback.loadState(state);
    states.delete(callback.name);
  }
}

/** What callbacks remember, and what no callback took up yet. */
export function statesOf(
  callbacks: readonly TrainingCallback[],
  loaded: ReadonlyMap<string, CallbackState>,
): Map<string, CallbackState | Promise<CallbackState>> {
  const states = new Map<string, CallbackState | Promise<CallbackState>>(loaded);
  for (const callback of callbacks)
    if (callback.state !== undefined) states.set(callback.name, callback.state());
  return states;
}
