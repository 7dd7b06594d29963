import { backend_util, type TensorInfo } from "@tensorflow/tfjs-core";
import { sizeOf } from "../../../shape.js";
import type { WasmBackend } from "../backend.js";
import type { WasmCall, WasmKernels } from "./kernel.js";
import { applyActivation, type Fused, knowsActivation } from "./matmul.js";
import { FUSED_ACTIVATIONS, multiply, multiplyDeep, SOURCE } from "./product.js";

type Geometry = backend_util.Conv2DInfo;

interface ConvolutionAttributes {
  readonly strides: [number, number] | number;
  readonly pad: "valid" | "same" | number | backend_util.ExplicitPadding;
  readonly dataFormat: "NHWC" | "NCHW";
  readonly dilations?: [number, number] | number;
  readonly dimRoundingMode?: "floor" | "round" | "ceil";
}

/** The geometry of a convolution; undefined for layouts and sizes that the fallback takes. */
function geometryOf(
  inputShape: number[],
  filterShape: number[],
  attributes: ConvolutionAttributes,
): Geometry | undefined {
  const { strides, pad, dataFormat, dilations = 1, dimRoundingMode } = attributes;
  const geometry = backend_util.computeConv2DInfo(
    inputShape as [number, number, number, number],
    filterShape as [number, number, number, number],
    strides,
    dilations,
    pad,
    dimRoundingMode,
    false,
    backend_util.convertConv2DDataFormat(dataFormat),
  );
  const empty = sizeOf(inputShape) * sizeOf(filterShape) * sizeOf(geometry.outShape) === 0;
  const grouped = geometry.inChannels !== filterShape[2];
  return geometry.dataFormat === "channelsLast" && !empty && !grouped ? geometry : undefined;
}

function setGeometry(backend: WasmBackend, image: number, geometry: Geometry, channels: number): void {
  backend.exports.setConvolution(
    image,
    geometry.inHeight,
    geometry.inWidth,
    channels,
    geometry.outHeight,
    geometry.outWidth,
    geometry.filterHeight,
    geometry.filterWidth,
    geometry.strideHeight,
    geometry.strideWidth,
    geometry.padInfo.top,
    geometry.padInfo.left,
    geometry.dilationHeight,
    geometry.dilationWidth,
  );
}

/** A 1×1 filter that visits every pixel: a plain matrix product. */
function isPointwise({ filterHeight, filterWidth, strideHeight, strideWidth, padInfo }: Geometry): boolean {
  const { top, bottom, left, right } = padInfo;
  return (
    filterHeight * filterWidth * strideHeight * strideWidth === 1 &&
    top === 0 &&
    bottom === 0 &&
    left === 0 &&
    right === 0
  );
}

function convolve(
  backend: WasmBackend,
  x: TensorInfo,
  filter: TensorInfo,
  attributes: ConvolutionAttributes,
  fused: Fused,
): TensorInfo | null {
  if (!backend.isFloat32(x) || !backend.isFloat32(filter) || !knowsActivation(fused.activation)) return null;
  const { bias } = fused;
  if (bias !== undefined && (sizeOf(bias.shape) !== filter.shape[3] || !backend.isFloat32(bias))) return null;
  const geometry = geometryOf(x.shape, filter.shape, attributes);
  if (geometry === undefined) return null;
  const image = backend.pointer(x);
  const addresses = { b: backend.pointer(filter), bias: bias === undefined ? 0 : backend.pointer(bias) };
  const output = backend.allocateOutput(geometry.outShape);
  const pointwise = isPointwise(geometry);
  if (!pointwise) setGeometry(backend, image, geometry, geometry.inChannels);
  multiply(
    backend,
    {
      a: image,
      ...addresses,
      c: backend.pointer(output),
      rows: geometry.batchSize * geometry.outHeight * geometry.outWidth,
      columns: geometry.outChannels,
      depth: geometry.filterHeight * geometry.filterWidth * geometry.inChannels,
      activation: FUSED_ACTIVATIONS[fused.activation] ?? 0,
      source: pointwise ? SOURCE.matrix : SOURCE.patches,
    },
    filter,
  );
  return applyActivation(backend, output, fused);
}

