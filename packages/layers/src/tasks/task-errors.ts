import { AiError, InputError, isAiError } from "@ai/tensor";
import { ERROR_KINDS } from "../layer-error.js";

/** What a task says once it is disposed. */
export function disposedError(operation: string): InputError {
  return new InputError(`${operation}: expected a live task, got a disposed one; load it again`);
}

/** An error about one of several inputs, which names its place: `classify: inputs[3]: expected …`. */
export function atInput(error: unknown, operation: string, index: number): unknown {
  if (!isAiError(error)) return error;
  const rest = error.message.startsWith(`${operation}: `)
    ? error.message.slice(operation.length + 2)
    : error.message;
  const Kind = ERROR_KINDS[error.name] ?? AiError;
  return new Kind(`${operation}: inputs[${index}]: ${rest}`, { cause: error });
}
