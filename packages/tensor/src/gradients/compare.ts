import type { Tensor } from "@tensorflow/tfjs-core";
import type { GradientContext } from "../kernels/define-kernel.js";
import { type NoAttributes, sumToShape } from "../ops/broadcast.js";
import { where } from "../ops/compare.js";

type WhereInputs = { condition: Tensor; a: Tensor; b: Tensor };

export function whereGradient({
  dy,
  saved: { condition },
  shapes,
}: GradientContext<WhereInputs, NoAttributes>) {
  return {
    a: () => sumToShape(where(condition, dy, 0), shapes.a),
    b: () => sumToShape(where(condition, 0, dy), shapes.b),
  };
}
