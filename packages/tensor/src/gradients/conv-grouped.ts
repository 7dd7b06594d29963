import type { Tensor } from "@tensorflow/tfjs-core";
import type { GradientContext } from "../kernels/define-kernel.js";
import {
  convolveGroups,
  convolveGroupsFilter,
  convolveGroupsInput,
  type Grouped,
} from "../ops/conv-grouped.js";
import type { ConvAttributes, ConvFilterAttributes, ConvInputAttributes } from "../ops/conv-kernels.js";

// As in conv.ts: each of these three gives the gradients of the other two.

type Forward = { x: Tensor; filter: Tensor };
type ToInput = { dy: Tensor; filter: Tensor };
type ToFilter = { x: Tensor; dy: Tensor };

export function groupedGradient({
  dy,
  saved,
  shapes,
  attrs,
}: GradientContext<Forward, Grouped<ConvAttributes>>) {
  return {
    x: () => convolveGroupsInput(dy, saved.filter, { ...attrs, inputShape: shapes.x }),
    filter: () => convolveGroupsFilter(saved.x, dy, { ...attrs, filterShape: shapes.filter }),
  };
}

export function groupedInputGradient({
  dy,
  saved,
  shapes,
  attrs,
}: GradientContext<ToInput, Grouped<ConvInputAttributes>>) {
  const { inputShape: _, ...rest } = attrs;
  return {
    dy: () => convolveGroups(dy, saved.filter, rest),
    filter: () => convolveGroupsFilter(dy, saved.dy, { ...rest, filterShape: shapes.filter }),
  };
}

export function groupedFilterGradient({
  dy,
  saved,
  shapes,
  attrs,
}: GradientContext<ToFilter, Grouped<ConvFilterAttributes>>) {
  const { filterShape: _, ...rest } = attrs;
  return {
    x: () => convolveGroupsInput(saved.dy, dy, { ...rest, inputShape: shapes.x }),
    dy: () => convolveGroups(saved.x, dy, rest),
  };
}
