import type { Tensor } from "@tensorflow/tfjs-core";
import type { GradientContext } from "../kernels/define-kernel.js";
import { add, mul } from "../ops/arithmetic.js";
import type { UnaryInputs } from "../ops/broadcast.js";
import { concat, split } from "../ops/concat.js";
import { type CumulativeAttributes, cumprod, cumsum } from "../ops/cumulative.js";
import { full } from "../tensor.js";

type Context = GradientContext<UnaryInputs, CumulativeAttributes>;

export function cumsumGradient({ dy, attrs: { axis, exclusive, reverse } }: Context) {
  return { x: () => cumsum(dy, { axis, exclusive, reverse: !reverse }) };
}

/**
 * With `Eᵢ` the product of the factors before `xᵢ`, the slope is `Eᵢ·Rᵢ`, where `R` collects what comes after:
 * `Rᵢ = dyᵢ + xᵢ₊₁·Rᵢ₊₁`. Nothing is divided, so zeros do no harm.
 */
export function cumprodGradient({ dy, saved: { x }, attrs: { axis, exclusive, reverse } }: Context) {
  return {
    x: () => {
      const before = cumprod(x, { axis, exclusive: true, reverse });
      // exclusive: y[i] has the factors before i, so dy moves one step towards the start
      const gradient = exclusive ? shift(dy, { axis, by: 1, towardsStart: !reverse, fill: 0 }) : dy;
      const factor = shift(x, { axis, by: 1, towardsStart: !reverse, fill: 0 });
      return mul(before, linearRecurrence(factor, gradient, axis, !reverse));
    },
  };
}

interface Shift {
  readonly axis: number;
  readonly by: number;
  readonly towardsStart: boolean;
  readonly fill: number;
}

/** Moves elements along an axis; the gap is filled. @param x `[...]` @returns `[...]` */
function shift(x: Tensor, { axis, by, towardsStart, fill }: Shift): Tensor {
  const length = x.shape[axis];
  const gap = full(
    x.shape.map((size, index) => (index === axis ? Math.min(by, length) : size)),
    fill,
  );
  if (by >= length) return gap;
  const parts = split(x, towardsStart ? [by, length - by] : [length - by, by], { axis });
  return towardsStart ? concat([parts[1], gap], { axis }) : concat([gap, parts[0]], { axis });
}

/**
 * `rᵢ = uᵢ + aᵢ·rᵢ₊₁` (`fromEnd`) or `uᵢ + aᵢ·rᵢ₋₁`, in ⌈log₂ length⌉ steps that each double the distance reached.
 * @param a `[...]` @param u `[...]` @returns `[...]`
 */
function linearRecurrence(a: Tensor, u: Tensor, axis: number, fromEnd: boolean): Tensor {
  let factor = a;
  let total = u;
  for (let by = 1; by < a.shape[axis]; by *= 2) {
    total = add(total, mul(factor, shift(total, { axis, by, towardsStart: fromEnd, fill: 0 })));
    factor = mul(factor, shift(factor, { axis, by, towardsStart: fromEnd, fill: 0 }));
  }
  return total;
}
