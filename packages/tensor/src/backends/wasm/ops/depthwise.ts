import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { KernelCall } from "../../../kernels/define-kernel.js";
import type { ConvAttributes, ConvFilterAttributes, ConvInputAttributes } from "../../../ops/conv-kernels.js";
import { convOutputShape } from "../../../ops/conv-kernels.js";
import { type Shape, sizeOf } from "../../../shape.js";
import type { WasmBackend } from "../backend.js";
import { setPool } from "../kernels/pool.js";

/** Hands the geometry to the kernels. */
function setDepthwise(wasm: WasmBackend, x: Shape, filter: Shape, y: Shape, attrs: ConvAttributes): void {
  setPool(
    wasm,
    {
      inputSize: x.slice(1, 3),
      outputSize: y.slice(1, 3),
      kernelSize: filter.slice(0, 2),
      strides: attrs.strides,
      padding: attrs.padding.map(([before]) => before),
      dilations: attrs.dilations,
    },
    x[3],
  );
}

/** Whether the kernels take it: floats, one filter a channel, no padding that cuts, and something to compute. */
function isServed(
  wasm: WasmBackend,
  floats: readonly TensorInfo[],
  filter: Shape,
  attrs: ConvAttributes,
): boolean {
  const cuts = attrs.padding.some(([before]) => before < 0);
  return (
    !cuts && filter[3] === 1 && floats.every((tensor) => wasm.isFloat32(tensor) && sizeOf(tensor.shape) > 0)
  );
}

/** `ai/DepthwiseConv2D` in WebAssembly, with one filter a channel. */
export function depthwiseWasm({
  inputs: { x, filter },
  attrs,
  backend,
}: KernelCall<ConvAttributes>): TensorInfo | null {
  const wasm = backend as WasmBackend;
  const [, , , channels]: readonly number[] = x.shape;
  const shape = convOutputShape(x.shape, filter.shape, attrs, channels);
  if (!isServed(wasm, [x, filter], filter.shape, attrs) || sizeOf(shape) === 0) return null;
  const [source, taps] = [wasm.pointer(x), wasm.pointer(filter)];
  const output = wasm.allocateOutput(shape);
  setDepthwise(wasm, x.shape, filter.shape, shape, attrs);
  wasm.exports.depthwise(source, taps, wasm.pointer(output), shape[0]);
  return output;
}

/** `ai/DepthwiseConv2DBackpropInput` in WebAssembly. */
export function depthwiseInputWasm({
  inputs: { dy, filter },
  attrs,
  backend,
}: KernelCall<ConvInputAttributes>): TensorInfo | null {
  const wasm = backend as WasmBackend;
  const { inputShape } = attrs;
  if (!isServed(wasm, [dy, filter], filter.shape, attrs) || sizeOf(inputShape) === 0) return null;
  const [gradient, taps] = [wasm.pointer(dy), wasm.pointer(filter)];
  const output = wasm.allocateOutput(inputShape);
  setDepthwise(wasm, inputShape, filter.shape, dy.shape, attrs);
  wasm.exports.depthwiseInputGradient(gradient, taps, wasm.pointer(output), inputShape[0]);
  return output;
}

/** `ai/DepthwiseConv2DBackpropFilter` in WebAssembly. */
export function depthwiseFilterWasm({
  inputs: { x, dy },
  attrs,
  backend,
}: KernelCall<ConvFilterAttributes>): TensorInfo | null {
  const wasm = backend as WasmBackend;
  const { filterShape } = attrs;
  if (!isServed(wasm, [x, dy], filterShape, attrs) || sizeOf(filterShape) === 0) return null;
  const [source, gradient] = [wasm.pointer(x), wasm.pointer(dy)];
  const output = wasm.allocateOutput(filterShape);
  setDepthwise(wasm, x.shape, filterShape, dy.shape, attrs);
  wasm.exports.depthwiseFilterGradient(source, gradient, wasm.pointer(output), x.shape[0]);
  return output;
}
