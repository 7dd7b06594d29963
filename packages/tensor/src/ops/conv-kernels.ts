import type { Tensor } from "@tensorflow/tfjs-core";
import { depthwiseFilterOnHost, depthwiseInputOnHost, depthwiseOnHost } from "../backends/host/depthwise.js";
import { depthwiseFilterWasm, depthwiseInputWasm, depthwiseWasm } from "../backends/wasm/ops/depthwise.js";
import {
  depthwiseFilterWebgpu,
  depthwiseInputWebgpu,
  depthwiseWebgpu,
} from "../backends/webgpu/kernels/depthwise.js";
import { zerosForNothing } from "../backends/webgpu/kernels/strided.js";
import {
  convFilterGradient,
  convGradient,
  convInputGradient,
  depthwiseFilterGradient,
  depthwiseGradient,
  depthwiseInputGradient,
} from "../gradients/conv.js";
import { defineKernel, type KernelCall } from "../kernels/define-kernel.js";
import { tidy } from "../memory.js";
import type { Shape } from "../shape.js";
import { transpose } from "./shape-ops.js";
import { place, takeStrided } from "./slice.js";

/** Steps, cells around and tap distances of a 2-D convolution, one entry a spatial axis. */
export type ConvAttributes = { strides: number[]; padding: [number, number][]; dilations: number[] };
export type ConvInputAttributes = ConvAttributes & { inputShape: number[] };
export type ConvFilterAttributes = ConvAttributes & { filterShape: number[] };

/** Length of a convolution's output along one axis. @internal */
export function convLength(
  length: number,
  kernel: number,
  stride: number,
  [before, after]: readonly [number, number],
  dilation: number,
): number {
  return Math.floor((length + before + after - dilation * (kernel - 1) - 1) / stride) + 1;
}

/** `[batch, outHeight, outWidth, channels]` of a convolution of x by a filter. @internal */
export function convOutputShape(
  x: Shape,
  filter: Shape,
  { strides, padding, dilations }: ConvAttributes,
  channels: number,
): number[] {
  return [
    x[0],
    ...[0, 1].map((axis) =>
      convLength(x[axis + 1], filter[axis], strides[axis], padding[axis], dilations[axis]),
    ),
    channels,
  ];
}

const around = (padding: readonly (readonly [number, number])[]) => [[0, 0], ...padding, [0, 0]];

/** The attributes that tfjs's convolutions take. */
function stockAttributes<Attributes extends ConvAttributes>({ padding, ...rest }: Attributes) {
  return { ...rest, pad: around(padding), dataFormat: "NHWC", dimRoundingMode: "floor" };
}

const isDilated = ({ dilations }: ConvAttributes): boolean => dilations.some((dilation) => dilation !== 1);

/** x `[batch, height, width, in]`, filter `[kernelHeight, kernelWidth, in, out]` → `[batch, outHeight, outWidth, out]`. */
const convKernel = /* @__PURE__ */ defineKernel<{ x: Tensor; filter: Tensor }, ConvAttributes>({
  name: "Conv2D",
  stock: { kernel: "Conv2D", attrs: stockAttributes },
  implementations: {
    webgpu: (call) =>
      zerosForNothing(call, () => {
        const { x, filter } = call.inputs;
        return convOutputShape(x.shape, filter.shape, call.attrs, filter.shape[3]!);
      }),
  },
  saves: ["x", "filter"],
  gradient: convGradient,
});

/** The transpose of Conv2D in x; also a transposed convolution. */
const convInputKernel = /* @__PURE__ */ defineKernel<{ dy: Tensor; filter: Tensor }, ConvInputAttributes>({
  name: "Conv2DBackpropInput",
  stock: { kernel: "Conv2DBackpropInput", attrs: stockAttributes },
  implementations: {
    cpu: dilatedInput,
    webgpu: (call) => zerosForNothing(call, () => call.attrs.inputShape) ?? dilatedInput(call),
  },
  saves: ["dy", "filter"],
  gradient: convInputGradient,
});

/** The transpose of Conv2D in the filter. */
const convFilterKernel = /* @__PURE__ */ defineKernel<{ x: Tensor; dy: Tensor }, ConvFilterAttributes>({
  name: "Conv2DBackpropFilter",
  stock: { kernel: "Conv2DBackpropFilter", attrs: stockAttributes },
  implementations: {
    cpu: dilatedFilter,
    webgpu: (call) => zerosForNothing(call, () => call.attrs.filterShape) ?? dilatedFilter(call),
  },
  saves: ["x", "dy"],
  gradient: convFilterGradient,
});

/** x `[batch, height, width, in]`, filter `[kernelHeight, kernelWidth, in, multiplier]` → `[…, in·multiplier]`. */
const depthwiseKernel = /* @__PURE__ */ defineKernel<{ x: Tensor; filter: Tensor }, ConvAttributes>({
  name: "DepthwiseConv2D",
  stock: { kernel: "DepthwiseConv2dNative", attrs: stockAttributes },
  implementations: {
    cpu: depthwiseOnHost,
    wasm: (call) => depthwiseWasm(call) ?? depthwiseOnHost(call),
    webgpu: (call) => depthwiseWebgpu(call),
  },
  saves: ["x", "filter"],
  gradient: depthwiseGradient,
});

const depthwiseInputKernel = /* @__PURE__ */ defineKernel<
  { dy: Tensor; filter: Tensor },
  ConvInputAttributes
>({
  name: "DepthwiseConv2DBackpropInput",
  implementations: {
    cpu: depthwiseInputOnHost,
    wasm: (call) => depthwiseInputWasm(call) ?? depthwiseInputOnHost(call),
    webgpu: (call) => depthwiseInputWebgpu(call),
  },
  saves: ["dy", "filter"],
  gradient: depthwiseInputGradient,
});

