import { type Tensor, dispose as tfDispose, keep as tfKeep, memory as tfMemory } from "@tensorflow/tfjs-core";
import { assertFunction } from "./arguments.js";
import { engine } from "./engine.js";
import { InputError } from "./errors.js";

/** Anything in which tensors are found by walking arrays, maps and plain objects. */
export type TensorContainer = unknown;

/**
 * Runs `fn` and frees every tensor made inside it, except those in its result and those passed to {@link keep}.
 * @throws InputError when `fn` returns a promise: no scope may stay open across an `await`.
 * @example
 * const y = tidy(() => add(mul(x, 2), 1));
 */
export function tidy<T>(fn: () => T): T {
  assertFunction("tidy", fn);
  return engine().tidy(() => {
    const result = fn();
    if (result instanceof Promise)
      throw new InputError(
        "tidy: expected a synchronous function, got one that returns a promise; compute first, await after",
      );
    return result;
  });
}

/**
 * {@link tidy} for a function of the user's that may be asynchronous: of one that returns a promise nothing is freed, for no
 * scope may stay open across its `await`.
 * @param tensorsIn The tensors of a result, which stay.
 * @internal
 */
export function tidyUnlessAsync<T>(fn: () => T, tensorsIn: (result: T) => Iterable<Tensor>): T {
  const host = engine();
  host.startScope();
  let kept: readonly Tensor[] = [];
  try {
    const result = fn();
    kept = result instanceof Promise ? [...host.state.activeScope!.track] : [...tensorsIn(result)];
    return result;
  } finally {
    host.endScope(kept);
  }
}

/** Keeps a tensor alive when the surrounding {@link tidy} ends; its owner disposes it. */
export function keep<T extends Tensor>(tensor: T): T {
  return tfKeep(tensor);
}

/** Frees a tensor, or every tensor in an array or a plain object. Disposing twice does nothing. */
export function dispose(container: TensorContainer): void {
  tfDispose(container as Tensor[]);
}

/** What the CPU engine's one memory is used for, in bytes. */
export interface HeapReport {
  /** How large the memory has grown; it never shrinks. */
  readonly capacityBytes: number;
  /** How large it may grow. */
  readonly limitBytes: number;
  /** Values of tensors. */
  readonly tensorBytes: number;
  /** Copies of weights in the order that products read them; freed with their tensor or its change. */
  readonly packedBytes: number;
  /** Working memory of the threads and of the kernels. */
  readonly workingBytes: number;
  /** What is free inside the capacity, and the largest piece of it. */
  readonly freeBytes: number;
  readonly largestFreeBytes: number;
}

/** What tensors hold at this moment. */
export interface MemoryReport {
  /** Live tensors. */
  readonly numTensors: number;
  /** Bytes of distinct live data. */
  readonly numBytes: number;
  /** The CPU engine's memory, once `wasm` has been used. */
  readonly heap?: HeapReport;
}

/** Counts live tensors and their bytes; the leak checks compare two of these. */
export function memory(): MemoryReport {
  const { numTensors, numBytes } = tfMemory();
  const wasm = engine().registry["ai-wasm"] as unknown as { heap(): HeapReport } | undefined;
  return wasm === undefined ? { numTensors, numBytes } : { numTensors, numBytes, heap: wasm.heap() };
}
