import { dispose, InputError } from "@ai/tensor";
import { batchesUntilAborted } from "./abortable-batches.js";
import { breathe } from "./event-loop.js";
import { TrainingHistory } from "./history.js";
import { diagnose, type LearningProblem, problemsOfLosses } from "./learning-problems.js";
import { assertOptionNames } from "./option-names.js";
import { NonFiniteLossError, Stepper } from "./stepper.js";
import type { Trainer } from "./trainer.js";
import {
  assertBatchSource,
  type BatchSource,
  type TrainableModel,
  type TrainerOptions,
} from "./trainer-options.js";

/** Options of {@link overfitOneBatch}. */
export interface OverfitOneBatchOptions {
  /** Steps at most. Default 200. */
  readonly steps?: number;
  /** The loss that counts as learned by heart. Default 0.01. */
  readonly targetLoss?: number;
  /** A rate instead of the optimizer's, for all groups. */
  readonly learningRate?: number;
  /** Ends the check: everything is restored all the same. */
  readonly signal?: AbortSignal;
  /** Called after each step, from 1. */
  readonly onStep?: (step: number, loss: number) => void;
}

/** What {@link overfitOneBatch} found: plain data. */
export interface OverfitReport {
  /** Whether the loss fell to `targetLoss`. */
  readonly passed: boolean;
  /** Loss of each step, before its update. */
  readonly losses: readonly number[];
  /** What may be wrong when it did not, the likeliest first; none when it did. */
  readonly problems: readonly LearningProblem[];
  /** All of it in words. */
  readonly explanation: string;
}

const OPTIONS = ["steps", "targetLoss", "learningRate", "signal", "onStep"] as const;

/**
 * Trains on one batch over and over: a model, loss and optimizer that fit together learn it by heart and the loss goes to
 * about 0. When it does not, the report says what may be wrong: frozen parameters, parameters that the optimizer does not
 * have or no gradient reaches, layers whose output is 0 or the same for every example, a rate too low or too high.
 * Schedule and metrics rest. Weights, optimizer, random numbers and data are as before afterwards, to the bit.
 * @param loader Its next batch is used.
 * @returns a report, plain data.
 * @throws the reason of `signal` once aborted; InputError for options out of range, during a run, or without batches.
 * @example
 * const { passed, explanation } = await overfitOneBatch(trainer, loader);
 * if (!passed) console.log(explanation);
 */
export async function overfitOneBatch<Batch, Model extends TrainableModel>(
  trainer: Trainer<Batch, Model>,
  loader: BatchSource<Batch>,
  options: OverfitOneBatchOptions = {},
): Promise<OverfitReport> {
  assertOptions(options);
  assertBatchSource("overfitOneBatch", "training", loader);
  const { steps = 200, targetLoss = 0.01, learningRate, signal, onStep } = options;
  signal?.throwIfAborted();
  return trainer.rehearse("overfitOneBatch", loader, async (trained) => {
    const {
      schedule: _schedule,
      metrics: _metrics,
      ...rest
    } = trained as unknown as TrainerOptions<Batch, Model>;
    const { groups } = rest.optimizer;
    if (learningRate !== undefined)
      for (const group of groups) group.options = { ...group.options, learningRate };
    const history = new TrainingHistory();
    const stepper = new Stepper<Batch, Model>({ ...rest, nonFinite: "stop" }, history);
    const batch = await firstBatch(loader, signal);
    const found: LearningProblem[] = [];
    let broke = false;
    try {
      const look = (): Promise<readonly LearningProblem[]> => diagnose(rest, () => stepper.lossOf(batch));
      const before = await look();
      const reached = (): boolean => (history.losses.at(-1) ?? Number.POSITIVE_INFINITY) <= targetLoss;
      try {
        while (history.losses.length < steps && !reached()) {
          signal?.throwIfAborted();
          stepper.accumulate(batch);
          await stepper.update(0, ({ step, loss }) => onStep?.(step, loss));
          await stepper.reader.drain();
          await breathe();
        }
      } catch (error) {
        if (!(error instanceof NonFiniteLossError)) throw error;
        broke = true;
      }
      const losses = [...history.losses];
      if (!broke && reached()) return report(losses, targetLoss, []);
      found.push(...before);
      const known = new Set(before.map(({ kind, path }) => `${kind} ${path}`));
      if (!broke) found.push(...(await look()).filter(({ kind, path }) => !known.has(`${kind} ${path}`)));
      found.push(...problemsOfLosses(losses, broke, groups[0].options.learningRate));
      return report(losses, targetLoss, found);
    } finally {
      stepper.discard();
      await stepper.reader.drain().catch(() => undefined); // the first error is the one to report
      dispose(batch);
    }
  });
}

async function firstBatch<Batch>(
  loader: BatchSource<Batch>,
  signal: AbortSignal | undefined,
): Promise<Batch> {
  for await (const batch of batchesUntilAborted(loader, signal)) return batch;
  throw new InputError("overfitOneBatch: expected a loader with at least one batch, got none");
}

function report(
  losses: readonly number[],
  targetLoss: number,
  problems: readonly LearningProblem[],
): OverfitReport {
  const passed = losses.length > 0 && (losses.at(-1) as number) <= targetLoss && problems.length === 0;
  const way = `The loss of one batch went from ${show(losses[0])} to ${show(losses.at(-1))} in ${losses.length} steps`;
  const explanation = passed
    ? `${way}: the model can learn it by heart.`
    : `${way} and not to ${show(targetLoss)}. ${problems.map(({ message }) => message).join(" ")}`;
  return { passed, losses, problems, explanation };
}

function show(value: number | undefined): string {
  return value === undefined ? "none" : String(Number(value.toPrecision(3)));
}

function assertOptions(options: OverfitOneBatchOptions): void {
  assertOptionNames("overfitOneBatch", options, OPTIONS);
  const { steps = 200, targetLoss = 0.01, learningRate = 1 } = options;
  if (!Number.isInteger(steps) || steps < 1)
    throw new InputError(`overfitOneBatch: expected an integer of steps of at least 1, got ${steps}`);
  if (!Number.isFinite(targetLoss))
    throw new InputError(`overfitOneBatch: expected a finite targetLoss, got ${targetLoss}`);
  if (!(learningRate > 0 && Number.isFinite(learningRate)))
    throw new InputError(`overfitOneBatch: expected a learningRate above 0, got ${learningRate}`);
}
