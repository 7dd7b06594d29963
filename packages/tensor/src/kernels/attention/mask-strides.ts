import { stridesOf } from "../../shape.js";

/** Strides of a mask over `[batch, heads, queries, keys]` in elements; 0 where it broadcasts. */
export function maskStrides(shape: readonly number[]): number[] {
  const whole = [...new Array<number>(4 - shape.length).fill(1), ...shape];
  return stridesOf(whole).map((stride, axis) => (whole[axis] === 1 ? 0 : stride));
}
