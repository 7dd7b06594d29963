import type { Tensor } from "@tensorflow/tfjs-core";
import type { GradientContext } from "../kernels/define-kernel.js";
import { type ResampleAttributes, resample, transposeTable } from "../ops/resample.js";

export function resampleGradient({ dy, attrs }: GradientContext<{ x: Tensor }, ResampleAttributes>) {
  return { x: () => resample(dy, transposeTable(attrs.table)) };
}