function conv2d({ inputs, attrs, backend }: WasmCall): TensorInfo | null {
  return convolve(backend, inputs.x, inputs.filter, attrs as unknown as ConvolutionAttributes, {
    activation: "linear",
  });
}

function fusedConv2d({ inputs, attrs, backend }: WasmCall): TensorInfo | null {
  const { x, filter, bias, preluActivationWeights } = inputs;
  const { activation, leakyreluAlpha } = attrs as unknown as Fused;
  if (bias !== undefined && bias.shape.length > 1) return null;
  return convolve(backend, x, filter, attrs as unknown as ConvolutionAttributes, {
    bias,
    activation: activation ?? "linear",
    preluActivationWeights,
    leakyreluAlpha,
  });
}

/** Each input pixel gathers the output gradients that it took part in, times the filter. */
function inputGradient({ inputs, attrs, backend }: WasmCall): TensorInfo | null {
  const { dy, filter } = inputs;
  const attributes = attrs as unknown as ConvolutionAttributes & { inputShape: number[] };
  if (!backend.isFloat32(dy) || !backend.isFloat32(filter)) return null;
  const geometry = geometryOf(attributes.inputShape, filter.shape, attributes);
  if (geometry === undefined || !matches(dy, geometry)) return null;
  const gradient = backend.pointer(dy);
  const b = backend.pointer(filter);
  const output = backend.allocateOutput(geometry.inShape);
  const common = {
    b,
    c: backend.pointer(output),
    rows: geometry.batchSize * geometry.inHeight * geometry.inWidth,
    columns: geometry.inChannels,
  };
  if (isPointwise(geometry)) {
    multiply(backend, { a: gradient, ...common, depth: geometry.outChannels, transposeB: true }, filter);
    return output;
  }
  setGeometry(backend, gradient, geometry, geometry.outChannels);
  multiply(
    backend,
    {
      a: gradient,
      ...common,
      depth: geometry.filterHeight * geometry.filterWidth * geometry.outChannels,
      source: SOURCE.scattered,
      filterChannels: geometry.outChannels,
    },
    filter,
  );
  return output;
}

/** The patches, transposed, times the output gradients. */
function filterGradient({ inputs, attrs, backend }: WasmCall): TensorInfo | null {
  const { x, dy } = inputs;
  const attributes = attrs as unknown as ConvolutionAttributes & { filterShape: number[] };
  if (!backend.isFloat32(x) || !backend.isFloat32(dy)) return null;
  const geometry = geometryOf(x.shape, attributes.filterShape, attributes);
  if (geometry === undefined || !matches(dy, geometry)) return null;
  const image = backend.pointer(x);
  const b = backend.pointer(dy);
  const output = backend.allocateOutput(geometry.filterShape);
  const pointwise = isPointwise(geometry);
  if (!pointwise) setGeometry(backend, image, geometry, geometry.inChannels);
  multiplyDeep(backend, {
    a: image,
    b,
    c: backend.pointer(output),
    rows: geometry.filterHeight * geometry.filterWidth * geometry.inChannels,
    columns: geometry.outChannels,
    depth: geometry.batchSize * geometry.outHeight * geometry.outWidth,
    transposeA: pointwise,
    source: pointwise ? SOURCE.matrix : SOURCE.patchesTransposed,
  });
  return output;
}

function matches(dy: TensorInfo, { outShape }: Geometry): boolean {
  return dy.shape.every((length, axis) => length === outShape[axis]);
}

export const CONVOLUTION_KERNELS: WasmKernels = {
  Conv2D: conv2d,
  FusedConv2D: fusedConv2d,
  Conv2DBackpropInput: inputGradient,
  Conv2DBackpropFilter: filterGradient,
};
