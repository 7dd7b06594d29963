import type { Tensor } from "@tensorflow/tfjs-core";
import type { GradientContext } from "../kernels/define-kernel.js";
import { div, mul } from "../ops/arithmetic.js";
import { countAlong, type UnaryInputs } from "../ops/broadcast.js";
import { cast } from "../ops/cast.js";
import { equal } from "../ops/compare.js";
import { cumprod } from "../ops/cumulative.js";
import { type ReduceAttributes, reducedShape, sum } from "../ops/reduce.js";
import { broadcastTo, reshape, transpose } from "../ops/shape-ops.js";
import { sizeOf } from "../shape.js";

type Context = GradientContext<UnaryInputs, ReduceAttributes>;

/** A tensor of the reduced shape with the reduced axes back, at size 1. */
function restoreAxes(reduced: Tensor, { shapes, attrs }: Context): Tensor {
  return reshape(reduced, reducedShape(shapes.x, attrs.axis, true));
}

export function sumGradient(context: Context) {
  return { x: () => broadcastTo(restoreAxes(context.dy, context), context.shapes.x) };
}

export function meanGradient(context: Context) {
  const count = countAlong(context.shapes.x, context.attrs.axis);
  return { x: () => broadcastTo(restoreAxes(mul(context.dy, 1 / count), context), context.shapes.x) };
}

/** Max and min: all elements that equal the result share its gradient evenly. */
export function extremumGradient(context: Context) {
  return {
    x: () => {
      const chosen = cast(equal(context.saved.x, restoreAxes(context.output, context)), "float32");
      const count = sum(chosen, { axes: context.attrs.axis, keepDims: true });
      return mul(chosen, div(restoreAxes(context.dy, context), count));
    },
  };
}

/** Each element's slope is the product of the others: those before it times those after it, so zeros do no harm. */
export function prodGradient({ dy, saved: { x }, attrs: { axis } }: Context) {
  return {
    x: () => {
      const rank = x.shape.length;
      const kept = Array.from({ length: rank }, (_, index) => index).filter((index) => !axis.includes(index));
      const order = [...kept, ...axis];
      const moved = transpose(x, order);
      const rows = reshape(moved, [sizeOf(kept.map((index) => x.shape[index])), countAlong(x.shape, axis)]); // [rows, factors]
      const others = mul(
        cumprod(rows, { axis: 1, exclusive: true }),
        cumprod(rows, { axis: 1, exclusive: true, reverse: true }),
      );
      const slope = mul(others, reshape(dy, [rows.shape[0], 1])); // [rows, factors]
      return transpose(
        reshape(slope, moved.shape),
        order.map((_, index) => order.indexOf(index)),
      );
    },
  };
}
