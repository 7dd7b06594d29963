import type { Tensor } from "@ai/tensor";
import type { AnyModule } from "../module.js";

/**
 * What of a model's output is explained: a class of logits `[batch, classes]`, one for all samples or one each, or a
 * function that makes one number a sample of any output, `[batch]`.
 */
export type ExplainTarget<Output = Tensor> = number | readonly number[] | ((output: Output) => Tensor);

/** How far an explanation is. */
export interface ExplainProgress {
  /** Rows that went through the model. */
  readonly done: number;
  /** Of how many. */
  readonly total: number;
}

/** Options that every explanation takes. */
export interface ExplainOptions<Output = Tensor> {
  /** Default: of each sample the class with the largest logit. */
  readonly target?: ExplainTarget<Output>;
  /** What `call` takes after the input. Tensors whose first axis is the batch go along with their samples, also in plain objects. */
  readonly otherInputs?: readonly unknown[];
  /** How many rows go through the model at once. More is faster until memory is short; the results are the same. Default 16. */
  readonly batchSize?: number;
  /** Ends the work: the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Told after each batch. An error that it throws ends the work. */
  readonly onProgress?: (progress: ExplainProgress) => void;
}

/** Names of {@link ExplainOptions}. @internal */
export const EXPLAIN_OPTIONS = ["target", "otherInputs", "batchSize", "signal", "onProgress"] as const;

/** Options of explanations by gradients. */
export interface GradientExplainOptions<Output = Tensor> extends ExplainOptions<Output> {
  /**
   * Attribute to the output of this layer, named by path or given itself, instead of the input: the embedding of token
   * ids. It must be called once a call of the model and give one tensor.
   */
  readonly layer?: string | AnyModule;
  /** Sum over the last axis: one number a pixel or position instead of one an element. Default false. */
  readonly perPosition?: boolean;
}

/** Names of {@link GradientExplainOptions}. @internal */
export const GRADIENT_OPTIONS = [...EXPLAIN_OPTIONS, "layer", "perPosition"] as const;

/** What each part of the input did to the target: plain values that `postMessage` and `JSON` take. */
export interface Explanation {
  /** Row-major, of `shape`. */
  readonly values: Float32Array;
  /** Starts with the batch; the other axes are the input's, or those that the method says. */
  readonly shape: readonly number[];
  /** The target's number for each sample. */
  readonly scores: readonly number[];
  /** The class explained for each sample; absent when the target is a function. */
  readonly classes?: readonly number[];
}

/** What a call of a module gives. */
export type OutputOf<Model extends AnyModule> = ReturnType<Model["call"]>;
