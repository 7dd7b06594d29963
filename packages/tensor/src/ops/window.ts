import { assertList } from "../arguments.js";
import { InputError } from "../errors.js";
import type { Shape } from "../shape.js";

/** One number for every spatial axis, or one an axis. */
export type PerAxis = number | readonly number[];

/**
 * Cells around each spatial axis: one number for all, one an axis (both sides), one pair `[before, after]` an axis,
 * `"valid"` (none) or `"same"` (as many as keep the size with stride 1, the odd one after, as in PyTorch).
 */
export type ConvPadding = PerAxis | readonly (readonly [number, number])[] | "valid" | "same";

/** Expands to one integer an axis, each at least `least`. @internal */
export function perAxis(operation: string, name: string, value: PerAxis, axes: number, least = 1): number[] {
  if (typeof value !== "number") assertList(operation, `${name}, a number or`, value);
  const list = typeof value === "number" ? new Array<number>(axes).fill(value) : [...value];
  if (list.length !== axes || !list.every((entry) => Number.isInteger(entry) && entry >= least))
    throw new InputError(
      `${operation}: expected ${name} as an integer of at least ${least} or ${axes} of them, got ${JSON.stringify(value)}`,
    );
  return list;
}

/** Expands a convolution's padding to one pair an axis. @internal */
export function convPadding(
  operation: string,
  padding: ConvPadding,
  kernel: Shape,
  strides: readonly number[],
  dilations: readonly number[],
): [number, number][] {
  const axes = kernel.length;
  if (padding === "valid") return kernel.map(() => [0, 0]);
  if (padding === "same") {
    if (strides.some((stride) => stride !== 1))
      throw new InputError(
        `${operation}: expected stride 1 with padding "same", got ${strides}; give the padding in numbers`,
      );
    return kernel.map((length, axis) => {
      const total = dilations[axis] * (length - 1);
      return [Math.floor(total / 2), total - Math.floor(total / 2)];
    });
  }
  if (typeof padding === "string")
    throw new InputError(`${operation}: expected padding "valid", "same" or numbers, got "${padding}"`);
  if (typeof padding !== "number") assertList(operation, 'padding, a number, "valid", "same" or', padding);
  if (typeof padding !== "number" && padding.some((entry) => typeof entry !== "number")) {
    const pairs = padding as readonly (readonly [number, number])[];
    if (
      pairs.length !== axes ||
      !pairs.every((pair) => pair?.length === 2 && pair.every((n) => Number.isInteger(n) && n >= 0))
    )
      throw new InputError(
        `${operation}: expected ${axes} pairs [before, after] of non-negative integers, got ${JSON.stringify(padding)}`,
      );
    return pairs.map(([before, after]) => [before, after]);
  }
  return perAxis(operation, "padding", padding as PerAxis, axes, 0).map((cells) => [cells, cells]);
}
