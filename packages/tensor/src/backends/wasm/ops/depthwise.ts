import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { KernelCall } from "../../../kernels/define-kernel.js";
import type { ConvAttributes, ConvFilterAttributes, ConvInputAttributes } from "../../../ops/conv-kernels.js";
import { convOutputShape } from "../../../ops/conv-kernels.js";
import { type Shape, sizeOf } from "../../../shape.js";
import type { WasmBackend } from "../backend.js";
import { setPool } from "../kernels/pool.js";
import { REDUCTION } from "../kernels/reduce.js";

/** Most taps of a filter: a pixel's list of them lies in a thread's working memory. */
const MOST_TAPS = 16384;

/** Hands the geometry to the kernels: of an image `x` with a filter for each of `channels`. */
function setDepthwise(
  wasm: WasmBackend,
  { x, filter, y }: { x: Shape; filter: Shape; y: Shape },
  attrs: ConvAttributes,
): void {
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
    filter[2] * filter[3],
  );
}

/** Whether the kernels take it: floats, and something to compute. */
function isServed(wasm: WasmBackend, floats: readonly TensorInfo[], filter: Shape, shape: Shape): boolean {
  return (
    filter[0] * filter[1] <= MOST_TAPS &&
    sizeOf(shape) > 0 &&
    floats.every((tensor) => wasm.isFloat32(tensor) && sizeOf(tensor.shape) > 0)
  );
}

/** Bytes of a filter in packed form: blocks of four channels. */
function packedBytes([height, width, channels, multiplier]: Shape): number {
  return Math.ceil((channels * multiplier) / 4) * height * width * 16;
}

/** Working memory: `own` bytes, then an image `[…, channels · multiplier]` where several filters share a channel. */
function workspace(wasm: WasmBackend, own: number, image: Shape, multiplier: number) {
  const start = wasm.scratch(own + (multiplier > 1 ? sizeOf(image) * multiplier * 4 : 0));
  return { start, wide: start + own };
}

/** The image that the kernels read: `x` itself, or each channel as often as it has filters. */
function widened(wasm: WasmBackend, x: TensorInfo, multiplier: number, wide: number): number {
  const source = wasm.pointer(x);
  if (multiplier === 1) return source;
  wasm.exports.repeatChannels(source, wide, sizeOf(x.shape), multiplier);
  return wide;
}

/** `act(depthwise(x, filter) + bias)`; null for what the host takes. @param activation A product's flags. */
export function depthwiseFused(
  wasm: WasmBackend,
  { x, filter, bias }: { x: TensorInfo; filter: TensorInfo; bias?: TensorInfo },
  attrs: ConvAttributes,
  activation: number,
): TensorInfo | null {
  const [height, width, channels, multiplier] = filter.shape;
  const shape = convOutputShape(x.shape, [height, width], attrs, channels * multiplier);
  const floats = bias === undefined ? [x, filter] : [x, filter, bias];
  if (!isServed(wasm, floats, filter.shape, shape)) return null;
  const [taps, offsets] = [wasm.pointer(filter), bias === undefined ? 0 : wasm.pointer(bias)];
  const output = wasm.allocateOutput(shape);
  const { start, wide } = workspace(wasm, packedBytes(filter.shape), x.shape, multiplier);
  const source = widened(wasm, x, multiplier, wide);
  setDepthwise(wasm, { x: x.shape, filter: filter.shape, y: shape }, attrs);
  wasm.exports.depthwise(source, taps, wasm.pointer(output), shape[0], start, 0, offsets, activation);
  return output;
}

/** `ai/DepthwiseConv2D` in WebAssembly. */
export function depthwiseWasm({
  inputs: { x, filter },
  attrs,
  backend,
}: KernelCall<ConvAttributes>): TensorInfo | null {
  return depthwiseFused(backend as WasmBackend, { x, filter }, attrs, 0);
}

/** `ai/DepthwiseConv2DBackpropInput` in WebAssembly. */
export function depthwiseInputWasm({
  inputs: { dy, filter },
  attrs,
  backend,
}: KernelCall<ConvInputAttributes>): TensorInfo | null {
  const wasm = backend as WasmBackend;
  const { inputShape, strides, padding, dilations } = attrs;
  if (!isServed(wasm, [dy, filter], filter.shape, inputShape)) return null;
  const [gradient, taps] = [wasm.pointer(dy), wasm.pointer(filter)];
  const multiplier = (filter.shape as number[])[3];
  const output = wasm.allocateOutput(inputShape);
  const { start, wide } = workspace(wasm, packedBytes(filter.shape), inputShape, multiplier);
  const target = multiplier === 1 ? wasm.pointer(output) : wide;
  if (strides.every((stride) => stride === 1)) {
    // a convolution of dy with the turned filter
    const around = padding.map(([before], axis): [number, number] => {
      const reach = dilations[axis] * (filter.shape[axis] - 1) - before;
      return [reach, reach];
    });
    setDepthwise(
      wasm,
      { x: dy.shape, filter: filter.shape, y: inputShape },
      { strides, dilations, padding: around },
    );
    wasm.exports.depthwise(gradient, taps, target, inputShape[0], start, 1, 0, 0);
  } else {
    setDepthwise(wasm, { x: inputShape, filter: filter.shape, y: dy.shape }, attrs);
    wasm.exports.depthwiseInputGradient(gradient, taps, target, inputShape[0], start);
  }
  if (multiplier > 1)
    wasm.exports.reduceRows(REDUCTION.Sum, target, wasm.pointer(output), sizeOf(inputShape), multiplier);
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
  if (!isServed(wasm, [x, dy], filterShape, filterShape)) return null;
  const gradient = wasm.pointer(dy);
  const output = wasm.allocateOutput(filterShape);
  setDepthwise(wasm, { x: x.shape, filter: filterShape, y: dy.shape }, attrs);
  const sums = wasm.exports.depthwiseParts(x.shape[0]) * packedBytes(filterShape) * 2; // doubles
  const { start, wide } = workspace(wasm, sums, x.shape, filterShape[3]);
  const source = widened(wasm, x, filterShape[3], wide);
  wasm.exports.depthwiseFilterGradient(source, gradient, wasm.pointer(output), x.shape[0], start);
  return output;
}
