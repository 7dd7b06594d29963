import type { Tensor } from "@tensorflow/tfjs-core";
import { groupedFilterWasm, groupedInputWasm, groupedWasm } from "../backends/wasm/ops/conv.js";
import { groupedFilterGradient, groupedGradient, groupedInputGradient } from "../gradients/conv-grouped.js";
import { defineKernel } from "../kernels/define-kernel.js";
import { concat } from "./concat.js";
import {
  type ConvAttributes,
  type ConvFilterAttributes,
  type ConvInputAttributes,
  convolve,
  convolveFilter,
  convolveInput,
} from "./conv-kernels.js";
import { narrow } from "./slice.js";

/** `groups` of channels do not see each other: group `g` of the result comes from group `g` of the input. */
export type Grouped<Attributes extends ConvAttributes> = Attributes & { groups: number };

/** Part `group` of `groups` equal ones along the last axis. */
function channelsOf(x: Tensor, group: number, groups: number): Tensor {
  const axis = x.shape.length - 1;
  const length = x.shape[axis] / groups;
  return narrow(x, { axis, start: group * length, length });
}

/** One result a group, side by side. */
function byGroup(groups: number, compute: (group: number) => Tensor): Tensor {
  return concat(
    Array.from({ length: groups }, (_, group) => compute(group)),
    { axis: 3 },
  );
}

/** x `[batch, height, width, in]`, filter `[kernelHeight, kernelWidth, in/groups, out]` → `[batch, outHeight, outWidth, out]`. */
const groupedKernel = /* @__PURE__ */ defineKernel<{ x: Tensor; filter: Tensor }, Grouped<ConvAttributes>>({
  name: "GroupedConv2D",
  reference: ({ x, filter }, { groups, ...rest }) =>
    byGroup(groups, (group) =>
      convolve(channelsOf(x, group, groups), channelsOf(filter, group, groups), rest),
    ),
  implementations: { wasm: groupedWasm },
  saves: ["x", "filter"],
  gradient: groupedGradient,
});

/** dy `[batch, outHeight, outWidth, out]` → `[batch, height, width, in]`; also a grouped transposed convolution. */
const groupedInputKernel = /* @__PURE__ */ defineKernel<
  { dy: Tensor; filter: Tensor },
  Grouped<ConvInputAttributes>
>({
  name: "GroupedConv2DBackpropInput",
  reference({ dy, filter }, { groups, inputShape, ...rest }) {
    const shape = [...inputShape.slice(0, 3), inputShape[3] / groups];
    return byGroup(groups, (group) =>
      convolveInput(channelsOf(dy, group, groups), channelsOf(filter, group, groups), {
        ...rest,
        inputShape: shape,
      }),
    );
  },
  implementations: { wasm: groupedInputWasm },
  saves: ["dy", "filter"],
  gradient: groupedInputGradient,
});

/** → `[kernelHeight, kernelWidth, in/groups, out]`. */
const groupedFilterKernel = /* @__PURE__ */ defineKernel<
  { x: Tensor; dy: Tensor },
  Grouped<ConvFilterAttributes>
>({
  name: "GroupedConv2DBackpropFilter",
  reference({ x, dy }, { groups, filterShape, ...rest }) {
    const shape = [...filterShape.slice(0, 3), filterShape[3] / groups];
    return byGroup(groups, (group) =>
      convolveFilter(channelsOf(x, group, groups), channelsOf(dy, group, groups), {
        ...rest,
        filterShape: shape,
      }),
    );
  },
  implementations: { wasm: groupedFilterWasm },
  saves: ["x", "dy"],
  gradient: groupedFilterGradient,
});

/** @internal */
export function convolveGroups(x: Tensor, filter: Tensor, attributes: Grouped<ConvAttributes>): Tensor {
  return groupedKernel({ x, filter }, attributes);
}

/** @internal */
export function convolveGroupsInput(
  dy: Tensor,
  filter: Tensor,
  attributes: Grouped<ConvInputAttributes>,
): Tensor {
  return groupedInputKernel({ dy, filter }, attributes);
}

/** @internal */
export function convolveGroupsFilter(
  x: Tensor,
  dy: Tensor,
  attributes: Grouped<ConvFilterAttributes>,
): Tensor {
  return groupedFilterKernel({ x, dy }, attributes);
}
