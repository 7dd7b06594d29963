import type { Tensor } from "@tensorflow/tfjs-core";
import type { GradientContext } from "../kernels/define-kernel.js";
import {
  gatherRows,
  type LengthAttributes,
  type OperationAttributes,
  scatterAlong,
  scatterRows,
  takeAlong,
} from "../ops/indexing-kernels.js";

type Reading = { x: Tensor; indices: Tensor };
type Writing = { updates: Tensor; indices: Tensor };

export function gatherGradient({ dy, saved, shapes, attrs }: GradientContext<Reading, OperationAttributes>) {
  return { x: () => scatterRows(dy, saved.indices, { ...attrs, length: shapes.x[1] }) };
}

export function scatterRowsGradient({ dy, saved, attrs }: GradientContext<Writing, LengthAttributes>) {
  return { updates: () => gatherRows(dy, saved.indices, attrs.operation) };
}

export function takeAlongAxisGradient({
  dy,
  saved,
  shapes,
  attrs,
}: GradientContext<Reading, OperationAttributes>) {
  return { x: () => scatterAlong(dy, saved.indices, { ...attrs, length: shapes.x[1] }) };
}

export function scatterAlongAxisGradient({ dy, saved, attrs }: GradientContext<Writing, LengthAttributes>) {
  return { updates: () => takeAlong(dy, saved.indices, attrs.operation) };
}
