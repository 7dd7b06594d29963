import type { GradientContext } from "../kernels/define-kernel.js";
import { add } from "../ops/arithmetic.js";
import type { ReduceAttributes, ReduceInputs } from "../ops/reduce.js";
import { reshape } from "../ops/shape-ops.js";
import { zeros } from "../tensor.js";

export function sumGradient({ dy, shapes, attrs }: GradientContext<ReduceInputs, ReduceAttributes>) {
  const kept = shapes.x.map((length, axis) => (attrs.axis.includes(axis) ? 1 : length));
  return { x: () => add(reshape(dy, kept), zeros(shapes.x)) };
}
