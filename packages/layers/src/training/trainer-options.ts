import { InputError, type RandomGenerator, type Tensor } from "@ai/tensor";
import type { Parameter } from "../parameter.js";
import type { StateDict } from "../state-dict.js";
import { assertLossOptions, type LossOptions } from "./batch-loss.js";
import type { TrainingCallback } from "./callbacks/callback.js";
import type { DataLoaderState } from "./data/index.js";
import type { Metric } from "./metrics/index.js";
import type { Optimizer, OptimizerOptions } from "./optimizers/index.js";
import { assertOptionNames } from "./option-names.js";
import type { LearningRateSchedule } from "./schedules/index.js";
import type { TrainingStorage } from "./storage.js";

/** What a trainer needs of a model; every module has it. */
export interface TrainableModel {
  training: boolean;
  train(training?: boolean): unknown;
  eval(): unknown;
  parameters(): Parameter[];
  stateDict(): Promise<StateDict>;
  loadStateDict(state: StateDict): unknown;
}

/** A loss of an output and a target: a function, or an object such as `CrossEntropyLoss`. */
export type Loss =
  | ((output: Tensor, target: Tensor) => Tensor)
  | { call(output: Tensor, target: Tensor): Tensor };

/** Batches that a run can be resumed in; a `DataLoader` is one. Each iteration is one epoch. */
export interface BatchSource<Batch> extends AsyncIterable<Batch> {
  /** Batches an epoch, when known. */
  readonly length: number | undefined;
  /** Inside an iteration: after the batch in hand. */
  state(): DataLoaderState;
  /** The next iteration continues there. */
  loadState(state: DataLoaderState): void;
}

/** Options of a `Trainer`. */
export interface TrainerOptions<Batch, Model extends TrainableModel> extends LossOptions<Batch, Model> {
  readonly model: Model;
  readonly optimizer: Optimizer<OptimizerOptions>;
  readonly schedule?: LearningRateSchedule;
  /** When the schedule goes on. Default "step". */
  readonly scheduleInterval?: "step" | "epoch";
  /** By name; over the training batches of an epoch, and over the evaluation data. */
  readonly metrics?: Readonly<Record<string, Metric<number>>>;
  /** Batches whose gradients make one step, weighted by {@link batchWeight}. Default 1. */
  readonly gradientAccumulation?: number;
  /**
   * How much a batch's loss counts beside those of others, in accumulated gradients and in reported losses: the number
   * of elements that the loss is a mean of, for example tokens without padding. A number, or a tensor `[]` that stays
   * on the device and must be above 0. A number of 0 leaves the batch out. Default: the examples in the batch.
   */
  readonly batchWeight?: (batch: Batch) => number | Tensor;
  /** Scale the gradients of a step down to this length, all as one vector. */
  readonly maxGradientNorm?: number;
  /** Bound every number of the gradients, before `maxGradientNorm`. */
  readonly maxGradientValue?: number;
  /**
   * A loss or gradient that is NaN or infinite. "stop" (default) ends the run with an error that names
   * the step; a gradient without `maxGradientNorm` is found in the next loss or at the end of the epoch.
   * "skip" leaves such a step out, up to ten in a row; it waits for the device in every step.
   */
  readonly nonFinite?: "stop" | "skip";
  /** Random generators of your own that training draws from: saved and restored with the default one. */
  readonly generators?: Readonly<Record<string, RandomGenerator>>;
}

/** Options of `Trainer.fit`. */
export interface FitOptions<Batch> {
  /** Epochs to reach in all, those before a resume included. */
  readonly epochs: number;
  /** Evaluated after each epoch. */
  readonly validation?: BatchSource<Batch>;
  /** End after so many optimizer steps in all, even within an epoch. */
  readonly maxSteps?: number;
  readonly callbacks?: readonly TrainingCallback[];
  readonly signal?: AbortSignal;
  /** Time a few steps first, without a trace in the run, and tell the callbacks how long it will take. Default false. */
  readonly estimate?: boolean;
  /** Folder of checkpoints: continue from the last whole one; start anew when there is none. */
  readonly resumeFrom?: string;
  /** Where `resumeFrom` is. Default: the file system in Node, the browser's storage elsewhere. */
  readonly storage?: TrainingStorage;
}

