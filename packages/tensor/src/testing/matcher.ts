import type { Tensor } from "@tensorflow/tfjs-core";
import { expect } from "vitest";
import type { TypedArray } from "../dtype.js";
import { sameShape } from "../shape.js";
import { read } from "../tensor.js";

/** Values to compare with: a tensor, or host values with their shape. */
export interface HostTensor {
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly values: TypedArray | readonly number[];
}

/** Options of `toBeCloseToTensor`. A number looser than the default needs a comment with its reason. */
export interface ToleranceOptions {
  /** Relative tolerance. Default 1e-5. */
  readonly relative?: number;
  /** Absolute tolerance as a fraction of the largest expected value. Default 1e-6. */
  readonly absoluteScale?: number;
  /** Absolute tolerance besides, for what is 0 but for rounding. Default 0. */
  readonly absolute?: number;
}

/**
 * Compares shape, dtype, then floats by `|a − b| ≤ scale·max|b| + relative·|b|` and integers exactly; NaN equals only NaN.
 * @returns the difference in words, or undefined.
 */
export async function difference(
  actual: Tensor,
  expected: Tensor | HostTensor,
  { relative = 1e-5, absoluteScale = 1e-6, absolute: extra = 0 }: ToleranceOptions = {},
): Promise<string | undefined> {
  if (!sameShape(actual.shape, expected.shape)) return `shape [${actual.shape}] is not [${expected.shape}]`;
  if (actual.dtype !== expected.dtype) return `dtype ${actual.dtype} is not ${expected.dtype}`;
  const a = await read(actual);
  const b = "values" in expected ? expected.values : await read(expected as Tensor);
  let largest = 0;
  for (const value of b) if (Number.isFinite(value)) largest = Math.max(largest, Math.abs(value));
  const isFloat = actual.dtype === "float32";
  const absolute = isFloat ? absoluteScale * largest + extra : 0;
  const allowed = isFloat ? relative : 0;
  let worst = -1;
  let worstExcess = 0;
  let bad = 0;
  for (let i = 0; i < b.length; i++) {
    if (Object.is(a[i], b[i]) || a[i] === b[i]) continue;
    const distance = Math.abs(a[i] - b[i]);
    const excess = distance - absolute - allowed * Math.abs(b[i]);
    if (excess <= 0 && Number.isFinite(b[i])) continue;
    bad++;
    const size = Number.isNaN(excess) ? Number.POSITIVE_INFINITY : excess;
    if (worst < 0 || size > worstExcess) {
      worst = i;
      worstExcess = size;
    }
  }
  if (bad === 0) return undefined;
  return `${bad} of ${b.length} values differ; worst at ${worst}: ${a[worst]} is not ${b[worst]} (relative ${allowed}, absolute ${absolute.toExponential(1)})`;
}

expect.extend({
  async toBeCloseToTensor(actual: Tensor, expected: Tensor | HostTensor, options?: ToleranceOptions) {
    const text = await difference(actual, expected, options);
    return { pass: text === undefined, message: () => text ?? "tensors are equal within tolerance" };
  },
});

declare module "vitest" {
  interface Matchers<T = any> {
    /** Shape, dtype, then values: `|a − b| ≤ 1e-6·max|b| + relative·|b|`. Await it. */
    toBeCloseToTensor(expected: Tensor | HostTensor, options?: ToleranceOptions): Promise<T>;
  }
}
