import type { Tensor } from "@tensorflow/tfjs-core";
import type { GradientContext } from "../kernels/define-kernel.js";
import { sumToShape } from "../ops/broadcast.js";

type Binary = { a: Tensor; b: Tensor };

export function addGradient({ dy, shapes }: GradientContext<Binary, object>) {
  return { a: () => sumToShape(dy, shapes.a), b: () => sumToShape(dy, shapes.b) };
}
