import { dispose, InputError } from "@ai/tensor";
import { batchesUntilAborted } from "./abortable-batches.js";
import { breathe } from "./event-loop.js";
import { TrainingHistory } from "./history.js";
import { assertOptionNames } from "./option-names.js";
import { NonFiniteLossError, Stepper } from "./stepper.js";
import type { Trainer } from "./trainer.js";
import {
  assertBatchSource,
  type BatchSource,
  type TrainableModel,
  type TrainerOptions,
} from "./trainer-options.js";

/** The first losses are too noisy for a slope. */
const SKIPPED_SHARE = 0.1;

/** Options of {@link findLearningRate}. */
export interface FindLearningRateOptions {
  /** The first rate. Default 1e-7. */
  readonly minLearningRate?: number;
  /** The last rate. Default 10. */
  readonly maxLearningRate?: number;
  /** Optimizer steps from the first to the last rate. Default 100. */
  readonly steps?: number;
  /** Share of the average so far in the smoothed loss, in [0, 1). Default 0.9. */
  readonly smoothing?: number;
  /** The test ends when the smoothed loss is so many times the smallest. Default 4. */
  readonly divergence?: number;
  /** Ends the test: everything is restored all the same. */
  readonly signal?: AbortSignal;
  /** Called after each step. */
  readonly onStep?: (values: LearningRateTrial) => void;
}

/** One step of the test. */
export interface LearningRateTrial {
  /** From 1. */
  readonly step: number;
  readonly learningRate: number;
  readonly loss: number;
  readonly smoothedLoss: number;
}

/** What {@link findLearningRate} found: plain data. */
export interface LearningRateSearch {
  readonly trials: readonly LearningRateTrial[];
  /** Where the smoothed loss falls steepest by the logarithm of the rate; absent when it falls nowhere. */
  readonly suggestion?: number;
  /** Where the smoothed loss is smallest: the largest rate to think of; absent without a step. */
  readonly minimum?: number;
  /** Whether it ended early: the loss rose far above its smallest value, or was not finite. */
  readonly diverged: boolean;
}

const OPTIONS = [
  "minLearningRate",
  "maxLearningRate",
  "steps",
  "smoothing",
  "divergence",
  "signal",
  "onStep",
] as const;

/**
 * The learning-rate range test: trains while the rate of step i of n grows as `min · (max / min)^(i / (n − 1))`, and
 * suggests the rate at which the smoothed loss falls fastest. Groups keep the ratios of their rates; schedule and
 * metrics rest. Weights, optimizer, random numbers and data are as before afterwards, to the bit.
 * @returns the trials and a suggestion, plain data.
 * @throws the reason of `signal` once aborted; InputError for options out of range, during a run, or without batches.
 * @see Smith, "Cyclical Learning Rates for Training Neural Networks", 2017, section 3.3, https://arxiv.org/abs/1506.01186
 * @example
 * const { suggestion } = await findLearningRate(trainer, loader);
 */
