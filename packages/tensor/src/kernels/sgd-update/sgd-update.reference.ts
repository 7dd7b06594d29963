import type { Tensor } from "@tensorflow/tfjs-core";
import { add, mul, sub } from "../../ops/arithmetic.js";
import { neg } from "../../ops/unary.js";
import type { SgdUpdateAttributes } from "./sgd-update.js";

/** The update by plain ops. @returns the new parameter, and the new momentum buffer when there is one */
export function sgdUpdateReference(
  [parameter, buffer]: readonly Tensor[],
  [gradient]: readonly Tensor[],
  { learningRate, momentum, inflow, nesterov, weightDecay, maximize }: SgdUpdateAttributes,
): Tensor[] {
  let direction = maximize ? neg(gradient) : gradient;
  if (weightDecay !== 0) direction = add(direction, mul(parameter, weightDecay));
  if (buffer === undefined) return [sub(parameter, mul(direction, learningRate))];
  const moved = add(mul(buffer, momentum), mul(direction, inflow));
  const step = nesterov ? add(direction, mul(moved, momentum)) : moved;
  return [sub(parameter, mul(step, learningRate)), moved];
}
