import type { GradientContext } from "../kernels/define-kernel.js";
import { type BatchNormInputs, batchNormBackprop, type EpsilonAttributes } from "../ops/normalization.js";

/** The gradient of the normalised output; the statistics are handed out as constants. */
export function batchNormTrainingGradient(context: GradientContext<BatchNormInputs, EpsilonAttributes>) {
  const { dy, saved, attrs } = context;
  let parts: ReturnType<typeof batchNormBackprop> | undefined;
  const part = (index: number) => {
    parts ??= batchNormBackprop(
      { x: saved.x, dy, weight: saved.weight, mean: context.outputs[1], variance: context.outputs[2] },
      attrs,
    );
    return parts[index];
  };
  return { x: () => part(0), weight: () => part(1), bias: () => part(2) };
}
