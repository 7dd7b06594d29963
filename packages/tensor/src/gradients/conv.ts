import type { Tensor } from "@tensorflow/tfjs-core";
import type { GradientContext } from "../kernels/define-kernel.js";
import {
  type ConvAttributes,
  type ConvFilterAttributes,
  type ConvInputAttributes,
  convolve,
  convolveFilter,
  convolveInput,
  depthwise,
  depthwiseFilter,
  depthwiseInput,
} from "../ops/conv-kernels.js";

// y = x ∗ w is linear in both: each of these three gives the gradients of the other two.

type Forward = { x: Tensor; filter: Tensor };
type ToInput = { dy: Tensor; filter: Tensor };
type ToFilter = { x: Tensor; dy: Tensor };

export function convGradient({ dy, saved, shapes, attrs }: GradientContext<Forward, ConvAttributes>) {
  return {
    x: () => convolveInput(dy, saved.filter, { ...attrs, inputShape: shapes.x }),
    filter: () => convolveFilter(saved.x, dy, { ...attrs, filterShape: shapes.filter }),
  };
}

export function convInputGradient({
  dy,
  saved,
  shapes,
  attrs,
}: GradientContext<ToInput, ConvInputAttributes>) {
  const { inputShape: _, ...rest } = attrs;
  return {
    dy: () => convolve(dy, saved.filter, rest),
    filter: () => convolveFilter(dy, saved.dy, { ...rest, filterShape: shapes.filter }),
  };
}

export function convFilterGradient({
  dy,
  saved,
  shapes,
  attrs,
}: GradientContext<ToFilter, ConvFilterAttributes>) {
  const { filterShape: _, ...rest } = attrs;
  return {
    x: () => convolveInput(saved.dy, dy, { ...rest, inputShape: shapes.x }),
    dy: () => convolve(saved.x, dy, rest),
  };
}

export function depthwiseGradient({ dy, saved, shapes, attrs }: GradientContext<Forward, ConvAttributes>) {
  return {
    x: () => depthwiseInput(dy, saved.filter, { ...attrs, inputShape: shapes.x }),
    filter: () => depthwiseFilter(saved.x, dy, { ...attrs, filterShape: shapes.filter }),
  };
}

export function depthwiseInputGradient({
  dy,
  saved,
  shapes,
  attrs,
}: GradientContext<ToInput, ConvInputAttributes>) {
  const { inputShape: _, ...rest } = attrs;
  return {
    dy: () => depthwise(dy, saved.filter, rest),
    filter: () => depthwiseFilter(dy, saved.dy, { ...rest, filterShape: shapes.filter }),
  };
}

export function depthwiseFilterGradient({
  dy,
  saved,
  shapes,
  attrs,
}: GradientContext<ToFilter, ConvFilterAttributes>) {
  const { filterShape: _, ...rest } = attrs;
  return {
    x: () => depthwiseInput(saved.dy, dy, { ...rest, inputShape: shapes.x }),
    dy: () => depthwise(saved.x, dy, rest),
  };
}