const TRAINER_OPTIONS = [
  "model",
  "optimizer",
  "loss",
  "computeLoss",
  "schedule",
  "scheduleInterval",
  "metrics",
  "gradientAccumulation",
  "batchWeight",
  "maxGradientNorm",
  "maxGradientValue",
  "nonFinite",
  "generators",
] as const;
const FIT_OPTIONS = [
  "epochs",
  "validation",
  "maxSteps",
  "callbacks",
  "signal",
  "estimate?",
  "resumeFrom",
  "storage",
] as const;

/** @throws InputError for options that do not exist, are out of range or exclude each other. */
export function assertTrainerOptions<Batch, Model extends TrainableModel>(
  options: TrainerOptions<Batch, Model>,
): void {
  assertOptionNames(
    "Trainer",
    options as unknown as TrainerOptions<unknown, TrainableModel>,
    TRAINER_OPTIONS,
  );
  const { model, optimizer } = options;
  if (typeof optimizer?.step === "function" && !Array.isArray(optimizer.groups))
    throw new InputError(
      "Trainer: expected an Optimizer, which takes gradients, got another one; LBFGS is stepped in a loop of your own",
    );
  if (typeof model?.stateDict !== "function" || typeof optimizer?.step !== "function")
    throw new InputError(
      `Trainer: expected a model and an optimizer, got ${typeof model} and ${typeof optimizer}`,
    );
  const { gradientAccumulation = 1, maxGradientNorm, maxGradientValue } = options;
  assertLossOptions("Trainer", options);
  if (!Number.isInteger(gradientAccumulation) || gradientAccumulation < 1)
    throw new InputError(
      `Trainer: expected an integer gradientAccumulation of at least 1, got ${gradientAccumulation}`,
    );
  if (options.batchWeight !== undefined && typeof options.batchWeight !== "function")
    throw new InputError(`Trainer: expected a function as batchWeight, got ${typeof options.batchWeight}`);
  for (const [name, value] of Object.entries({ maxGradientNorm, maxGradientValue }))
    if (value !== undefined && !(typeof value === "number" && value > 0))
      throw new InputError(`Trainer: expected a ${name} above 0, got ${value}`);
  const { nonFinite = "stop", scheduleInterval = "step" } = options;
  if (nonFinite !== "stop" && nonFinite !== "skip")
    throw new InputError(`Trainer: expected nonFinite stop or skip, got ${String(nonFinite)}`);
  if (scheduleInterval !== "step" && scheduleInterval !== "epoch")
    throw new InputError(`Trainer: expected scheduleInterval step or epoch, got ${String(scheduleInterval)}`);
  assertMetrics(options.metrics);
  const { schedule } = options;
  if (schedule !== undefined && typeof schedule?.moves !== "function")
    throw new InputError(
      `Trainer: expected a learning rate schedule, got ${schedule === null ? "null" : typeof schedule}`,
    );
  if (schedule?.moves(optimizer) === false)
    throw new InputError(
      "Trainer: expected a schedule of this optimizer, got one of another; make it with the optimizer you pass",
    );
  if (options.schedule?.monitor !== undefined && scheduleInterval === "step")
    throw new InputError(
      `Trainer: expected scheduleInterval "epoch" for a schedule that monitors ${options.schedule.monitor}, got "step"`,
    );
}