export async function findLearningRate<Batch, Model extends TrainableModel>(
  trainer: Trainer<Batch, Model>,
  loader: BatchSource<Batch>,
  options: FindLearningRateOptions = {},
): Promise<LearningRateSearch> {
  assertOptions(options);
  assertBatchSource("findLearningRate", "training", loader);
  const { minLearningRate: min = 1e-7, maxLearningRate: max = 10, steps = 100, signal, onStep } = options;
  const { smoothing = 0.9, divergence = 4 } = options;
  signal?.throwIfAborted();
  return trainer.rehearse("findLearningRate", loader, async (trained) => {
    const {
      schedule: _schedule,
      metrics: _metrics,
      ...rest
    } = trained as unknown as TrainerOptions<Batch, Model>;
    const history = new TrainingHistory();
    const stepper = new Stepper<Batch, Model>({ ...rest, nonFinite: "stop" }, history);
    const { groups } = rest.optimizer;
    const ratios = groups.map(
      ({ options: { learningRate } }) => learningRate / groups[0].options.learningRate,
    );
    const setRate = (rate: number): void =>
      groups.forEach((group, index) => {
        const learningRate = Number.isFinite(ratios[index]) ? rate * ratios[index] : rate;
        group.options = { ...group.options, learningRate };
      });
    const trials: LearningRateTrial[] = [];
    let average = 0;
    let best = Number.POSITIVE_INFINITY;
    let diverged = false;
    try {
      for await (const isLastOfStep of accumulated(
        loader,
        stepper,
        trained.gradientAccumulation ?? 1,
        signal,
      )) {
        if (!isLastOfStep) continue;
        const step = trials.length + 1;
        const learningRate = steps === 1 ? min : min * (max / min) ** ((step - 1) / (steps - 1));
        setRate(learningRate);
        await stepper.update(0, () => undefined);
        await stepper.reader.drain();
        const loss = history.losses[step - 1];
        average = smoothing * average + (1 - smoothing) * loss;
        const smoothedLoss = average / (1 - smoothing ** step);
        const trial = { step, learningRate, loss, smoothedLoss };
        trials.push(trial);
        onStep?.(trial);
        // a loss may be below 0: what counts is how far it rose
        diverged = step > 1 && smoothedLoss > best + (divergence - 1) * Math.abs(best);
        best = Math.min(best, smoothedLoss);
        if (diverged || step >= steps) break;
        await breathe();
      }
    } catch (error) {
      if (!(error instanceof NonFiniteLossError)) throw error;
      diverged = true;
    } finally {
      stepper.discard();
      await stepper.reader.drain().catch(() => undefined); // the first error is the one to report
    }
    if (trials.length === 0 && !diverged)
      throw new InputError("findLearningRate: expected a loader with at least one batch, got none");
    return { trials, ...rated(trials), diverged };
  });
}

/** Adds up batches, over and over; tells after each whether a step is complete. */
async function* accumulated<Batch, Model extends TrainableModel>(
  loader: BatchSource<Batch>,
  stepper: Stepper<Batch, Model>,
  batchesPerStep: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<boolean, void, undefined> {
  for (let isEmpty = false; !isEmpty; ) {
    isEmpty = true;
    for await (const batch of batchesUntilAborted(loader, signal)) {
      isEmpty = false;
      try {
        stepper.accumulate(batch);
      } finally {
        dispose(batch);
      }
      yield stepper.batches >= batchesPerStep;
    }
  }
}

/** The rates of the steepest fall and of the smallest smoothed loss. */
function rated(trials: readonly LearningRateTrial[]): { suggestion?: number; minimum?: number } {
  if (trials.length === 0) return {};
  const losses = trials.map(({ smoothedLoss }) => smoothedLoss);
  const lowest = losses.indexOf(Math.min(...losses));
  const minimum = trials[lowest].learningRate;
  let steepest = 0;
  let suggestion: number | undefined;
  // rates are equidistant in their logarithm, so that differences of losses compare as slopes
  for (let index = Math.max(1, Math.floor(SKIPPED_SHARE * trials.length)); index < lowest; index++) {
    const slope = losses[index + 1] - losses[index - 1];
    if (slope >= steepest) continue;
    steepest = slope;
    suggestion = trials[index].learningRate;
  }
  return suggestion === undefined ? { minimum } : { suggestion, minimum };
}

function assertOptions(options: FindLearningRateOptions): void {
  assertOptionNames("findLearningRate", options, OPTIONS);
  const { minLearningRate = 1e-7, maxLearningRate = 10, steps = 100 } = options;
  const { smoothing = 0.9, divergence = 4 } = options;
  if (
    !(
      typeof minLearningRate === "number" &&
      minLearningRate > 0 &&
      minLearningRate < maxLearningRate &&
      Number.isFinite(maxLearningRate)
    )
  )
    throw new InputError(
      `findLearningRate: expected 0 < minLearningRate < maxLearningRate, got ${minLearningRate} and ${maxLearningRate}`,
    );
  if (!Number.isInteger(steps) || steps < 1)
    throw new InputError(`findLearningRate: expected an integer of steps of at least 1, got ${steps}`);
  if (!(typeof smoothing === "number" && smoothing >= 0 && smoothing < 1))
    throw new InputError(`findLearningRate: expected a smoothing in [0, 1), got ${smoothing}`);
  if (!(typeof divergence === "number" && divergence > 1))
    throw new InputError(`findLearningRate: expected a divergence above 1, got ${divergence}`);
}
