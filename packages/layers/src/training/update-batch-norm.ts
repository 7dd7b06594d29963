import {
  defaultGenerator,
  dispose,
  InputError,
  keep,
  noGrad,
  stopGradient,
  type Tensor,
  tidy,
} from "@ai/tensor";
import { Module } from "../module.js";
import { BatchNorm1d, BatchNorm2d, BatchNorm3d } from "../normalization.js";
import { batchesUntilAborted } from "./abortable-batches.js";
import { isTensor, tensorsIn } from "./data/host-tensor.js";
import type { BatchProgress } from "./evaluate.js";
import { breathe } from "./event-loop.js";
import { rememberModes } from "./modes.js";
import { assertOptionNames } from "./option-names.js";
import type { PredictionSource } from "./predict.js";
import type { TrainableModel } from "./trainer-options.js";

/** Options of {@link updateBatchNorm}. */
export interface UpdateBatchNormOptions<Batch, Model> {
  /** Runs the model on a batch. Default: `model.call(input)`, with the batch or its first tensor as input. */
  readonly compute?: (batch: Batch, model: Model) => unknown;
  readonly signal?: AbortSignal;
  /** Called after each batch. */
  readonly onProgress?: (progress: BatchProgress) => void;
}

/**
 * Gathers the running statistics of all batch norms anew, as `torch.optim.swa_utils.update_bn`: each becomes the plain
 * mean over the batches (of the means, and of the variances by n − 1). For weights that were averaged, whose statistics
 * are of other weights. The model runs in training mode, dropout included; its mode is as before afterwards.
 * A model without batch norms that keep statistics is left alone, and `source` is not read.
 * @param source Training data in batches; their tensors are freed.
 * @throws the reason of `signal` once aborted, what the model throws, InputError without batches: the statistics are as
 * before then.
 * @see Izmailov, Podoprikhin, Garipov, Vetrov, Wilson (2018), "Averaging Weights Leads to Wider Optima and Better
 * Generalization", section 3.2, https://arxiv.org/abs/1803.05407
 * @example
 * average.copyToParameters();
 * await updateBatchNorm(model, loader);
 */
export async function updateBatchNorm<Batch, Model extends TrainableModel>(
  model: Model,
  source: PredictionSource<Batch>,
  options: UpdateBatchNormOptions<Batch, Model> = {},
): Promise<void> {
  assertOptionNames("updateBatchNorm", options, ["compute", "signal", "onProgress"]);
  if (!(model instanceof Module))
    throw new InputError(`updateBatchNorm: expected a module, got ${typeof model}`);
  const { signal, onProgress } = options;
  if (!(Symbol.asyncIterator in Object(source) || Symbol.iterator in Object(source)))
    throw new InputError(
      `updateBatchNorm: expected batches, got ${typeof source}; wrap a dataset in a DataLoader`,
    );
  const compute = options.compute ?? ((batch: Batch) => model.call(inputOf(batch)));
  signal?.throwIfAborted();
  model.parameters(); // the first values are there, statistics included
  const layers = model.namedModules().flatMap(([, layer]) => (isGathering(layer) ? [layer] : []));
  if (layers.length === 0) return;
  const before = remember(layers);
  const restoreModes = rememberModes(model);
  let done = 0;
  try {
    for (const { runningMean, runningVariance, numBatchesTracked } of layers) {
      for (const state of [runningMean, runningVariance]) state?.initialize(defaultGenerator());
      numBatchesTracked?.reset();
    }
    for await (const batch of batchesUntilAborted(source, signal)) {
      try {
        withMeans(layers, () => {
          model.train();
          tidy(() => noGrad(() => void compute(batch, model)));
        });
      } finally {
        restoreModes();
        dispose([...tensorsIn(batch)]);
      }
      done++;
      onProgress?.({ done, total: source.length });
      await breathe();
    }
    signal?.throwIfAborted();
    if (done === 0) throw new InputError("updateBatchNorm: expected at least one batch, got none");
  } catch (error) {
    before.putBack();
    throw error;
  } finally {
    before.free();
  }
}

type TrackingNorm = BatchNorm1d | BatchNorm2d | BatchNorm3d;

function isGathering(layer: unknown): layer is TrackingNorm {
  const isNorm = layer instanceof BatchNorm1d || layer instanceof BatchNorm2d || layer instanceof BatchNorm3d;
  return isNorm && layer.runningMean !== undefined;
}

function inputOf(batch: unknown): Tensor {
  const input = Array.isArray(batch) ? batch[0] : batch;
  if (!isTensor(input))
    throw new InputError(
      `updateBatchNorm: expected a tensor or a list that begins with one as batch, got ${typeof input}; pass compute`,
    );
  return input;
}

/** Keeps the statistics of now. */
function remember(layers: readonly TrackingNorm[]): { putBack(): void; free(): void } {
  const states = layers.flatMap(({ runningMean, runningVariance }) => [runningMean!, runningVariance!]);
  const counts = layers.map(({ numBatchesTracked }) => numBatchesTracked!.value);
  let values = states.map(({ value }) => keep(stopGradient(value)));
  return {
    putBack() {
      states.forEach((state, index) => {
        state.setValue(values[index]);
      });
      layers.forEach(({ numBatchesTracked }, index) => {
        numBatchesTracked!.value = counts[index];
      });
      values = []; // they belong to the layers now
    },
    free() {
      dispose(values);
    },
  };
}

/** Lets every batch count alike while `run` runs. */
function withMeans(layers: readonly TrackingNorm[], run: () => void): void {
  const open: readonly { momentum: number | null }[] = layers;
  const momenta = open.map(({ momentum }) => momentum);
  for (const layer of open) layer.momentum = null;
  try {
    run();
  } finally {
    open.forEach((layer, index) => {
      layer.momentum = momenta[index];
    });
  }
}
