import type { RandomState } from "@ai/tensor";
import { isTensor } from "./host-tensor.js";

/** An item that a worker is asked for. */
export interface ItemRequest {
  readonly id: number;
  readonly index: number;
  readonly epoch: number;
  /** Where the item's random numbers begin. */
  readonly random: RandomState;
}

/** An error as it crosses threads. */
export interface SentError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
}

/** What a worker answers. */
export type WorkerAnswer =
  | { readonly kind: "ready"; readonly length: number }
  | { readonly kind: "failed"; readonly error: SentError }
  | { readonly kind: "item"; readonly id: number; readonly item: unknown }
  | { readonly kind: "error"; readonly id: number; readonly error: SentError };

/** An error as plain values. */
export function sentError(error: unknown): SentError {
  const { name = "Error", message = String(error), stack } = (error ?? {}) as Partial<Error>;
  return { name, message, stack };
}

/** The error again, with its name and the worker's stack. */
export function receivedError({ name, message, stack }: SentError): Error {
  const error = new Error(message);
  error.name = name;
  if (stack !== undefined) error.stack = stack;
  return error;
}

/** All typed arrays have it; that of Node's `Buffer` would not copy. */
const copyOf = Object.getPrototypeOf(Uint8Array.prototype).slice as (this: unknown) => {
  buffer: ArrayBuffer;
};

/**
 * A copy of a value whose arrays may be handed to another thread: views are cut out of their buffers, so that neither the
 * whole buffer is sent nor the giver loses its data.
 * @param refuseTensor Is called for a tensor in it, and throws.
 * @returns the copy, and its buffers.
 */
export function transferable(
  value: unknown,
  refuseTensor: () => never,
): { item: unknown; buffers: ArrayBuffer[] } {
  const buffers: ArrayBuffer[] = [];
  const copied = (part: unknown): unknown => {
    if (isTensor(part)) return refuseTensor();
    if (ArrayBuffer.isView(part) && !(part instanceof DataView)) {
      const copy = copyOf.call(part);
      buffers.push(copy.buffer);
      return copy;
    }
    if (part instanceof URL) return part.href; // which cannot be sent itself
    if (Array.isArray(part)) return part.map(copied);
    if (typeof part === "object" && part !== null && Object.getPrototypeOf(part) === Object.prototype)
      return Object.fromEntries(Object.entries(part).map(([name, inner]) => [name, copied(inner)]));
    return part;
  };
  return { item: copied(value), buffers };
}
