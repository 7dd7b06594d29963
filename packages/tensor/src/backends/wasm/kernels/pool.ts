import { backend_util, type TensorInfo } from "@tensorflow/tfjs-core";
import { sameShape, sizeOf } from "../../../shape.js";
import type { WasmBackend } from "../backend.js";
import type { WasmCall, WasmKernels } from "./kernel.js";

/** Windows over height and width of images `[batch, height, width, channels]`; one entry an axis. */
export interface PoolGeometry {
  readonly inputSize: readonly number[];
  readonly outputSize: readonly number[];
  readonly kernelSize: readonly number[];
  readonly strides: readonly number[];
  /** Cells before the image. */
  readonly padding: readonly number[];
  readonly dilations: readonly number[];
}

/** Hands the geometry to the pooling kernels. */
export function setPool(backend: WasmBackend, geometry: PoolGeometry, channels: number): void {
  const { inputSize, outputSize, kernelSize, strides, padding, dilations } = geometry;
  backend.exports.setConvolution(
    0,
    inputSize[0],
    inputSize[1],
    channels,
    outputSize[0],
    outputSize[1],
    kernelSize[0],
    kernelSize[1],
    strides[0],
    strides[1],
    padding[0],
    padding[1],
    dilations[0],
    dilations[1],
  );
}

interface PoolAttributes {
  readonly filterSize: [number, number] | number;
  readonly strides: [number, number] | number;
  readonly pad: "valid" | "same" | number | backend_util.ExplicitPadding;
  readonly dimRoundingMode?: "floor" | "round" | "ceil";
}

/** tfjs's geometry as ours; undefined when nothing is left to compute. */
function geometryOf(
  shape: number[],
  { filterSize, strides, pad, dimRoundingMode }: PoolAttributes,
): PoolGeometry | undefined {
  const info = backend_util.computePool2DInfo(
    shape as [number, number, number, number],
    filterSize,
    strides,
    1,
    pad,
    dimRoundingMode,
  );
  const copies = info.filterHeight * info.filterWidth === 1 && sameShape(shape, info.outShape);
  // tfjs takes a window of one cell for a copy, even where its stride and padding say otherwise
  if (copies || sizeOf(shape) * sizeOf(info.outShape) === 0) return undefined;
  return {
    inputSize: [info.inHeight, info.inWidth],
    outputSize: [info.outHeight, info.outWidth],
    kernelSize: [info.filterHeight, info.filterWidth],
    strides: [info.strideHeight, info.strideWidth],
    padding: [info.padInfo.top, info.padInfo.left],
    dilations: [1, 1],
  };
}

function withChannels(shape: readonly number[], { outputSize }: PoolGeometry): number[] {
  return [shape[0], ...outputSize, shape[3]];
}

function forward(kind: "maxPool" | "averagePool") {
  return ({ inputs: { x }, attrs, backend }: WasmCall): TensorInfo | null => {
    if (!backend.isFloat32(x)) return null;
    const geometry = geometryOf(x.shape, attrs as unknown as PoolAttributes);
    if (geometry === undefined) return null;
    const source = backend.pointer(x);
    const output = backend.allocateOutput(withChannels(x.shape, geometry));
    setPool(backend, geometry, x.shape[3]);
    // 0: tfjs passes NaN over, and does not count padding
    backend.exports[kind](source, backend.pointer(output), x.shape[0], 0);
    return output;
  };
}

function maxPoolGradient({ inputs: { dy, input }, attrs, backend }: WasmCall): TensorInfo | null {
  if (!backend.isFloat32(dy) || !backend.isFloat32(input)) return null;
  const geometry = geometryOf(input.shape, attrs as unknown as PoolAttributes);
  if (geometry === undefined) return null;
  const [gradient, source] = [backend.pointer(dy), backend.pointer(input)];
  const output = backend.allocateOutput(input.shape);
  setPool(backend, geometry, input.shape[3]);
  backend.exports.maxPoolGradient(gradient, source, backend.pointer(output), input.shape[0], 0);
  return output;
}

function averagePoolGradient({ inputs: { dy, input }, attrs, backend }: WasmCall): TensorInfo | null {
  if (!backend.isFloat32(dy)) return null;
  const geometry = geometryOf(input.shape, attrs as unknown as PoolAttributes);
  // tfjs divides the gradient by the whole window, padding included
  if (geometry === undefined || geometry.padding.some((cells) => cells > 0) || overhangs(geometry))
    return null;
  const gradient = backend.pointer(dy);
  const output = backend.allocateOutput(input.shape);
  setPool(backend, geometry, input.shape[3]);
  backend.exports.averagePoolGradient(gradient, backend.pointer(output), input.shape[0], 0);
  return output;
}

/** Whether a last window reaches beyond the image. */
function overhangs({ inputSize, outputSize, kernelSize, strides }: PoolGeometry): boolean {
  return inputSize.some((length, axis) => (outputSize[axis] - 1) * strides[axis] + kernelSize[axis] > length);
}

export const POOL_KERNELS: WasmKernels = {
  MaxPool: forward("maxPool"),
  AvgPool: forward("averagePool"),
  MaxPoolGrad: maxPoolGradient,
  AvgPoolGrad: averagePoolGradient,
};
