import type { Tensor } from "@tensorflow/tfjs-core";
import { assertOptions } from "../arguments.js";
import { InputError, ShapeError } from "../errors.js";
import { tidy } from "../memory.js";
import { formatShape } from "../shape.js";
import { arange } from "../tensor.js";
import { sub } from "./arithmetic.js";
import { assertTensor } from "./broadcast.js";
import { greaterEqual, lessEqual, logicalAnd, where } from "./compare.js";
import { expandDims } from "./shape-ops.js";

/** Options of {@link triu} and {@link tril}. */
export interface TriangleOptions {
  /** The diagonal where the triangle begins: 0 (default) the main one, above 0 those to its right, below 0 to its left. */
  readonly diagonal?: number;
}

function triangle(
  operation: "triu" | "tril",
  x: Tensor,
  options: TriangleOptions,
  inside: (offset: Tensor, diagonal: number) => Tensor,
): Tensor {
  assertTensor(operation, x);
  assertOptions(operation, options, ["diagonal"]);
  const { diagonal = 0 } = options;
  if (!Number.isInteger(diagonal))
    throw new InputError(`${operation}: expected a whole diagonal, got ${diagonal}`);
  const [rows, columns] = x.shape.slice(-2);
  if (x.shape.length < 2)
    throw new ShapeError(`${operation}: expected matrices [..., rows, columns], got ${formatShape(x.shape)}`);
  return tidy(() => {
    const offset = sub(arange(0, columns), expandDims(arange(0, rows), 1)); // [rows, columns]
    const kept = inside(offset, diagonal);
    return x.dtype === "bool" ? logicalAnd(x, kept) : where(kept, x, 0);
  });
}

/**
 * The upper triangle of matrices, 0 below it: `y[…][i][j] = x[…][i][j]` where `j − i ≥ diagonal` (`torch.triu`).
 * @param x `[..., rows, columns]` of any dtype.
 * @returns the shape and dtype of `x`.
 * @throws ShapeError for fewer than two axes. @throws InputError for a diagonal that is not whole.
 * @example
 * const hidden = triu(ones([length, length], "bool"), { diagonal: 1 }); // true: what comes later
 */
export function triu(x: Tensor, options: TriangleOptions = {}): Tensor {
  return triangle("triu", x, options, greaterEqual);
}

/**
 * The lower triangle of matrices, 0 above it: `y[…][i][j] = x[…][i][j]` where `j − i ≤ diagonal` (`torch.tril`).
 * @param x `[..., rows, columns]` of any dtype.
 * @returns the shape and dtype of `x`.
 * @throws ShapeError for fewer than two axes. @throws InputError for a diagonal that is not whole.
 */
export function tril(x: Tensor, options: TriangleOptions = {}): Tensor {
  return triangle("tril", x, options, lessEqual);
}
