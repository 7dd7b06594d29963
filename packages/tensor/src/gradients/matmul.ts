import type { GradientContext } from "../kernels/define-kernel.js";
import { type LinearInputs, type MatMulAttributes, type MatMulInputs, matMul } from "../ops/matmul.js";
import { sum } from "../ops/reduce.js";

/** With `T(a)·T(b)`, each gradient is one product in the order that gives the stored layout. */
export function matMulGradient({
  dy,
  saved: { a, b },
  attrs: { transposeA, transposeB },
}: GradientContext<MatMulInputs, MatMulAttributes>) {
  return {
    a: () =>
      transposeA
        ? matMul(b, dy, { transposeA: transposeB, transposeB: true })
        : matMul(dy, b, { transposeB: !transposeB }),
    b: () =>
      transposeB
        ? matMul(dy, a, { transposeA: true, transposeB: transposeA })
        : matMul(a, dy, { transposeA: !transposeA }),
  };
}

export function linearGradient({
  dy,
  saved: { x, weight },
}: GradientContext<LinearInputs, Record<never, never>>) {
  return {
    x: () => matMul(dy, weight),
    weight: () => matMul(dy, x, { transposeA: true }),
    bias: () => sum(dy, { axes: 0 }),
  };
}
