import type { Tensor } from "@tensorflow/tfjs-core";
import { InputError } from "./errors.js";

/** Whether `value` looks like a tensor. */
export function isTensor(value: unknown): value is Tensor {
  return typeof (value as Tensor | undefined)?.dataId === "object";
}

/** @throws InputError unless `fn` is a function. */
export function assertFunction(operation: string, fn: unknown): void {
  if (typeof fn !== "function")
    throw new InputError(`${operation}: expected a function, got ${fn === null ? "null" : typeof fn}`);
}

/** @throws InputError unless `tensors` is an array of tensors. */
export function assertTensors(operation: string, what: string, tensors: readonly Tensor[]): void {
  if (!Array.isArray(tensors))
    throw new InputError(
      `${operation}: expected ${what} as an array of tensors, got ${isTensor(tensors) ? "one tensor; put it into an array" : String(typeof tensors)}`,
    );
  const wrong = tensors.findIndex((tensor) => !isTensor(tensor));
  if (wrong >= 0)
    throw new InputError(
      `${operation}: expected ${what} to be tensors, got ${tensors[wrong] === null ? "null" : typeof tensors[wrong]} at position ${wrong}`,
    );
}
