import {
  AiError,
  type AiErrorName,
  DeviceError,
  DownloadError,
  DTypeError,
  InputError,
  isAiError,
  KernelError,
  ShapeError,
  WeightsError,
} from "@ai/tensor";

/** The class of each kind of error. */
export const ERROR_KINDS: Readonly<
  Record<AiErrorName, new (message: string, options: ErrorOptions) => AiError>
> = {
  AiError,
  ShapeError,
  DTypeError,
  DeviceError,
  KernelError,
  WeightsError,
  InputError,
  DownloadError,
};

/** Errors that carry their layer already: outer layers pass them on. */
const named = new WeakSet<object>();

/**
 * An error of the same kind whose message starts with the layer's path and whose cause is the original.
 * Errors of other libraries become an {@link AiError}; what is not a plain error (an abort, a class of the user's) stays itself.
 */
export function nameLayer(error: unknown, layer: string): unknown {
  if (!(error instanceof Error) || named.has(error)) return error;
  const plain = error.constructor === Error || error instanceof TypeError || error instanceof RangeError;
  if (!isAiError(error) && !plain) return error;
  const Kind = isAiError(error) ? (ERROR_KINDS[error.name] ?? AiError) : AiError;
  // an op may be called as its layer is
  const message = error.message.startsWith(`${layer}: `) ? error.message : `${layer}: ${error.message}`;
  const result = new Kind(message, { cause: error });
  named.add(result);
  return result;
}
