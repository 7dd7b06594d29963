import { AiError, type DeviceDescription, DownloadError, isAiError } from "@ai/tensor";
import { ERROR_KINDS } from "../layer-error.js";
import type { TaskProgress } from "./progress.js";

/** What a page asks a task's worker. An `id` is that of a piece of work: loading, a call, a stream. */
export type TaskRequest =
  | { readonly kind: "load"; readonly id: number; readonly task: string; readonly request: unknown }
  | {
      readonly kind: "call";
      readonly id: number;
      readonly inputs: readonly unknown[];
      readonly call: unknown;
    }
  | {
      readonly kind: "explain";
      readonly id: number;
      readonly asked: { readonly input: unknown; readonly target: unknown };
      readonly options: unknown;
    }
  | { readonly kind: "method"; readonly id: number; readonly name: string; readonly argument: unknown }
  | { readonly kind: "open"; readonly stream: number; readonly call: unknown }
  | { readonly kind: "next"; readonly id: number; readonly stream: number }
  | { readonly kind: "input"; readonly stream: number; readonly step: SentStep }
  | { readonly kind: "close"; readonly stream: number }
  | { readonly kind: "abort"; readonly id: number }
  | { readonly kind: "dispose" };

/** What a task's worker answers. */
export type TaskAnswer =
  | { readonly kind: "started" }
  | { readonly kind: "result"; readonly id: number; readonly value: unknown }
  | { readonly kind: "error"; readonly id: number; readonly error: SentTaskError }
  | { readonly kind: "progress"; readonly id: number; readonly progress: TaskProgress }
  /** A stream wants its next input. */
  | { readonly kind: "pull"; readonly stream: number }
  | { readonly kind: "disposed" };

/** The next input of a stream, or its end. */
export type SentStep =
  | { readonly kind: "value"; readonly value: unknown }
  | { readonly kind: "done" }
  | { readonly kind: "error"; readonly error: SentTaskError };

/** What a page knows of a task that was loaded in a worker. */
export interface LoadedInWorker {
  readonly info: unknown;
  readonly device: DeviceDescription;
  readonly unsupported: Readonly<Record<string, string | undefined>>;
  readonly hasStream: boolean;
}

/** An error as it crosses threads. */
export interface SentTaskError {
  readonly name: string;
  readonly message: string;
  readonly stack?: string | undefined;
  /** Whether it is an error of ours, whose kind is its name. */
  readonly isKind: boolean;
  /** Of a `DownloadError`. */
  readonly file?: string | undefined;
  readonly status?: number | undefined;
  readonly cause?: SentTaskError | undefined;
}

/** An error as plain values; what was thrown that is no error becomes one. */
export function sentTaskError(error: unknown): SentTaskError {
  if (!(error instanceof Error) && !isAiError(error))
    return { name: "Error", message: String(error), isKind: false };
  const { name, message, stack, cause } = error;
  const { file, status } = error as Partial<DownloadError>;
  return {
    name,
    message,
    stack,
    isKind: isAiError(error),
    ...(isAiError(error) ? { file, status } : {}),
    ...(cause instanceof Error ? { cause: sentTaskError(cause) } : {}),
  };
}

/** The error again: of its own kind, with the worker's stack. */
export function receivedTaskError(sent: SentTaskError): Error {
  const { name, message, stack, isKind, file, status } = sent;
  const options = sent.cause === undefined ? {} : { cause: receivedTaskError(sent.cause) };
  const error = isKind
    ? kindOf(name, message, { ...options, file, status })
    : foreign(name, message, options);
  if (stack !== undefined)
    Object.defineProperty(error, "stack", { value: stack, configurable: true, writable: true });
  return error;
}

function kindOf(
  name: string,
  message: string,
  { file, status, ...options }: ErrorOptions & Pick<SentTaskError, "file" | "status">,
): Error {
  if (name === "DownloadError")
    return new DownloadError(message, {
      ...options,
      ...(file === undefined ? {} : { file }),
      ...(status === undefined ? {} : { status }),
    });
  const Kind = ERROR_KINDS[name as keyof typeof ERROR_KINDS] ?? AiError;
  return new Kind(message, options);
}

function foreign(name: string, message: string, options: ErrorOptions): Error {
  if (name === "AbortError" || name === "TimeoutError") return new DOMException(message, name);
  const error = new Error(message, options);
  error.name = name;
  return error;
}
