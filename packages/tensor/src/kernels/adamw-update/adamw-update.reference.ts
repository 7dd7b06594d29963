import type { Tensor } from "@tensorflow/tfjs-core";
import { add, div, maximum, mul, sub } from "../../ops/arithmetic.js";
import { neg, sqrt, square } from "../../ops/unary.js";
import type { AdamwUpdateAttributes } from "./adamw-update.js";

/** The update by plain ops. @returns the new parameter, moments and, for AMSGrad, largest second moment */
export function adamwUpdateReference(
  [parameter, firstMoment, secondMoment, largest]: readonly Tensor[],
  [gradient]: readonly Tensor[],
  { beta1, beta2, epsilon, stepSize, denominatorScale, decay, penalty, maximize }: AdamwUpdateAttributes,
): Tensor[] {
  let direction = maximize ? neg(gradient) : gradient;
  if (penalty !== 0) direction = add(direction, mul(parameter, penalty));
  const mean = add(firstMoment, mul(sub(direction, firstMoment), 1 - beta1));
  const meanSquare = add(mul(secondMoment, beta2), mul(square(direction), 1 - beta2));
  const top = largest === undefined ? meanSquare : maximum(largest, meanSquare);
  const denominator = add(div(sqrt(top), denominatorScale), epsilon);
  const moved = sub(mul(parameter, decay), mul(div(mean, denominator), stepSize));
  return largest === undefined ? [moved, mean, meanSquare] : [moved, mean, meanSquare, top];
}