/** @throws InputError unless they are metrics by name: a class or a list is neither. */
function assertMetrics(metrics: unknown): void {
  if (metrics === undefined) return;
  if (typeof metrics !== "object" || metrics === null || Array.isArray(metrics))
    throw new InputError(
      `Trainer: expected metrics by name, got ${Array.isArray(metrics) ? "a list" : metrics === null ? "null" : typeof metrics}; pass { accuracy: new Accuracy() }`,
    );
  for (const [name, metric] of Object.entries(metrics as Record<string, Partial<Metric> | undefined>))
    if (typeof metric?.update !== "function" || typeof metric.compute !== "function")
      throw new InputError(
        `Trainer: expected a metric as ${name}, got ${typeof metric === "function" ? `a class or function; pass new ${(metric as { name: string }).name}()` : typeof metric}`,
      );
}

/** @throws InputError for a value that is no source of batches, such as a dataset or an array. */
export function assertBatchSource(operation: string, name: string, source: unknown): void {
  const {
    state,
    loadState,
    [Symbol.asyncIterator]: iterate,
  } = (source ?? {}) as Partial<BatchSource<unknown>>;
  if (![state, loadState, iterate].every((method) => typeof method === "function"))
    throw new InputError(
      `${operation}: expected a DataLoader for ${name}, got ${Array.isArray(source) ? "an array" : typeof source}; wrap a dataset in a DataLoader`,
    );
}

/** What a run calls of a callback; a list that forgets one does not compile. */
const CALLBACK_METHODS: Readonly<Record<Extract<keyof TrainingCallback, `on${string}`>, true>> = {
  onFitStart: true,
  onEpochStart: true,
  onGradients: true,
  onStepEnd: true,
  onStepValues: true,
  onEvaluationStep: true,
  onEpochEnd: true,
  onFitEnd: true,
};

/** @throws InputError for a method `on…` that nothing calls, own or inherited: `onBatchEnd` is another library's. */
function assertCallbackMethods(callback: TrainingCallback): void {
  for (let at: object = callback; at !== null && at !== Object.prototype; at = Object.getPrototypeOf(at))
    for (const name of Object.getOwnPropertyNames(at))
      if (/^on[A-Z]/.test(name) && !Object.hasOwn(CALLBACK_METHODS, name))
        throw new InputError(
          `Trainer.fit: expected callbacks with ${Object.keys(CALLBACK_METHODS).join(", ")}, got ${name} in ${callback.name}; nothing calls it`,
        );
}

/** @throws InputError unless they are objects with names: a function has a name too, and nothing would call it. */
function assertCallbacks(callbacks: unknown): void {
  if (!Array.isArray(callbacks))
    throw new InputError(
      `Trainer.fit: expected callbacks as an array, got ${callbacks === null ? "null" : typeof callbacks}; put it into []`,
    );
  const wrong = callbacks.find((each) => typeof each !== "object" || typeof each?.name !== "string");
  if (wrong !== undefined || callbacks.includes(undefined))
    throw new InputError(
      `Trainer.fit: expected callbacks with names, { name, onStepEnd, … }, got ${typeof wrong === "function" ? 'a function; name it and what calls it, { name: "mine", onEpochEnd: … }, or call it if it makes a callback' : `${wrong === null ? "null" : typeof wrong} without a name`}`,
    );
  callbacks.forEach(assertCallbackMethods);
}

/** @throws InputError for options that do not exist. */
export function assertFitNames<Batch>(operation: string, options: FitOptions<Batch>): void {
  assertOptionNames(operation, options, FIT_OPTIONS);
}

/** @throws InputError for counts that are not positive integers, or callbacks and data of another kind. */
export function assertFitOptions<Batch>(loader: BatchSource<Batch>, options: FitOptions<Batch>): void {
  const given = options ?? {};
  assertFitNames("Trainer.fit", given);
  const { epochs, maxSteps, validation, callbacks = [] } = given;
  assertBatchSource("Trainer.fit", "training", loader);
  if (validation !== undefined) assertBatchSource("Trainer.fit", "validation", validation);
  assertCallbacks(callbacks);
  for (const [name, value] of Object.entries({ epochs, maxSteps }))
    if (name === "epochs" || value !== undefined)
      if (!Number.isInteger(value) || (value as number) < 1)
        throw new InputError(`Trainer.fit: expected an integer ${name} of at least 1, got ${value}`);
}
