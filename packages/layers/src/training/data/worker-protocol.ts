import { InputError, type RandomState } from "@ai/tensor";
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

/**
 * A copy of an item whose arrays may be handed to another thread: views are cut out of their buffers, so that neither the
 * whole buffer is sent nor the dataset loses its data.
 * @returns the copy, and its buffers.
 * @throws InputError for a tensor in it: tensors stay with the device of their thread.
 */
export function transferable(
  value: unknown,
  buffers: ArrayBuffer[] = [],
): { item: unknown; buffers: ArrayBuffer[] } {
  return { item: copied(value, buffers), buffers };
}

function copied(value: unknown, buffers: ArrayBuffer[]): unknown {
  if (isTensor(value))
    throw new InputError(
      "serveDataset: expected items of numbers, strings, typed arrays and host tensors, got a tensor; give { values, shape, dtype }",
    );
  if (ArrayBuffer.isView(value) && "slice" in value) {
    const copy = (value as Uint8Array).slice();
    buffers.push(copy.buffer as ArrayBuffer);
    return copy;
  }
  if (Array.isArray(value)) return value.map((part) => copied(part, buffers));
  if (typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype)
    return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, copied(part, buffers)]));
  return value;
}
