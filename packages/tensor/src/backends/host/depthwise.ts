import type { KernelCall } from "../../kernels/define-kernel.js";
import type { ConvAttributes, ConvFilterAttributes, ConvInputAttributes } from "../../ops/conv-kernels.js";
import { convOutputShape } from "../../ops/conv-kernels.js";
import { type Shape, sizeOf } from "../../shape.js";
import { hostResult, valuesOf } from "./values.js";

/**
 * Visits every pair of an output cell and a filter tap that meets the input, with the offsets of channel 0 of each.
 * @param x `[batch, height, width, channels]` @param filter `[kernelHeight, kernelWidth, channels, multiplier]`
 */
function forEachTap(
  x: Shape,
  filter: Shape,
  y: Shape,
  { strides, padding, dilations }: ConvAttributes,
  visit: (xOffset: number, filterOffset: number, yOffset: number) => void,
): void {
  const [batch, height, width, channels] = x;
  const [kernelHeight, kernelWidth, , multiplier] = filter;
  const [, outHeight, outWidth] = y;
  const outChannels = channels * multiplier;
  for (let n = 0; n < batch; n++)
    for (let row = 0; row < outHeight; row++)
      for (let tapRow = 0; tapRow < kernelHeight; tapRow++) {
        const inRow = row * strides[0] + tapRow * dilations[0] - padding[0][0];
        if (inRow < 0 || inRow >= height) continue;
        for (let column = 0; column < outWidth; column++)
          for (let tapColumn = 0; tapColumn < kernelWidth; tapColumn++) {
            const inColumn = column * strides[1] + tapColumn * dilations[1] - padding[1][0];
            if (inColumn < 0 || inColumn >= width) continue;
            visit(
              ((n * height + inRow) * width + inColumn) * channels,
              (tapRow * kernelWidth + tapColumn) * outChannels,
              ((n * outHeight + row) * outWidth + column) * outChannels,
            );
          }
      }
}

/** `ai/DepthwiseConv2D` on the host. */
export function depthwiseOnHost({ inputs, attrs, backend }: KernelCall<ConvAttributes>) {
  const { x, filter } = inputs;
  const [, , channels, multiplier] = filter.shape;
  const shape = convOutputShape(x.shape, filter.shape, attrs, channels * multiplier);
  const values = new Float32Array(sizeOf(shape));
  const from = valuesOf(backend, x);
  const weights = valuesOf(backend, filter);
  forEachTap(x.shape, filter.shape, shape, attrs, (xOffset, filterOffset, yOffset) => {
    let k = 0;
    for (let c = 0; c < channels; c++)
      for (let m = 0; m < multiplier; m++, k++)
        values[yOffset + k] += from[xOffset + c] * weights[filterOffset + k];
  });
  return hostResult(backend, shape, "float32", values);
}

/** `ai/DepthwiseConv2DBackpropInput` on the host. */
export function depthwiseInputOnHost({ inputs, attrs, backend }: KernelCall<ConvInputAttributes>) {
  const { dy, filter } = inputs;
  const [, , channels, multiplier] = filter.shape;
  const values = new Float32Array(sizeOf(attrs.inputShape));
  const from = valuesOf(backend, dy);
  const weights = valuesOf(backend, filter);
  forEachTap(attrs.inputShape, filter.shape, dy.shape, attrs, (xOffset, filterOffset, yOffset) => {
    let k = 0;
    for (let c = 0; c < channels; c++)
      for (let m = 0; m < multiplier; m++, k++)
        values[xOffset + c] += from[yOffset + k] * weights[filterOffset + k];
  });
  return hostResult(backend, attrs.inputShape, "float32", values);
}

/** `ai/DepthwiseConv2DBackpropFilter` on the host. */
export function depthwiseFilterOnHost({ inputs, attrs, backend }: KernelCall<ConvFilterAttributes>) {
  const { x, dy } = inputs;
  const [, , channels, multiplier] = attrs.filterShape;
  const sums = new Float64Array(sizeOf(attrs.filterShape)); // many terms each: float32 sums would lose digits
  const from = valuesOf(backend, x);
  const gradient = valuesOf(backend, dy);
  forEachTap(x.shape, attrs.filterShape, dy.shape, attrs, (xOffset, filterOffset, yOffset) => {
    let k = 0;
    for (let c = 0; c < channels; c++)
      for (let m = 0; m < multiplier; m++, k++)
        sums[filterOffset + k] += from[xOffset + c] * gradient[yOffset + k];
  });
  return hostResult(backend, attrs.filterShape, "float32", Float32Array.from(sums));
}
