import { InputError, memory } from "@ai/tensor";
import { type AnyModule, Module } from "../module.js";
import { allParameters, sizeOfParameters } from "../module-fields.js";
import type { CallbackState, TrainingCallback, TrainingRun } from "../training/callbacks/callback.js";
import { checkpoints } from "../training/callbacks/checkpoints.js";
import type { EpochRecord } from "../training/history.js";
import { Trainer } from "../training/trainer.js";
import type { BatchSource } from "../training/trainer-options.js";
import { itemsOf } from "../training/training-step.js";
import type {
  CompareVariantsOptions,
  Variant,
  VariantPoint,
  VariantProgress,
  VariantResult,
  VariantRun,
} from "./compare-variants.js";
import type { RunFiles } from "./run-files.js";

/** A run and what is the same for all runs of its variant. */
export interface FinishedRun {
  readonly run: VariantRun;
  readonly size: Omit<VariantResult, "name" | "runs">;
}

/** Which of the runs it is. */
export interface RunContext {
  readonly seed: number;
  readonly files: RunFiles | undefined;
  readonly place: Omit<VariantProgress, "phase" | "step" | "loss">;
}

/**
 * Trains one variant with one seed. A failure is part of the result.
 * @throws the reason of the signal once aborted.
 */
export async function runVariant<Batch, Model extends AnyModule>(
  variant: Variant<Model>,
  options: CompareVariantsOptions<Batch, Model>,
  { seed, files, place }: RunContext,
): Promise<FinishedRun> {
  const { signal } = options;
  const meter = new RunMeter(options.maxSeconds, (step, loss) =>
    options.onProgress?.({ ...place, phase: "training", step, loss }),
  );
  let model: Model | undefined;
  let optimizer: { dispose(): void } | undefined;
  let trainer: Trainer<Batch, Model> | undefined;
  let size: FinishedRun["size"] = { parameters: 0 };
  let values: Readonly<Record<string, number>> = {};
  let secondsPerSample: number | undefined;
  let error: string | undefined;
  try {
    const made = await (variant.create ?? options.base)!();
    if (!(made instanceof Module))
      throw new InputError(`expected a module from create or base, got ${typeof made}`);
    model = made;
    await variant.change?.(model);
    size = { parameters: sizeOfParameters(allParameters(model)).parameters };
    const training = options.setup(model, seed);
    optimizer = training.trainer.optimizer;
    trainer = new Trainer<Batch, Model>({ ...training.trainer, model });
    meter.watch(model);
    await trainer.fit(training.data, {
      epochs: options.epochs ?? Number.MAX_SAFE_INTEGER,
      maxSteps: options.maxSteps,
      validation: training.validation,
      callbacks: files === undefined ? [meter] : [meter, checkpoints(files.checkpoints)],
      resumeFrom: files?.checkpoints.folder,
      storage: files?.checkpoints.storage,
      signal,
    });
    if (training.validation === undefined) values = lastValues(trainer);
    else {
      const measured = await measure(trainer, model, training.validation, signal);
      values = measured.values;
      secondsPerSample = measured.seconds / measured.samples;
      size = { ...size, multiplyAddsPerSample: measured.multiplyAdds / measured.samples };
    }
  } catch (failure) {
    signal?.throwIfAborted();
    error = failure instanceof Error ? failure.message : String(failure);
  } finally {
    meter.stop();
    optimizer?.dispose();
    model?.dispose();
  }
  const run: VariantRun = {
    seed,
    ...(error === undefined ? {} : { error }),
    steps: trainer?.step ?? 0,
    values,
    losses: [...(trainer?.history.losses ?? [])],
    curve: meter.curve,
    trainSeconds: meter.seconds,
    ...(secondsPerSample === undefined ? {} : { secondsPerSample }),
    peakBytes: meter.peakBytes,
  };
  return { run, size };
}

