import {
  add,
  dispose,
  InputError,
  keep,
  mul,
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

/** Gradients of one step: sums over its batches so far, null where a parameter had no influence. */
export class GradientSum {
  #gradients: (Tensor | null)[];
  batches = 0;

  constructor(parameters: number) {
    this.#gradients = new Array<Tensor | null>(parameters).fill(null);
  }

  /** Takes over the gradients of one batch. */
  add(gradients: readonly (Tensor | null)[]): void {
    this.#gradients = this.#gradients.map((sum, index) => {
      const gradient = gradients[index];
      if (sum === null || gradient === null) return sum ?? gradient;
      const total = add(sum, gradient);
      sum.dispose();
      gradient.dispose();
      return total;
    });
    this.batches++;
  }

  /** The mean over the batches; the caller's. Afterwards it is empty. */
  take(): (Tensor | null)[] {
    const sums = this.#gradients;
    const { batches } = this;
    this.#gradients = sums.map(() => null);
    this.batches = 0;
    if (batches <= 1) return sums;
    const means = sums.map((sum) => (sum === null ? null : mul(sum, 1 / batches)));
    dispose(sums);
    return means;
  }

  dispose(): void {
    dispose(this.#gradients);
    this.#gradients = this.#gradients.map(() => null);
    this.batches = 0;
  }
}

/** Examples in a batch: the first size of its first tensor, 1 when there is none. */
export function itemsOf(batch: unknown): number {
  for (const tensor of tensorsIn(batch)) if (tensor.shape.length > 0) return tensor.shape[0];
  return 1;
}

function unpack(operation: string, result: Tensor | LossResult): LossResult {
  const parts = isTensor(result) ? { loss: result } : result;
  if (!isTensor(parts?.loss) || parts.loss.size !== 1)
    throw new InputError(
      `${operation}: expected a scalar loss, got ${isTensor(parts?.loss) ? `shape [${parts.loss.shape.join(", ")}]` : typeof parts?.loss}; use reduction "mean" or "sum"`,
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
