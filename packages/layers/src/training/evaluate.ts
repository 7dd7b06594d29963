import { assertLossOptions, type LossOptions, lossOfBatch } from "./batch-loss.js";
import { evaluateModel } from "./evaluation.js";
import type { Metric } from "./metrics/index.js";
import { assertOptionNames } from "./option-names.js";
import type { BatchSource, TrainableModel } from "./trainer-options.js";
import { type BatchWeight, weightOf } from "./training-step.js";

/** How far a run over a set is. */
export interface BatchProgress {
  /** Batches that are done. */
  readonly done: number;
  /** Undefined for a source that does not know its length. */
  readonly total: number | undefined;
}

/** Options of {@link evaluate}: one of `loss` and `computeLoss`. */
export interface EvaluateModelOptions<Batch, Model> extends LossOptions<Batch, Model> {
  /** By name. */
  readonly metrics?: Readonly<Record<string, Metric<number>>>;
  /** How much a batch's loss counts beside those of others. Default: the examples in the batch. */
  readonly batchWeight?: (batch: Batch) => BatchWeight;
  /** Ends it; the model's mode and the metrics are as before. */
  readonly signal?: AbortSignal;
  /** Called after each batch. */
  readonly onProgress?: (progress: BatchProgress) => void;
}

/**
 * Loss and metrics of a model over a set, in evaluation mode and without a trainer. Mode and metrics are as before
 * afterwards.
 * @returns `loss` (mean over the examples) and each metric by name.
 * @throws the reason of `signal` once aborted; InputError for options that exclude each other or a source without batches.
 * @example
 * const { accuracy } = await evaluate(model, loader, { loss: new CrossEntropyLoss(), metrics: { accuracy: new Accuracy() } });
 */
export async function evaluate<Batch, Model extends TrainableModel>(
  model: Model,
  source: BatchSource<Batch>,
  options: EvaluateModelOptions<Batch, Model>,
): Promise<Record<string, number>> {
  const names = ["loss", "computeLoss", "metrics", "batchWeight", "signal", "onProgress"] as const;
  assertOptionNames("evaluate", options, names);
  assertLossOptions("evaluate", options);
  const { metrics = {}, batchWeight, signal, onProgress } = options;
  const judge = {
    lossOf: (batch: Batch) => lossOfBatch(model, options, batch, "evaluate"),
    weightOf: (batch: Batch) => weightOf(batch, batchWeight),
    observe: (output: Parameters<Metric["update"]>[0], target: Parameters<Metric["update"]>[1]) => {
      for (const metric of Object.values(metrics)) metric.update(output, target);
    },
  };
  const onStep = (done: number): void => onProgress?.({ done, total: source.length });
  return evaluateModel(model, metrics, judge, source, { signal, onStep }, "evaluate");
}
