import type { GradientContext } from "../kernels/define-kernel.js";
import { mul, sub } from "../ops/arithmetic.js";
import type { NoAttributes, UnaryInputs } from "../ops/broadcast.js";
import { sum } from "../ops/reduce.js";
import { exp } from "../ops/unary.js";

type Context = GradientContext<UnaryInputs, NoAttributes>;

export function softmaxGradient(context: Context) {
  return {
    x: () => {
      const { dy, output } = context;
      const weighted = mul(dy, output);
      return sub(weighted, mul(output, sum(weighted, { axes: -1, keepDims: true })));
    },
  };
}

export function logSoftmaxGradient(context: Context) {
  return {
    x: () => {
      const { dy, output } = context;
      return sub(dy, mul(exp(output), sum(dy, { axes: -1, keepDims: true })));
    },
  };
}
