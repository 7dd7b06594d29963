import { InputError } from "@ai/tensor";

/** Small is good for values of these names: also for word, character and translation error rates and log-likelihoods, `nll`. */
export const SMALL_IS_GOOD = /loss|error|perplexity|mse|mae|distance|divergence|\b(?:wer|cer|ter|nll)\b/i;

/**
 * Whether small or large values of what is monitored are good: small for losses and errors; nobody guesses for the others,
 * for a run that is judged the wrong way round keeps its worst weights.
 * @throws InputError for another mode, or none where the name does not tell.
 */
export function monitorMode(operation: string, monitor: string, mode: unknown): "min" | "max" {
  if (mode === "min" || mode === "max") return mode;
  if (mode !== undefined) throw new InputError(`${operation}: expected mode min or max, got ${String(mode)}`);
  if (!SMALL_IS_GOOD.test(monitor))
    throw new InputError(
      `${operation}: expected a mode for ${monitor}, got none; pass mode: "max" where large values are good, as for an accuracy, else "min"`,
    );
  return "min";
}
