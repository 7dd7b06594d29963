import { dispose, InputError, type Tensor } from "@ai/tensor";
import { batchesUntilAborted } from "./abortable-batches.js";
import {
  type CallbackState,
  type FitEnd,
  type FitResult,
  gradientListener,
  inOrder,
  restoreCallbacks,
  type StepValues,
  statesOf,
  type TrainerView,
  type TrainingCallback,
  type TrainingEstimate,
  type TrainingRun,
} from "./callbacks/callback.js";
import { loadLastCheckpoint } from "./checkpoint.js";
import { estimateRun } from "./estimate.js";
import {
  currentMetrics,
  type EvaluateOptions,
  evaluateModel,
  MAX_PENDING,
  metricValues,
  monitoredValue,
} from "./evaluation.js";
import { breathe } from "./event-loop.js";
import { type EpochRecord, TrainingHistory } from "./history.js";
import { rememberModes } from "./modes.js";
import { Occupancy } from "./occupancy.js";
import { RunPosition } from "./run-position.js";
import { Stepper } from "./stepper.js";
import {
  assertFitNames,
  assertFitOptions,
  assertTrainerOptions,
  type BatchSource,
  type FitOptions,
  type TrainableModel,
  type TrainerOptions,
} from "./trainer-options.js";
import { callbackStates, captureState, restoreState, type TrainingState } from "./training-state.js";

/**
 * Trains a model: batches, gradients, clipping, optimizer, schedule, evaluation and callbacks. Nothing of a step stays
 * in memory, and the values of a step are read while the next ones run.
 *
 * {@link state} holds everything that the rest of a run depends on: on the same device a run that is resumed from it
 * ends with bit-identical weights.
 * @typeParam Batch What the loader gives; without `computeLoss` its first tensor is the input and its second the target.
 * @example
 * const trainer = new Trainer({ model, loss: new CrossEntropyLoss(), optimizer: new AdamW(model.parameters()) });
 * await trainer.fit(loader, { epochs: 3, validation, callbacks: [progressBar()] });
 */
