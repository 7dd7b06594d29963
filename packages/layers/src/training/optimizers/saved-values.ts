/** Whether a saved value is a list of so many that pass a test. */
export function isListOf(list: unknown, length: number, test: (each: unknown) => boolean): boolean {
  return Array.isArray(list) && list.length === length && list.every(test);
}

/** A value in a few words, for errors. */
export function describe(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return `a list of ${value.length}`;
  return typeof value === "number" ? String(value) : typeof value;
}

/** Whether two shapes are one. */
export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((length, axis) => length === b[axis]);
}