const depthwiseFilterKernel = /* @__PURE__ */ defineKernel<{ x: Tensor; dy: Tensor }, ConvFilterAttributes>({
  name: "DepthwiseConv2DBackpropFilter",
  implementations: {
    cpu: depthwiseFilterOnHost,
    wasm: (call) => depthwiseFilterWasm(call) ?? depthwiseFilterOnHost(call),
    webgpu: (call) => depthwiseFilterWebgpu(call),
  },
  saves: ["x", "dy"],
  gradient: depthwiseFilterGradient,
});

/** @internal */
export function convolve(x: Tensor, filter: Tensor, attributes: ConvAttributes): Tensor {
  return convKernel({ x, filter }, attributes);
}

/** @internal */
export function convolveInput(dy: Tensor, filter: Tensor, attributes: ConvInputAttributes): Tensor {
  return convInputKernel({ dy, filter }, attributes);
}

/** @internal */
export function convolveFilter(x: Tensor, dy: Tensor, attributes: ConvFilterAttributes): Tensor {
  return convFilterKernel({ x, dy }, attributes);
}

/** @internal */
export function depthwise(x: Tensor, filter: Tensor, attributes: ConvAttributes): Tensor {
  return depthwiseKernel({ x, filter }, attributes);
}

/** @internal */
export function depthwiseInput(dy: Tensor, filter: Tensor, attributes: ConvInputAttributes): Tensor {
  return depthwiseInputKernel({ dy, filter }, attributes);
}

/** @internal */
export function depthwiseFilter(x: Tensor, dy: Tensor, attributes: ConvFilterAttributes): Tensor {
  return depthwiseFilterKernel({ x, dy }, attributes);
}

/**
 * tfjs's gradients know no dilation. In x the gradient is a convolution of dy, spread by the stride, with the
 * flipped filter, whose taps keep their distance. @returns null without dilation: the stock kernel runs.
 */
function dilatedInput({ inputs, attrs }: KernelCall<ConvInputAttributes>): Tensor | null {
  if (!isDilated(attrs)) return null;
  const { strides, padding, dilations, inputShape } = attrs;
  const { dy, filter } = inputs;
  return tidy(() => {
    const reach = [0, 1].map((axis) => dilations[axis] * (filter.shape[axis] - 1));
    const spread = spreadBy(dy, strides); // [batch, (outHeight − 1)·stride + 1, …, out]
    const wanted = [0, 1].map((axis): [number, number] => {
      const before = reach[axis] - padding[axis][0];
      return [before, inputShape[axis + 1] + reach[axis] - before - (spread.shape as number[])[axis + 1]];
    });
    const turned = transpose(flipped(filter), [0, 1, 3, 2]); // [kernelHeight, kernelWidth, out, in]
    const { x, padding: rest } = cropped(spread, wanted);
    return convolve(x, turned, { strides: [1, 1], padding: rest, dilations });
  });
}

/**
 * In the filter the gradient is a convolution of x with dy as filter, channels and batch changing places, where
 * stride and dilation change places too. @returns null without dilation: the stock kernel runs.
 */
function dilatedFilter({ inputs, attrs }: KernelCall<ConvFilterAttributes>): Tensor | null {
  if (!isDilated(attrs)) return null;
  const { strides, padding, dilations, filterShape } = attrs;
  return tidy(() => {
    const columns = transpose(inputs.x, [3, 1, 2, 0]); // [in, height, width, batch]
    const taps = transpose(inputs.dy, [1, 2, 0, 3]); // [outHeight, outWidth, batch, out]
    const wanted = [0, 1].map((axis): [number, number] => {
      const covered =
        dilations[axis] * (filterShape[axis] - 1) + strides[axis] * ((taps.shape as number[])[axis] - 1) + 1;
      return [padding[axis][0], covered - columns.shape[axis + 1] - padding[axis][0]];
    });
    const { x, padding: rest } = cropped(columns, wanted);
    const gradient = convolve(x, taps, { strides: dilations, padding: rest, dilations: strides });
    return transpose(gradient, [1, 2, 0, 3]); // [kernelHeight, kernelWidth, in, out]
  });
}

/** A filter turned by half a turn. */
function flipped(filter: Tensor): Tensor {
  const shape: number[] = filter.shape;
  return takeStrided(filter, {
    begin: [shape[0] - 1, shape[1] - 1, 0, 0],
    strides: [-1, -1, 1, 1],
    size: shape,
  });
}

/** Zeros between the cells of the spatial axes. */
function spreadBy(x: Tensor, strides: readonly number[]): Tensor {
  if (strides.every((stride) => stride === 1)) return x;
  const [batch, height, width, channels] = x.shape;
  const shape = [batch, (height - 1) * strides[0] + 1, (width - 1) * strides[1] + 1, channels];
  return place(x, { shape, begin: [0, 0, 0, 0], strides: [1, strides[0], strides[1], 1], value: 0 });
}

/** Cuts cells off where a padding is negative; what is left of the paddings is not. */
function cropped(x: Tensor, padding: [number, number][]): { x: Tensor; padding: [number, number][] } {
  const rest = padding.map(([before, after]): [number, number] => [Math.max(0, before), Math.max(0, after)]);
  if (padding.every(([before, after]) => before >= 0 && after >= 0)) return { x, padding: rest };
  const begin = [0, ...padding.map(([before]) => Math.max(0, -before)), 0];
  const end = [0, ...padding.map(([, after]) => Math.max(0, -after)), 0];
  const size = x.shape.map((length, axis) => length - begin[axis] - end[axis]);
  return { x: takeStrided(x, { begin, strides: [1, 1, 1, 1], size }), padding: rest };
}
