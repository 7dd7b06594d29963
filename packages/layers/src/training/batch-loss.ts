import { InputError, type Tensor } from "@ai/tensor";
import { isTensor } from "./data/host-tensor.js";
import type { Loss, TrainableModel } from "./trainer-options.js";
import type { BatchWeight, ComputeLoss, LossResult } from "./training-step.js";

/** How the loss of a batch is computed. */
export interface LossOptions<Batch, Model> {
  /** Compares `model.call(batch[0])` with `batch[1]`; either this or `computeLoss`. */
  readonly loss?: Loss;
  /** Computes the loss of a batch of any form; what it makes and does not return is freed. */
  readonly computeLoss?: ComputeLoss<Batch, Model>;
}

/** What an evaluation does with a batch. */
export interface BatchJudge<Batch> {
  lossOf(batch: Batch): Tensor | LossResult;
  /** A tensor `[]` is the caller's. */
  weightOf(batch: Batch): BatchWeight;
  observe(output: Tensor, target: Tensor): void;
}

/** The loss of a batch, by `loss` or `computeLoss`. */
export function lossOfBatch<Batch, Model extends TrainableModel>(
  model: Model,
  { loss, computeLoss }: LossOptions<Batch, Model>,
  batch: Batch,
  operation = "Trainer",
): Tensor | LossResult {
  if (computeLoss !== undefined) return computeLoss(batch, model);
  const [input, target] = assertPair(operation, batch);
  const output = (model as unknown as { call(input: Tensor): Tensor }).call(input);
  if (output === undefined)
    throw new InputError(
      `${operation}: expected an output of the model, got undefined; is a return missing in forward?`,
    );
  if (!isTensor(output))
    throw new InputError(
      `${operation}: expected a model that gives one tensor, got ${described(output)}; pass computeLoss: (batch, model) => … instead of loss`,
    );
  return {
    loss: typeof loss === "function" ? loss(output, target) : loss!.call(output, target),
    output,
    target,
  };
}

/** @throws InputError unless there is exactly one of `loss` and `computeLoss`, of the right kind. */
export function assertLossOptions(operation: string, options: LossOptions<never, never>): void {
  const { loss, computeLoss } = options;
  if ((loss === undefined) === (computeLoss === undefined))
    throw new InputError(`${operation}: expected either loss or computeLoss, got both or none`);
  if (typeof (loss as { prototype?: { call?: unknown } } | undefined)?.prototype?.call === "function")
    throw new InputError(
      `${operation}: expected a loss, got the class ${(loss as { name?: string }).name}; pass new ${(loss as { name?: string }).name}()`,
    );
  if (loss !== undefined && typeof loss !== "function" && typeof loss?.call !== "function")
    throw new InputError(`${operation}: expected a loss that is a function or has call, got ${typeof loss}`);
}

/** A value in short: its shape, or its parts by name. */
function described(value: unknown): string {
  if (isTensor(value)) return `a tensor [${value.shape.join(", ")}]`;
  if (Array.isArray(value)) return `a list of ${value.length}`;
  return typeof value === "object" && value !== null ? `{ ${Object.keys(value).join(", ")} }` : typeof value;
}

function assertPair<Batch>(operation: string, batch: Batch): readonly [Tensor, Tensor] {
  if (Array.isArray(batch) && batch.length === 2 && batch.every(isTensor))
    return batch as unknown as [Tensor, Tensor];
  throw new InputError(
    `${operation}: expected batches [input, target] of two tensors, got ${described(batch)}; pass computeLoss: (batch, model) => … instead of loss`,
  );
}
