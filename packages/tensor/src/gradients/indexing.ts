import type { Tensor } from "@tensorflow/tfjs-core";
import type { GradientContext } from "../kernels/define-kernel.js";
import { gatherRows, type LengthAttributes, scatterAlong, scatterRows, takeAlong } from "../ops/indexing.js";

type Reading = { x: Tensor; indices: Tensor };
type Writing = { updates: Tensor; indices: Tensor };

export function gatherGradient({ dy, saved, shapes }: GradientContext<Reading, object>) {
  return { x: () => scatterRows(dy, saved.indices, shapes.x[1]) };
}

export function scatterRowsGradient({ dy, saved }: GradientContext<Writing, LengthAttributes>) {
  return { updates: () => gatherRows(dy, saved.indices) };
}

export function takeAlongAxisGradient({ dy, saved, shapes }: GradientContext<Reading, object>) {
  return { x: () => scatterAlong(dy, saved.indices, shapes.x[1]) };
}

export function scatterAlongAxisGradient({ dy, saved }: GradientContext<Writing, LengthAttributes>) {
  return { updates: () => takeAlong(dy, saved.indices) };
}
