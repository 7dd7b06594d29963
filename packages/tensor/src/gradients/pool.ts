import type { Tensor } from "@tensorflow/tfjs-core";
import type { GradientContext } from "../kernels/define-kernel.js";
import { takeAlong } from "../ops/indexing-kernels.js";
import {
  type AveragePoolAttributes,
  avgPoolBackprop,
  avgPoolForward,
  maxPoolBackprop,
  maxPoolIndices,
  type PoolAttributes,
} from "../ops/pool-kernels.js";
import { reshape } from "../ops/shape-ops.js";

export function maxPoolGradient({ dy, saved, attrs }: GradientContext<{ x: Tensor }, PoolAttributes>) {
  return { x: () => maxPoolBackprop(saved.x, dy, attrs) };
}

/** The maxima do not move, so x has no second derivative; dy's gradient is read where the maxima are. */
export function maxPoolBackpropGradient({
  dy,
  saved,
  shapes,
  attrs,
}: GradientContext<{ x: Tensor; dy: Tensor }, PoolAttributes>) {
  return {
    dy: () => {
      const [batch, height, width, channels] = shapes.x;
      const indices = maxPoolIndices(saved.x, attrs); // [batch, outHeight, outWidth, channels]
      const cells = reshape(dy, [batch, height * width, channels]);
      const taken = takeAlong(cells, reshape(indices, [batch, -1, channels]), "maxPool");
      return reshape(taken, shapes.dy);
    },
  };
}

export function avgPoolGradient({ dy, attrs }: GradientContext<{ x: Tensor }, AveragePoolAttributes>) {
  return { x: () => avgPoolBackprop(dy, attrs) };
}

export function avgPoolBackpropGradient({
  dy,
  attrs,
}: GradientContext<{ dy: Tensor }, AveragePoolAttributes>) {
  return { dy: () => avgPoolForward(dy, attrs) };
}
