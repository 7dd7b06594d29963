import type { Tensor } from "@tensorflow/tfjs-core";
import type { DType } from "../dtype.js";
import type { GradientContext } from "../kernels/define-kernel.js";

export function castGradient({ dy }: GradientContext<{ x: Tensor }, { dtype: DType }>) {
  return { x: () => dy };
}
