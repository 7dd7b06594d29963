import {
  add,
  cast,
  dispose,
  div,
  InputError,
  keep,
  mul,
  reshape,
  stopGradient,
  type Tensor,
  tidy,
  valueAndGrad,
} from "@ai/tensor";
import type { Parameter } from "../parameter.js";
import { isTensor, tensorsIn } from "./data/host-tensor.js";

/** A loss with what metrics compare. */
export interface LossResult {
  /** `[]` */
  readonly loss: Tensor;
  /** What the metrics get as output and target; no metric is updated without them. */
  readonly output?: Tensor;
  readonly target?: Tensor;
}

/** Computes a batch's loss, `[]` or with outputs for the metrics; the batch's tensors are not its to free. */
export type ComputeLoss<Batch, Model> = (batch: Batch, model: Model) => Tensor | LossResult;

/** Weight of a batch: a number, or a tensor `[]`. */
export type BatchWeight = number | Tensor;

/** Gradients of one step: weighted sums over its batches so far, null where a parameter had no influence. */
export class GradientSum {
  #gradients: (Tensor | null)[];
  /** Batches that were added, those of weight 0 included. */
  batches = 0;
  /** The weight that the sums are in units of: the first batch's, whose gradients are not touched. */
  #unit: BatchWeight | undefined;
  /** Weights of the batches that count. */
  #weights: BatchWeight[] = [];

  constructor(parameters: number) {
    this.#gradients = new Array<Tensor | null>(parameters).fill(null);
  }

  /** Takes over the gradients of one batch, each `[...]`. @param weight Stays the caller's and alive until {@link take}. */
  add(gradients: readonly (Tensor | null)[], weight: BatchWeight): void {
    this.batches++;
    if (weight === 0) {
      dispose(gradients as Tensor[]);
      return;
    }
    const unit = this.#unit ?? weight;
    this.#unit = unit;
    this.#weights.push(weight);
    this.#gradients = this.#gradients.map((sum, index) => {
      const gradient = gradients[index];
      if (gradient === null) return sum;
      if (this.#weights.length === 1 || weight === unit) return plus(sum, gradient);
      const scaled = tidy(() => mul(gradient, ratio(weight, unit)));
      gradient.dispose();
      return plus(sum, scaled);
    });
  }

  /** The weighted mean over the batches; the caller's. Afterwards it is empty. */
  take(): (Tensor | null)[] {
    const sums = this.#gradients;
    const weights = this.#weights;
    const unit = this.#unit;
    this.#gradients = sums.map(() => null);
    this.batches = 0;
    this.#weights = [];
    this.#unit = undefined;
    if (weights.length <= 1 || unit === undefined) return sums;
    const means = tidy(() => {
      const factor = ratio(unit, weights.reduce(sumOf)); // []
      return sums.map((sum) => (sum === null ? null : mul(sum, factor)));
    });
    dispose(sums);
    return means;
  }

  dispose(): void {
    dispose(this.#gradients);
    this.#gradients = this.#gradients.map(() => null);
    this.#weights = [];
    this.#unit = undefined;
    this.batches = 0;
  }
}

function sumOf(a: BatchWeight, b: BatchWeight): BatchWeight {
  return typeof a === "number" && typeof b === "number" ? a + b : add(a, b);
}

function ratio(a: BatchWeight, b: BatchWeight): BatchWeight {
  return typeof a === "number" && typeof b === "number" ? a / b : div(a, b);
}

function plus(sum: Tensor | null, gradient: Tensor): Tensor {
  if (sum === null) return gradient;
  const total = add(sum, gradient);
  sum.dispose();
  gradient.dispose();
  return total;
}

/** Examples in a batch: the first size of its first tensor, 1 when there is none. */
export function itemsOf(batch: unknown): number {
  for (const tensor of tensorsIn(batch)) if (tensor.shape.length > 0) return tensor.shape[0];
  return 1;
}

/**
 * The weight of a batch by the trainer's `batchWeight`, its examples without. A tensor `[]` is the caller's.
 * @throws InputError for a number that is not finite or below 0, or a tensor of more than one element.
 */
export function weightOf<Batch>(
  batch: Batch,
  batchWeight: ((batch: Batch) => BatchWeight) | undefined,
): BatchWeight {
  if (batchWeight === undefined) return itemsOf(batch);
  const weight = tidy(() => {
    const given = batchWeight(batch);
    if (!isTensor(given)) return given;
    if (given.size !== 1)
      throw new InputError(
        `Trainer: expected batchWeight to give a number or a tensor of one element, got shape [${given.shape.join(", ")}]`,
      );
    return cast(reshape(given, []), "float32");
  });
  if (!isTensor(weight) && !(typeof weight === "number" && weight >= 0 && Number.isFinite(weight)))
    throw new InputError(
      `Trainer: expected batchWeight to give a finite number of at least 0, got ${String(weight)}`,
    );
  return weight;
}

function unpack(operation: string, result: Tensor | LossResult): LossResult {
  if (typeof (result as { then?: unknown } | undefined)?.then === "function")
    throw new InputError(
      `${operation}: expected a scalar loss, got a promise; is computeLoss async? Compute what has to be awaited in the dataset`,
    );
  const parts = isTensor(result) ? { loss: result } : result;
  if (!isTensor(parts?.loss) || parts.loss.size !== 1)
    throw new InputError(
      `${operation}: expected a scalar loss, got ${isTensor(parts?.loss) ? `shape [${parts.loss.shape.join(", ")}]` : typeof parts?.loss}; use reduction "mean" or "sum"`,
    );
  for (const name of ["output", "target"] as const)
    if (parts[name] !== undefined && !isTensor(parts[name]))
      throw new InputError(
        `${operation}: expected computeLoss to give a tensor as ${name} for the metrics, got ${typeof parts[name]}`,
      );
  return parts;
}

/**
 * Loss and gradients of one batch.
 * @param observe Gets output and target when the loss gave them; they are its to free.
 * @returns the loss `[]` and one gradient a parameter, null where the loss does not depend on it; the caller's.
 */
export function lossAndGradients(
  parameters: readonly Parameter[],
  compute: () => Tensor | LossResult,
  observe: (pair: [output: Tensor, target: Tensor]) => void,
): { loss: Tensor; gradients: (Tensor | null)[] } {
  let pair: [Tensor, Tensor] | undefined;
  try {
    const { value, grads } = valueAndGrad(
      () => {
        const { loss, output, target } = unpack("Trainer.fit", compute());
        if (output !== undefined && target !== undefined)
          pair = [keep(stopGradient(output)), keep(stopGradient(target))];
        return loss;
      },
      parameters.map((parameter) => parameter.value),
      { allowUnused: true },
    );
    if (pair !== undefined) observe(pair);
    return { loss: value, gradients: grads };
  } catch (error) {
    dispose(pair);
    throw error;
  }
}

/** The loss of one batch without gradients. @returns `[]`, the caller's. */
export function lossOnly(
  compute: () => Tensor | LossResult,
  observe: (output: Tensor, target: Tensor) => void,
): Tensor {
  return tidy(() => {
    const { loss, output, target } = unpack("Trainer.evaluate", compute());
    if (output !== undefined && target !== undefined) observe(output, target);
    return loss;
  });
}
