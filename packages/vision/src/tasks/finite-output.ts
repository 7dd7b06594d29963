import { InputError } from "@ai/tensor";

/** @throws InputError unless every number that a model gave is finite: others pass through comparisons as if nothing were there. */
export function assertFinite(
  operation: string,
  values: ArrayLike<number>,
  { what, architecture }: { readonly what: string; readonly architecture: string },
): void {
  for (let at = 0; at < values.length; at++)
    if (!Number.isFinite(values[at]))
      throw new InputError(
        `${operation}: expected finite ${what}, got others from ${architecture}; its weights or its preprocessing do not fit`,
      );
}
