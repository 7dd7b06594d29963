import { isRecording } from "../engine.js";
import type { GradientContext } from "../kernels/define-kernel.js";
import {
  type BatchNormInputs,
  batchNormBackprop,
  channelStatistics,
  type EpsilonAttributes,
} from "../ops/normalization.js";

/** The gradient of the normalised output; the statistics are handed out as constants. */
export function batchNormTrainingGradient(context: GradientContext<BatchNormInputs, EpsilonAttributes>) {
  const { dy, saved, attrs } = context;
  let parts: ReturnType<typeof batchNormBackprop> | undefined;
  const part = (index: number) => {
    if (parts === undefined) {
      // for a second derivative the statistics must be seen to depend on x
      const [mean, variance] = isRecording() ? channelStatistics(saved.x) : context.outputs.slice(1);
      parts = batchNormBackprop({ x: saved.x, dy, weight: saved.weight, mean, variance }, attrs);
    }
    return parts[index];
  };
  return { x: () => part(0), weight: () => part(1), bias: () => part(2) };
}