export class Trainer<Batch = readonly Tensor[], Model extends TrainableModel = TrainableModel>
  implements TrainerView
{
  readonly model: Model;
  /** Values of all steps and epochs so far. */
  readonly history = new TrainingHistory();
  readonly #options: TrainerOptions<Batch, Model>;
  readonly #stepper: Stepper<Batch, Model>;
  readonly #position = new RunPosition();
  #callbacks: readonly TrainingCallback[] = [];
  /** States of callbacks that are not part of a run yet. */
  #loadedCallbacks = new Map<string, CallbackState>();
  readonly #occupancy = new Occupancy();

  /** @throws InputError for options out of range or that exclude each other. */
  constructor(options: TrainerOptions<Batch, Model>) {
    assertTrainerOptions(options);
    this.#options = options;
    this.model = options.model;
    this.#stepper = new Stepper(options, this.history);
  }

  /** Optimizer steps so far. */
  get step(): number {
    return this.#stepper.step;
  }

  /** Finished epochs. */
  get epoch(): number {
    return this.#position.epoch;
  }

  /** Steps that were left out because a gradient was not finite. */
  get skippedSteps(): number {
    return this.#stepper.skipped;
  }

  /** Learning rate of the optimizer's first group now. */
  get learningRate(): number {
    return this.#options.optimizer.groups[0].options.learningRate;
  }

  /**
   * Trains until `epochs` epochs are done in all. The model is in evaluation mode afterwards. A run that was stopped,
   * aborted or failed goes on with the very next batch when `fit` is called again.
   * @returns how it ended, and all values.
   * @throws the reason of `signal` once aborted; KernelError at a loss that is not finite, naming the step; InputError
   * for options out of range or a source without batches.
   */
  async fit(loader: BatchSource<Batch>, options: FitOptions<Batch>): Promise<FitResult> {
    assertFitOptions(loader, options);
    return this.#occupancy.run("Trainer.fit", async () => {
      try {
        options.signal?.throwIfAborted();
        if (options.resumeFrom !== undefined) {
          const saved = await loadLastCheckpoint(options.resumeFrom, { storage: options.storage });
          if (saved !== undefined) this.#load(saved);
        }
        this.#useCallbacks(options.callbacks ?? []);
        this.#position.moveLoaders(loader, options.validation);
        return await this.#run(loader, options);
      } finally {
        this.model.eval();
      }
    });
  }

  async #run(loader: BatchSource<Batch>, options: FitOptions<Batch>): Promise<FitResult> {
    const { epochs, signal, maxSteps = Number.POSITIVE_INFINITY } = options;
    const stepsPerEpoch = this.#stepsPerEpoch(loader);
    const totalSteps = Math.min((stepsPerEpoch ?? Number.POSITIVE_INFINITY) * epochs, maxSteps);
    let stopReason: string | undefined;
    const run: TrainingRun = {
      trainer: this,
      epochs,
      stepsPerEpoch,
      totalSteps: Number.isFinite(totalSteps) ? totalSteps : undefined,
      estimate: options.estimate ? await this.#estimate(loader, options) : undefined,
      currentMetrics: () => currentMetrics(this.#options.metrics ?? {}),
      valuesRead: () => this.#stepper.reader.drain(),
      stop: (reason) => {
        stopReason ??= reason;
      },
    };
    const isStopped = (): boolean => {
      if (this.step >= maxSteps) stopReason ??= `${maxSteps} steps are done`;
      return stopReason !== undefined;
    };
    let end: FitEnd = { outcome: "finished" };
    let failure: { readonly error: unknown } | undefined;
    try {
      for (const callback of this.#callbacks) await callback.onFitStart?.(run);
      while (this.epoch < epochs && !isStopped()) await this.#trainEpoch(loader, options, run, isStopped);
      if (stopReason !== undefined) end = { outcome: "stopped", reason: stopReason };
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      end = { outcome: signal?.aborted ? "aborted" : "failed", reason };
      failure = { error };
      this.#stepper.discard();
      await this.#stepper.reader.drain().catch(() => undefined); // the first error is the one to report
    }
    for (const callback of this.#callbacks)
      try {
        await callback.onFitEnd?.(end, run);
      } catch (error) {
        failure ??= { error };
      }
    if (failure !== undefined) throw failure.error;
    return { ...end, history: this.history };
  }

  /** One epoch or the rest of one; what it summed up is kept when it is stopped before its end. */
  async #trainEpoch(
    loader: BatchSource<Batch>,
    { validation, signal }: FitOptions<Batch>,
    run: TrainingRun,
    isStopped: () => boolean,
  ): Promise<void> {
    const [stepper, position, started] = [this.#stepper, this.#position, performance.now()];
    const { gradientAccumulation = 1, schedule, scheduleInterval } = this.#options;
    this.model.train();
    if (!position.continues) this.#resetRunning();
    let isEmpty = !position.continues;
    position.continues = true;
    for (const callback of this.#callbacks) await callback.onEpochStart?.(run);
    // a run that ends before its first update begins with the same batch again
    position.data ??= loader.state();
    let { data } = position;
    const onValues = (values: StepValues): void => {
      for (const callback of this.#callbacks) callback.onStepValues?.(values, run);
    };
    const onGradients = gradientListener(this.#callbacks, this.#options.optimizer.parameters, run);
    const update = async (): Promise<void> => {
      const isDone = await stepper.update(this.epoch, onValues, onGradients);
      position.data = data;
      if (isDone) for (const callback of this.#callbacks) await callback.onStepEnd?.(run);
      await stepper.reader.atMost(MAX_PENDING);
    };
    for await (const batch of batchesUntilAborted(loader, signal)) {
      try {
        this.#occupancy.assertNoEvaluation();
        stepper.accumulate(batch);
      } finally {
        dispose(batch);
      }
      isEmpty = false;
      data = loader.state();
      if (stepper.batches < gradientAccumulation) continue;
      await update();
      await breathe();
      if (isStopped()) break;
    }
    if (isEmpty) throw new InputError("Trainer.fit: expected a loader with at least one batch, got none");
    if (stepper.batches > 0) await update(); // the last step of an epoch may have fewer batches
    await stepper.reader.drain();
    await stepper.assertFiniteWeights();
    signal?.throwIfAborted();
    if (isStopped() && position.data?.position !== loader.length) return;
    const record = await this.#recordEpoch(validation, signal, run, started);
    if (scheduleInterval === "epoch") schedule?.step(monitoredValue(schedule, record));
    this.history.epochs.push(record);
    position.endEpoch(loader.state());
    this.#resetRunning();
    for (const callback of this.#callbacks) await callback.onEpochEnd?.(record, run);
  }

  async #recordEpoch(
    validation: BatchSource<Batch> | undefined,
    signal: AbortSignal | undefined,
    run: TrainingRun,
    started: number,
  ): Promise<EpochRecord> {
    const values: Record<string, number> = {
      loss: this.#stepper.lossSum / this.#stepper.items,
      ...(await metricValues(this.#options.metrics ?? {})),
    };
    if (validation !== undefined) {
      const onStep = (done: number): void => {
        for (const callback of this.#callbacks)
          callback.onEvaluationStep?.({ done, total: validation.length }, run);
      };
      this.#position.evaluationData ??= validation.state();
      const evaluated = await this.evaluate(validation, { signal, onStep });
      this.#position.evaluationData = validation.state();
      for (const [name, value] of Object.entries(evaluated)) values[`validation.${name}`] = value;
    }
    const seconds = (performance.now() - started) / 1000;
    return { epoch: this.epoch + 1, step: this.step, seconds, learningRate: this.learningRate, values };
  }

  /**
   * Loss and metrics of the model over a set, in evaluation mode, without changing anything else.
   * @returns `loss` (mean over the examples) and each metric by name.
   * @throws the reason of `signal` once aborted; InputError without batches, or during a run that does not wait for it.
   */
  async evaluate(source: BatchSource<Batch>, options: EvaluateOptions = {}): Promise<Record<string, number>> {
    return this.#evaluate(source, options);
  }

  #evaluate(source: BatchSource<Batch>, options: EvaluateOptions, isPart = false) {
    const work = () => evaluateModel(this.model, this.#options.metrics ?? {}, this.#stepper, source, options);
    return this.#occupancy.evaluate(() => this.step, work, isPart);
  }

  /**
   * Times a few steps and says how long the run will take; afterwards everything is as before.
   * @throws InputError when neither the loader's length nor `maxSteps` is known; the reason of `signal` once aborted.
   */
  async estimate(loader: BatchSource<Batch>, options: FitOptions<Batch>): Promise<TrainingEstimate> {
    assertFitNames("Trainer.estimate", options);
    return this.#occupancy.run("Trainer.estimate", () => this.#estimate(loader, options));
  }

  #estimate(loader: BatchSource<Batch>, options: FitOptions<Batch>): Promise<TrainingEstimate> {
    const { epochs, validation, maxSteps, signal } = options;
    const sources = validation === undefined ? [loader] : [loader, validation];
    return estimateRun(loader, validation, {
      perEpoch: this.#stepsPerEpoch(loader),
      batchesPerStep: this.#options.gradientAccumulation ?? 1,
      done: { steps: this.step, epochs: this.epoch },
      wanted: { steps: maxSteps, epochs },
      signal,
      rehearse: (work) => this.#rehearse(sources, work),
      train: async (batch, isLast) => {
        this.#stepper.accumulate(batch);
        if (isLast) await this.#stepper.update(this.epoch, () => undefined);
        await this.#stepper.reader.drain();
      },
      evaluate: (part) => this.#evaluate(part, { signal }, true),
    });
  }

  /** Lets `work` train the model; afterwards all is as before, to the bit. @throws InputError during a run. @internal */
  async rehearse<Result>(
    operation: string,
    source: BatchSource<Batch>,
    // the model's type stays out, so that a trainer of a model is one of any model
    work: (options: TrainerOptions<Batch, never>) => Promise<Result>,
  ): Promise<Result> {
    const options = this.#options as unknown as TrainerOptions<Batch, never>;
    return this.#occupancy.run(operation, () => this.#rehearse([source], () => work(options)));
  }

  /** @param work Gets what sets the sources to where they were. */
  async #rehearse<Result>(
    sources: readonly BatchSource<Batch>[],
    work: (rewind: () => void) => Promise<Result>,
  ): Promise<Result> {
    const before = await this.state();
    const positions = sources.map((source) => source.state());
    const rewind = (): void => {
      for (const [index, source] of sources.entries()) source.loadState(positions[index]);
    };
    const restoreModes = rememberModes(this.model);
    try {
      this.model.train();
      return await work(rewind);
    } finally {
      this.#stepper.discard();
      await this.#stepper.reader.drain().catch(() => undefined); // an error of the work is the one to report
      rewind();
      this.#restore(before);
      restoreModes();
    }
  }

  #stepsPerEpoch(loader: BatchSource<Batch>): number | undefined {
    return loader.length === undefined
      ? undefined
      : Math.ceil(loader.length / (this.#options.gradientAccumulation ?? 1));
  }

  #resetRunning(): void {
    this.#stepper.lossSum = 0;
    this.#stepper.items = 0;
    for (const metric of Object.values(this.#options.metrics ?? {})) metric.reset();
  }

  #useCallbacks(callbacks: readonly TrainingCallback[]): void {
    this.#callbacks = inOrder(callbacks);
    restoreCallbacks(this.#callbacks, this.#loadedCallbacks);
  }

  /**
   * Copies everything that the rest of the run depends on to the host: model, optimizer, schedule, random generators,
   * position in the data, sums of the epoch in progress, history and what callbacks remember.
   */
  async state(): Promise<TrainingState> {
    await this.#stepper.reader.drain();
    return captureState(this.#options, {
      step: this.step,
      ...this.#position.saved(),
      running: { lossSum: this.#stepper.lossSum, items: this.#stepper.items },
      skippedSteps: this.skippedSteps,
      history: this.history,
      callbacks: statesOf(this.#callbacks, this.#loadedCallbacks),
    });
  }

  /**
   * Goes on from a saved state: the next `fit` continues there, with the same options and data.
   * @throws WeightsError when it is of another model, optimizer, schedule or other metrics.
   */
  loadState(state: TrainingState): void {
    this.#occupancy.assertIdle("Trainer.loadState");
    this.#load(state);
  }

  #load(state: TrainingState): void {
    this.#restore(state);
    this.#position.isRestored = true;
    this.#loadedCallbacks = callbackStates(state);
  }

  /** All but the callbacks. */
  #restore(state: TrainingState): void {
    restoreState(this.#options, state);
    const [{ json }, stepper] = [state, this.#stepper];
    stepper.step = json.step;
    stepper.skipped = json.skippedSteps;
    stepper.lossSum = json.running.lossSum;
    stepper.items = json.running.items;
    this.#position.restore(json);
    this.history.restore(json.epochs, state.losses, state.learningRates);
  }
}
