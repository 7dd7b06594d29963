import type { Tensor } from "@tensorflow/tfjs-core";
import { currentLayer } from "../../layer-path.js";

/** One attention that a model computes. */
export interface AttentionCall {
  /** Names of the layers around it, outermost first, joined with dots; the first is the model's class. */
  readonly layer: string;
  /** Computes the attention weights, `[batch, heads, queries, keys]`, before dropout: a tensor of the current scope. */
  readonly weights: () => Tensor;
}

type AttentionObserver = (call: AttentionCall) => void;

let observer: AttentionObserver | undefined;

/**
 * Tells `observe` of every attention that `fn` computes: each {@link scaledDotProductAttention}, and what own
 * implementations {@link announceAttention}. Results do not change; weights are computed only where they are asked for.
 * @param fn Synchronous.
 * @returns what `fn` gives.
 * @example
 * const shapes: number[][] = [];
 * observeAttention(({ weights }) => shapes.push(weights().shape), () => model.call(x).dispose());
 */
export function observeAttention<T>(observe: (call: AttentionCall) => void, fn: () => T): T {
  const before = observer;
  observer = observe;
  try {
    return fn();
  } finally {
    observer = before;
  }
}

/**
 * Tells who observes, if anyone, of an attention that does not use {@link scaledDotProductAttention}.
 * @param weights Gives `[batch, heads, queries, keys]`; called only when someone wants them.
 */
export function announceAttention(weights: () => Tensor): void {
  observer?.({ layer: currentLayer(), weights });
}
