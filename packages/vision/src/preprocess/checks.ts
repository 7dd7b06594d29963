import { InputError } from "@ai/tensor";

export { assertOptions as assertOptionNames } from "@ai/tensor";

/** @throws InputError unless every value is an integer of at least `minimum`. */
export function assertIntegers(
  operation: string,
  values: Readonly<Record<string, number>>,
  minimum = 1,
): void {
  for (const [name, value] of Object.entries(values))
    if (!Number.isSafeInteger(value) || value < minimum)
      throw new InputError(
        `${operation}: expected ${name} as an integer of at least ${minimum}, got ${String(value)}`,
      );
}

/** @throws InputError unless every value is a finite number in [minimum, maximum]. */
export function assertNumbers(
  operation: string,
  values: Readonly<Record<string, number>>,
  minimum = Number.NEGATIVE_INFINITY,
  maximum = Number.POSITIVE_INFINITY,
): void {
  for (const [name, value] of Object.entries(values))
    if (!Number.isFinite(value) || value < minimum || value > maximum)
      throw new InputError(
        `${operation}: expected ${name} as a number in [${minimum}, ${maximum}], got ${String(value)}`,
      );
}

/** @throws InputError unless `value` is one of `known`. */
export function assertOneOf<T extends string>(
  operation: string,
  name: string,
  value: T,
  known: readonly T[],
): void {
  if (!known.includes(value))
    throw new InputError(`${operation}: expected ${name} to be ${known.join(", ")}, got ${String(value)}`);
}

/** What a value is, in a word or two. */
export function nameOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? Object.prototype.toString.call(value).slice(8, -1) : typeof value;
}
