import { defaultGenerator, type RandomState, WeightsError } from "@ai/tensor";
import type { StateDict, StateEntry } from "../state-dict.js";
import type { CallbackState } from "./callbacks/callback.js";
import type { DataLoaderState } from "./data/index.js";
import type { EpochRecord, TrainingHistory } from "./history.js";
import type { OptimizerState } from "./optimizers/index.js";
import type { ScheduleState } from "./schedules/index.js";
import type { TrainableModel, TrainerOptions } from "./trainer-options.js";

/** The plain part of a {@link TrainingState}. */
export interface TrainingStateJson {
  /** Rises when the format changes. */
  readonly format: 1;
  readonly step: number;
  /** Finished epochs. */
  readonly epoch: number;
  /** An epoch is in progress. */
  readonly continues: boolean;
  /** Where the training data stand; absent before the first batch. */
  readonly data?: DataLoaderState;
  readonly evaluationData?: DataLoaderState;
  /** The default generator, from which dropout draws, and the trainer's `generators` by name. */
  readonly random: { readonly default: RandomState; readonly named: Readonly<Record<string, RandomState>> };
  readonly optimizer: OptimizerState["json"];
  readonly schedule?: ScheduleState;
  /** What the epoch in progress has summed up so far. */
  readonly running: { readonly lossSum: number; readonly items: number };
  readonly skippedSteps: number;
  readonly metrics: Readonly<Record<string, unknown>>;
  readonly callbacks: Readonly<Record<string, unknown>>;
  readonly epochs: readonly EpochRecord[];
}

/** Everything that the rest of a run depends on, on the host. */
export interface TrainingState {
  readonly json: TrainingStateJson;
  /** Parameters and state of the model under PyTorch's names and in its layouts. */
  readonly model: StateDict;
  /** Buffers of the optimizer. */
  readonly optimizer: StateDict;
  /** Tensors of callbacks, by `CALLBACK/NAME`. */
  readonly callbacks: StateDict;
  /** Loss and learning rate of every step so far. */
  readonly losses: Float64Array;
  readonly learningRates: Float64Array;
}

/** What the trainer itself knows. */
export interface Progress
  extends Pick<
    TrainingStateJson,
    "step" | "epoch" | "continues" | "data" | "evaluationData" | "running" | "skippedSteps"
  > {
  readonly history: TrainingHistory;
  readonly callbacks: ReadonlyMap<string, CallbackState | Promise<CallbackState>>;
}

/** Copies the state of all that a trainer drives. Every read is started before the first wait: one moment in time. */
export async function captureState<Batch, Model extends TrainableModel>(
  { model, optimizer, schedule, metrics = {}, generators = {} }: TrainerOptions<Batch, Model>,
  { history, callbacks, ...progress }: Progress,
): Promise<TrainingState> {
  const reads = Promise.all([
    model.stateDict(),
    optimizer.state(),
    Promise.all(Object.entries(metrics).map(async ([name, metric]) => [name, await metric.state()] as const)),
    Promise.all([...callbacks].map(async ([name, state]) => [name, await state] as const)),
  ]);
  const random = {
    default: defaultGenerator().state(),
    named: Object.fromEntries(
      Object.entries(generators).map(([name, generator]) => [name, generator.state()]),
    ),
  };
  const scheduleState = schedule?.state();
  const losses = Float64Array.from(history.losses);
  const learningRates = Float64Array.from(history.learningRates);
  const epochs = [...history.epochs];
  const [modelState, optimizerState, metricStates, callbackStates] = await reads;
  const tensors = new Map<string, StateEntry>();
  for (const [name, state] of callbackStates)
    for (const [key, entry] of state.tensors ?? []) tensors.set(`${name}/${key}`, entry);
  return {
    json: {
      format: 1,
      ...progress,
      random,
      optimizer: optimizerState.json,
      ...(scheduleState === undefined ? {} : { schedule: scheduleState }),
      metrics: Object.fromEntries(metricStates),
      callbacks: Object.fromEntries(callbackStates.map(([name, { json }]) => [name, json])),
      epochs,
    },
    model: modelState,
    optimizer: optimizerState.tensors,
    callbacks: tensors,
    losses,
    learningRates,
  };
}

/** Sets all that a trainer drives to a saved state. @throws WeightsError when it does not fit; names what. */
export function restoreState<Batch, Model extends TrainableModel>(
  { model, optimizer, schedule, metrics = {}, generators = {} }: TrainerOptions<Batch, Model>,
  { json, model: modelState, optimizer: optimizerTensors }: TrainingState,
): void {
  if (json?.format !== 1)
    throw new WeightsError(
      `Trainer.loadState: expected a state of format 1, got ${String(json?.format)}; use the version that wrote it`,
    );
  if ((schedule === undefined) !== (json.schedule === undefined))
    throw new WeightsError(
      `Trainer.loadState: expected ${schedule === undefined ? "no schedule" : "a schedule"} as in this trainer, got ${json.schedule?.name ?? "none"}`,
    );
  assertNames("metrics", Object.keys(metrics), Object.keys(json.metrics));
  assertNames("generators", Object.keys(generators), Object.keys(json.random.named));
  // before anything changes: weights of one run beside moments of another are worth nothing
  optimizer.assertState({ json: json.optimizer, tensors: optimizerTensors });
  if (json.schedule !== undefined) schedule?.assertState(json.schedule);
  model.loadStateDict(modelState);
  optimizer.loadState({ json: json.optimizer, tensors: optimizerTensors });
  if (json.schedule !== undefined) schedule?.loadState(json.schedule);
  defaultGenerator().setState(json.random.default);
  for (const [name, generator] of Object.entries(generators)) generator.setState(json.random.named[name]);
  for (const [name, metric] of Object.entries(metrics)) metric.loadState(json.metrics[name]);
}

function assertNames(what: string, present: readonly string[], saved: readonly string[]): void {
  if ([...present].sort().join() !== [...saved].sort().join())
    throw new WeightsError(
      `Trainer.loadState: expected ${what} ${present.join(", ") || "none"} as in this trainer, got ${saved.join(", ") || "none"}`,
    );
}

/** The states of callbacks by name. */
export function callbackStates({ json, callbacks }: TrainingState): Map<string, CallbackState> {
  const states = new Map<string, CallbackState>();
  for (const [name, state] of Object.entries(json.callbacks)) {
    const prefix = `${name}/`;
    const tensors = [...callbacks].filter(([key]) => key.startsWith(prefix));
    states.set(name, {
      json: state,
      tensors: new Map(tensors.map(([key, entry]) => [key.slice(prefix.length), entry])),
    });
  }
  return states;
}
