const MARKER = Symbol.for("@ai/error");

/** The kinds of error that this library throws; each error's `name` is one of them. */
export type AiErrorName =
  | "AiError"
  | "ShapeError"
  | "DTypeError"
  | "DeviceError"
  | "KernelError"
  | "WeightsError"
  | "InputError"
  | "DownloadError";

/**
 * Root of every error that the `@ai/*` packages throw.
 * Messages read `operation: expected X, got Y; fix`.
 */
export class AiError extends Error {
  override readonly name: AiErrorName = "AiError";
  readonly [MARKER] = true;
}

/** A tensor has a shape that the operation cannot take. */
export class ShapeError extends AiError {
  override readonly name = "ShapeError";
}

/** A tensor has an element type that the operation cannot take. */
export class DTypeError extends AiError {
  override readonly name = "DTypeError";
}

/** A device is missing, lost, out of memory, or not the one that holds a tensor. */
export class DeviceError extends AiError {
  override readonly name = "DeviceError";
}

/** A kernel failed or met a value it cannot compute with, such as an index out of range. */
export class KernelError extends AiError {
  override readonly name = "KernelError";
}

/** A weight file is damaged, or its names and shapes do not fit the module. */
export class WeightsError extends AiError {
  override readonly name = "WeightsError";
}

/** An argument that is neither a shape nor a dtype problem: an option, a number out of range, an input file. */
export class InputError extends AiError {
  override readonly name = "InputError";
}

/** What a {@link DownloadError} tells beside its message. */
export interface DownloadFailure extends ErrorOptions {
  /** The file that was asked for. */
  readonly file?: string;
  /** The HTTP status of the last answer. */
  readonly status?: number;
}

/** A download failed, was refused or gave bytes with the wrong checksum. */
export class DownloadError extends AiError {
  override readonly name = "DownloadError";
  /** The file that was asked for, where it is one. */
  readonly file?: string;
  /** The HTTP status of the last answer, where there was one. */
  readonly status?: number;

  constructor(message: string, { file, status, ...options }: DownloadFailure = {}) {
    super(message, options);
    if (file !== undefined) this.file = file;
    if (status !== undefined) this.status = status;
  }
}

/** Whether `value` is an error of any copy of this library, `instanceof` across bundles included. */
export function isAiError(value: unknown): value is AiError {
  return typeof value === "object" && value !== null && (value as Record<symbol, unknown>)[MARKER] === true;
}