/** Values of the last epoch; the mean loss of the steps when the budget ended within the first one. */
function lastValues<Batch, Model extends AnyModule>({
  history,
}: Trainer<Batch, Model>): Record<string, number> {
  const { epochs, losses } = history;
  const last = epochs.at(-1);
  if (last !== undefined) return { ...last.values };
  return { loss: losses.reduce((total, loss) => total + loss, 0) / losses.length };
}

interface Measurement {
  readonly values: Readonly<Record<string, number>>;
  readonly seconds: number;
  readonly samples: number;
  readonly multiplyAdds: number;
}

/** Evaluates, and counts what passes by. */
async function measure<Batch, Model extends AnyModule>(
  trainer: Trainer<Batch, Model>,
  model: Model,
  source: BatchSource<Batch>,
  signal: AbortSignal | undefined,
): Promise<Measurement> {
  let [samples, multiplyAdds] = [0, 0];
  const counted: BatchSource<Batch> = {
    length: source.length,
    state: () => source.state(),
    loadState: (state) => source.loadState(state),
    async *[Symbol.asyncIterator]() {
      for await (const batch of source) {
        samples += itemsOf(batch);
        yield batch;
      }
    },
  };
  const removers = model.namedModules().map(([, layer]) =>
    layer.registerForwardHook((_, inputs, output) => {
      multiplyAdds += layer.multiplyAdds(inputs, output);
    }),
  );
  try {
    const started = performance.now();
    const values = await trainer.evaluate(counted, { signal });
    return { values, seconds: (performance.now() - started) / 1000, samples, multiplyAdds };
  } finally {
    for (const remove of removers) remove();
  }
}

interface MeterState {
  readonly seconds: number;
  readonly peakBytes: number;
  readonly curve: readonly VariantPoint[];
}

/** Measures time and memory of the steps, and ends the run when its time is over. */
class RunMeter implements TrainingCallback {
  readonly name = "variant-meter";
  seconds = 0;
  peakBytes = 0;
  curve: readonly VariantPoint[] = [];
  readonly #maxSeconds: number;
  readonly #onStep: (step: number, loss: number) => void;
  readonly #bytesBefore = memory().numBytes;
  #stepStarted = 0;
  #unwatch: (() => void) | undefined;

  constructor(maxSeconds = Number.POSITIVE_INFINITY, onStep: (step: number, loss: number) => void) {
    this.#maxSeconds = maxSeconds;
    this.#onStep = onStep;
  }

  /** Behind the forward pass everything that the gradients need is alive. */
  watch(model: AnyModule): void {
    this.#unwatch = model.registerForwardHook((layer) => {
      if ((layer as { training: boolean }).training) this.#look();
    });
  }

  stop(): void {
    this.#unwatch?.();
  }

  #look(): void {
    this.peakBytes = Math.max(this.peakBytes, memory().numBytes - this.#bytesBefore);
  }

  onFitStart(run: TrainingRun): void {
    if (this.seconds >= this.#maxSeconds) run.stop(this.#reason());
  }

  onEpochStart(): void {
    this.#stepStarted = performance.now();
  }

  onStepEnd(run: TrainingRun): void {
    const now = performance.now();
    this.seconds += (now - this.#stepStarted) / 1000;
    this.#stepStarted = now;
    this.#look();
    if (this.seconds >= this.#maxSeconds) run.stop(this.#reason());
  }

  onStepValues({ step, loss }: { readonly step: number; readonly loss: number }): void {
    this.#onStep(step, loss);
  }

  onEpochEnd({ step, values }: EpochRecord): void {
    this.curve = [...this.curve, { step, seconds: this.seconds, values: { ...values } }];
  }

  #reason(): string {
    return `${this.#maxSeconds} seconds are over`;
  }

  state(): CallbackState {
    const json: MeterState = { seconds: this.seconds, peakBytes: this.peakBytes, curve: this.curve };
    return { json };
  }

  loadState({ json }: CallbackState): void {
    const { seconds, peakBytes, curve } = json as MeterState;
    this.seconds = seconds;
    this.peakBytes = peakBytes;
    this.curve = [...curve];
  }
}
