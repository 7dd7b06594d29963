import type { Tensor } from "@tensorflow/tfjs-core";
import type { GradientContext } from "../kernels/define-kernel.js";
import { div, mul, pow, sub } from "../ops/arithmetic.js";
import type { UnaryInputs } from "../ops/broadcast.js";
import { cast } from "../ops/cast.js";
import { equal, logicalOr, where } from "../ops/compare.js";
import { mean, type ReduceAttributes, reducedShape, sum } from "../ops/reduce.js";
import { reshape } from "../ops/shape-ops.js";
import { degreesOfFreedom, type NormAttributes, type VarianceAttributes } from "../ops/statistics.js";
import { abs, exp, isNaN as isNotANumber, sign } from "../ops/unary.js";

type Context<Attributes extends ReduceAttributes> = GradientContext<UnaryInputs, Attributes>;

function restoreAxes(reduced: Tensor, axis: readonly number[], x: Tensor): Tensor {
  return reshape(reduced, reducedShape(x.shape, axis, true));
}

/** `2·dy·(x − mean) / (n − correction)`. */
function varianceSlope(dy: Tensor, x: Tensor, { axis, correction }: VarianceAttributes): Tensor {
  const deviation = sub(x, mean(x, { axes: axis, keepDims: true }));
  return mul(mul(restoreAxes(dy, axis, x), 2 / degreesOfFreedom(x, axis, correction)), deviation);
}

export function varianceGradient({ dy, saved: { x }, attrs }: Context<VarianceAttributes>) {
  return { x: () => varianceSlope(dy, x, attrs) };
}

export function standardDeviationGradient(context: Context<VarianceAttributes>) {
  return {
    x: () => {
      const { dy, output, saved, attrs } = context;
      const slope = where(equal(output, 0), 0, div(dy, mul(output, 2)));
      return varianceSlope(slope, saved.x, attrs);
    },
  };
}

export function logSumExpGradient(context: Context<ReduceAttributes>) {
  return {
    x: () => {
      const { dy, output, saved, attrs } = context;
      const share = exp(sub(saved.x, restoreAxes(output, attrs.axis, saved.x)));
      return mul(restoreAxes(dy, attrs.axis, saved.x), share);
    },
  };
}

export function normGradient(context: Context<NormAttributes>) {
  const { axis, order } = context.attrs;
  if (order === 0) return {};
  return {
    x: () => {
      const { dy, output, saved } = context;
      const { x } = saved;
      const gradient = restoreAxes(dy, axis, x);
      const norm = restoreAxes(output, axis, x);
      if (order === 1) return mul(gradient, sign(x));
      if (order === 2) return mul(x, where(equal(norm, 0), 0, div(gradient, norm)));
      if (!Number.isFinite(order)) {
        // where the norm is NaN the NaNs are what was chosen
        const chosen = logicalOr(equal(abs(x), norm), isNotANumber(x));
        const count = sum(cast(chosen, "float32"), { axes: axis, keepDims: true });
        return where(chosen, mul(sign(x), div(gradient, count)), 0);
      }
      const direction = mul(sign(x), pow(div(abs(x), norm), order - 1));
      // a norm of 0, and a root's infinite slope at 0, count as 0
      return where(equal(mul(x, norm), 0), 0, mul(gradient, direction));
    },
  };
}
