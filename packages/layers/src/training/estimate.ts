import { dispose, InputError } from "@ai/tensor";
import { batchesUntilAborted } from "./abortable-batches.js";
import type { TrainingEstimate } from "./callbacks/callback.js";
import type { DataLoaderState } from "./data/index.js";
import type { BatchSource } from "./trainer-options.js";

/** Steps or batches that are timed, after one that warms up. */
const TIMED = 3;
/** Timing ends early after so long. */
const ENOUGH_MILLISECONDS = 10_000;

/** The first `limit` batches of another source. */
class FirstBatches<Batch> implements BatchSource<Batch> {
  readonly #source: BatchSource<Batch>;
  readonly #limit: number;

  constructor(source: BatchSource<Batch>, limit: number) {
    this.#source = source;
    this.#limit = limit;
  }

  get length(): number {
    return this.#limit;
  }

  state(): DataLoaderState {
    return this.#source.state();
  }

  loadState(state: DataLoaderState): void {
    this.#source.loadState(state);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Batch, void, undefined> {
    let left = this.#limit;
    if (left === 0) return;
    for await (const batch of this.#source) {
      yield batch;
      if (--left === 0) return;
    }
  }
}

/** Seconds of one step: `step` is called with batches until a few steps, at most `maxSteps`, are timed. */
async function timeSteps<Batch>(
  source: BatchSource<Batch>,
  {
    batchesPerStep,
    maxSteps,
    signal,
  }: {
    readonly batchesPerStep: number;
    readonly maxSteps: number;
    readonly signal: AbortSignal | undefined;
  },
  step: (batch: Batch, isLastOfStep: boolean) => Promise<void>,
): Promise<number> {
  const times: number[] = [];
  let batches = 0;
  let began = performance.now();
  const start = began;
  const first = new FirstBatches(source, batchesPerStep * Math.min(TIMED + 1, maxSteps));
  for await (const batch of batchesUntilAborted(first, signal)) {
    batches++;
    const isLast = batches % batchesPerStep === 0;
    try {
      await step(batch, isLast);
    } finally {
      dispose(batch);
    }
    if (!isLast) continue;
    const now = performance.now();
    times.push(now - began);
    began = now;
    if (times.length > 1 && now - start > ENOUGH_MILLISECONDS) break;
  }
  if (batches === 0) throw new InputError("Trainer.estimate: expected at least one batch, got none");
  if (times.length === 0) return (performance.now() - start) / 1000;
  return Math.min(...(times.length > 1 ? times.slice(1) : times)) / 1000;
}

/** Seconds of one evaluation over a source, from its first batches. */
async function timeEvaluation<Batch>(
  source: BatchSource<Batch>,
  evaluate: (part: BatchSource<Batch>) => Promise<unknown>,
): Promise<number> {
  const { length } = source;
  if (length === undefined || length === 0) return 0;
  const state = source.state();
  await evaluate(new FirstBatches(source, 1)); // warms up
  source.loadState(state);
  const batches = Math.min(TIMED, length);
  const began = performance.now();
  await evaluate(new FirstBatches(source, batches));
  return (((performance.now() - began) / 1000) * length) / batches;
}

/** A run that is to be measured. */
export interface MeasuredRun<Batch> {
  /** Steps an epoch; undefined for a source that does not know its length. */
  readonly perEpoch: number | undefined;
  readonly batchesPerStep: number;
  readonly done: { readonly steps: number; readonly epochs: number };
  readonly wanted: { readonly steps: number | undefined; readonly epochs: number };
  readonly signal: AbortSignal | undefined;
  /** Sets everything back to where it was afterwards; `rewind` does so with the data in between. */
  rehearse<Result>(work: (rewind: () => void) => Promise<Result>): Promise<Result>;
  train(batch: Batch, isLastOfStep: boolean): Promise<void>;
  evaluate(part: BatchSource<Batch>): Promise<unknown>;
}

/** Times a few steps of a run. @throws InputError when its length is not known; the signal's reason. */
export async function estimateRun<Batch>(
  loader: BatchSource<Batch>,
  validation: BatchSource<Batch> | undefined,
  { perEpoch, batchesPerStep, done, wanted, signal, rehearse, train, evaluate }: MeasuredRun<Batch>,
): Promise<TrainingEstimate> {
  const total = Math.min(
    (perEpoch ?? Number.POSITIVE_INFINITY) * wanted.epochs,
    wanted.steps ?? Number.POSITIVE_INFINITY,
  );
  if (!Number.isFinite(total))
    throw new InputError(
      "Trainer.estimate: expected a loader that knows its length, got one without; pass maxSteps",
    );
  const steps = Math.max(0, total - done.steps);
  if (steps === 0) return { secondsPerStep: 0, steps, seconds: 0 };
  return rehearse(async (rewind) => {
    const secondsPerStep = await timeSteps(loader, { batchesPerStep, maxSteps: steps, signal }, train);
    rewind();
    const perEvaluation = validation === undefined ? 0 : await timeEvaluation(validation, evaluate);
    const evaluations = perEpoch === undefined ? 0 : Math.floor(total / perEpoch) - done.epochs;
    const seconds = steps * secondsPerStep + Math.max(0, evaluations) * perEvaluation;
    return { secondsPerStep, steps, seconds };
  });
}
