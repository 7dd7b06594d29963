import { dispose, InputError, type Tensor } from "@ai/tensor";
import { batchesUntilAborted } from "./abortable-batches.js";
import type { BatchJudge } from "./batch-loss.js";
import { breathe } from "./event-loop.js";
import type { EpochRecord } from "./history.js";
import type { Metric } from "./metrics/index.js";
import { rememberModes } from "./modes.js";
import { assertOptionNames } from "./option-names.js";
import type { LearningRateSchedule } from "./schedules/index.js";
import { assertBatchSource, type BatchSource, type TrainableModel } from "./trainer-options.js";
import { lossOnly } from "./training-step.js";
import { ValueReader } from "./value-reader.js";

/** Batches whose values may be on their way while later ones are computed. */
export const MAX_PENDING = 4;

/** Options of an evaluation. */
export interface EvaluateOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called after each batch. */
  readonly onStep?: (done: number) => void;
}

/** The values of all metrics by name, once everything has arrived. */
export async function metricValues(
  metrics: Readonly<Record<string, Metric<number>>>,
): Promise<Record<string, number>> {
  const entries = Object.entries(metrics).map(
    async ([name, metric]) => [name, await metric.compute()] as const,
  );
  return Object.fromEntries(await Promise.all(entries));
}

/** The values of all metrics by name over what has arrived so far. */
export function currentMetrics(metrics: Readonly<Record<string, Metric<number>>>): Record<string, number> {
  return Object.fromEntries(Object.entries(metrics).map(([name, metric]) => [name, metric.current()]));
}

/**
 * Loss (mean over the batches by weight) and metrics over a set, in evaluation mode. Mode and metrics are as before afterwards.
 * @throws the reason of `signal` once aborted; InputError for a source without batches.
 */
export async function evaluateModel<Batch>(
  model: TrainableModel,
  metrics: Readonly<Record<string, Metric<number>>>,
  judge: BatchJudge<Batch>,
  source: BatchSource<Batch>,
  options: EvaluateOptions,
  operation = "Trainer.evaluate",
): Promise<Record<string, number>> {
  assertOptionNames(operation, options, ["signal", "onStep"]);
  const { signal, onStep } = options;
  assertBatchSource(operation, "evaluation", source);
  const all = Object.values(metrics);
  const saved = await Promise.all(all.map((metric) => metric.state()));
  const restoreModes = rememberModes(model);
  model.eval();
  for (const metric of all) metric.reset();
  const reader = new ValueReader();
  let sum = 0;
  let items = 0;
  let done = 0;
  try {
    for await (const batch of batchesUntilAborted(source, signal)) {
      try {
        const weight = judge.weightOf(batch);
        let loss: Tensor;
        try {
          loss = lossOnly(() => judge.lossOf(batch), judge.observe);
        } catch (error) {
          dispose([weight]);
          throw error;
        }
        reader.push(typeof weight === "number" ? [loss] : [loss, weight], ([value], counted) => {
          const count = typeof weight === "number" ? weight : counted[0];
          if (count === 0) return; // the mean of nothing is NaN
          sum += value * count;
          items += count;
        });
      } finally {
        dispose(batch);
      }
      done++;
      onStep?.(done);
      await reader.atMost(MAX_PENDING);
      await breathe();
    }
    await reader.drain();
    if (done === 0) throw new InputError(`${operation}: expected at least one batch, got none`);
    return { loss: sum / items, ...(await metricValues(metrics)) };
  } finally {
    await reader.drain().catch(() => undefined); // an error on the way is the one to report
    await metricValues(metrics).catch(() => undefined); // nothing of this set may arrive later
    all.forEach((metric, index) => {
      metric.loadState(saved[index]);
    });
    restoreModes();
  }
}

/** The value of an epoch that a schedule asks for. @throws InputError when the epoch has none of that name. */
export function monitoredValue(
  { monitor }: LearningRateSchedule,
  { values }: EpochRecord,
): number | undefined {
  if (monitor === undefined) return undefined;
  if (!(monitor in values))
    throw new InputError(
      `Trainer.fit: expected the schedule to monitor one of ${Object.keys(values).join(", ")}, got ${monitor}`,
    );
  return values[monitor];
}
