import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { KernelCall } from "../../../kernels/define-kernel.js";
import type { FusedConvAttributes } from "../../../ops/conv-fused.js";
import type { Grouped } from "../../../ops/conv-grouped.js";
import type { ConvAttributes, ConvFilterAttributes, ConvInputAttributes } from "../../../ops/conv-kernels.js";
import type { WasmBackend } from "../backend.js";
import {
  type ConvolutionAttributes,
  convolve,
  filterGradient,
  inputGradient,
} from "../kernels/convolution.js";
import { FUSED_ACTIVATIONS } from "../kernels/product.js";
import { depthwiseFused } from "./depthwise.js";

/** Our attributes as tfjs's, which the engine's own kernels read, with groups. */
function stockAttributes<Attributes extends Grouped<ConvAttributes>>({ padding, ...rest }: Attributes) {
  const around: [number, number][] = [[0, 0], ...padding, [0, 0]];
  return { ...rest, pad: around, dataFormat: "NHWC", dimRoundingMode: "floor" } as unknown as Omit<
    Attributes,
    "padding"
  > &
    ConvolutionAttributes;
}

/** `ai/GroupedConv2D` in WebAssembly. */
export function groupedWasm({
  inputs: { x, filter },
  attrs,
  backend,
}: KernelCall<Grouped<ConvAttributes>>): TensorInfo | null {
  return convolve(backend as WasmBackend, x, filter, stockAttributes(attrs), { activation: "linear" });
}

/** `ai/GroupedConv2DBackpropInput` in WebAssembly. */
export function groupedInputWasm({ inputs, attrs, backend }: KernelCall<Grouped<ConvInputAttributes>>) {
  return inputGradient({ inputs, attrs: { ...stockAttributes(attrs) }, backend: backend as WasmBackend });
}

/** `ai/GroupedConv2DBackpropFilter` in WebAssembly. */
export function groupedFilterWasm({ inputs, attrs, backend }: KernelCall<Grouped<ConvFilterAttributes>>) {
  return filterGradient({ inputs, attrs: { ...stockAttributes(attrs) }, backend: backend as WasmBackend });
}

/** `ai/FusedConv2D` in WebAssembly: bias and activation before the result leaves the cache. */
export function convFusedWasm({
  inputs,
  attrs,
  backend,
}: KernelCall<FusedConvAttributes>): TensorInfo | TensorInfo[] | null {
  const wasm = backend as WasmBackend;
  const { x, filter } = inputs;
  const bias = inputs.bias as TensorInfo | undefined;
  const { activation: name = "linear", ...rest } = attrs;
  if (attrs.groups === 1 || (filter.shape as number[])[2] > 1)
    return convolve(wasm, x, filter, stockAttributes(rest), { bias, activation: name });
  const [height, width, , out] = filter.shape;
  const { groups, strides, padding, dilations } = attrs;
  const taps = {
    dataId: filter.dataId,
    dtype: filter.dtype,
    shape: [height, width, groups, out / groups],
  };
  return depthwiseFused(
    wasm,
    { x, filter: taps, bias },
    { strides, padding, dilations },
    FUSED_ACTIVATIONS[name],
  );
}
