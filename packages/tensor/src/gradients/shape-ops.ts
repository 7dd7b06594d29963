import type { Tensor } from "@tensorflow/tfjs-core";
import type { GradientContext } from "../kernels/define-kernel.js";
import { reshape } from "../ops/shape-ops.js";

export function reshapeGradient({ dy, shapes }: GradientContext<{ x: Tensor }, { shape: number[] }>) {
  return { x: () => reshape(dy, shapes.x) };
}
