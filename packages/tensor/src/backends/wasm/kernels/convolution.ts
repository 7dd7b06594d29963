import { backend_util, type TensorInfo } from "@tensorflow/tfjs-core";
import { sizeOf } from "../../../shape.js";
import type { WasmBackend } from "../backend.js";
import type { WasmCall, WasmKernels } from "./kernel.js";
import { copyBlock } from "./layout.js";
import { applyActivation, type Fused, knowsActivation } from "./matmul.js";
import {
  FUSED_ACTIVATIONS,
  multiply,
  multiplyDeep,
  type Product,
  packedBytes,
  SOURCE,
  setProduct,
} from "./product.js";
import { stridedInputGradient } from "./strided-gradient.js";

type Geometry = backend_util.Conv2DInfo;

const FLOAT_BYTES = 4;

export interface ConvolutionAttributes {
  readonly strides: [number, number] | number;
  readonly pad: "valid" | "same" | number | backend_util.ExplicitPadding;
  readonly dataFormat: "NHWC" | "NCHW";
  readonly dilations?: [number, number] | number;
  readonly dimRoundingMode?: "floor" | "round" | "ceil";
  /** Groups of channels that do not see each other; tfjs has none. Default 1. */
  readonly groups?: number;
}

/** The geometry of a convolution; undefined for layouts and sizes that the fallback takes. */
function geometryOf(
  inputShape: number[],
  filterShape: number[],
  attributes: ConvolutionAttributes,
): Geometry | undefined {
  const { strides, pad, dataFormat, dilations = 1, dimRoundingMode, groups = 1 } = attributes;
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
  const fits = geometry.inChannels === filterShape[2] * groups;
  return geometry.dataFormat === "channelsLast" && !empty && fits ? geometry : undefined;
}

/** Hands the geometry to the kernels: of an image whose pixels have `channels`, of which `each` are read. */
function setGeometry(
  backend: WasmBackend,
  image: number,
  geometry: Geometry,
  channels: number,
  each: number,
): void {
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
  if (each !== channels) backend.exports.setGroup(image, each);
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

/** Channels up to which patches are read in place. */
const DIRECT_CHANNELS = 3;
/** With more filters, a packed patch is read often enough to be worth it: 64 filters of 7×7×3 lose a tenth in place. */
const DIRECT_FILTERS = 32;
/** Working memory of a thread, as in runtime.ts. */
const SCRATCH_BYTES = 256 * 1024;
/** Depth that one packed block of a filter has: DEPTH_LIMIT of wasm/gemm.ts. */
const BLOCK_DEPTH = 320;

/** Whether the kernels of wasm/conv-direct.ts take a convolution whose geometry has been set. */
function isDirect(backend: WasmBackend, geometry: Geometry, groups: number): boolean {
  const { inChannels, outChannels, filterHeight, filterWidth, dilationWidth } = geometry;
  return (
    groups === 1 &&
    inChannels <= DIRECT_CHANNELS &&
    dilationWidth === 1 &&
    filterHeight * filterWidth * inChannels <= BLOCK_DEPTH &&
    backend.exports.directBytes(outChannels) <= SCRATCH_BYTES
  );
}

/** The product behind a convolution of few channels: `[pixels, taps · in] · [taps · in, out]`. */
function directProduct(geometry: Geometry, b: number, c: number): Product {
  const { batchSize, outHeight, outWidth, outChannels, filterHeight, filterWidth, inChannels } = geometry;
  return {
    a: 0,
    b,
    c,
    rows: batchSize * outHeight * outWidth,
    columns: outChannels,
    depth: filterHeight * filterWidth * inChannels,
  };
}

/** `act(x ∗ filter + bias)`, by groups of channels. */
export function convolve(
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
  const { groups = 1 } = attributes;
  const { inChannels, outChannels } = geometry;
  const [channels, columns] = [inChannels / groups, outChannels / groups];
  const [image, taps] = [backend.pointer(x), backend.pointer(filter)];
  const offsets = bias === undefined ? 0 : backend.pointer(bias);
  const output = backend.allocateOutput(geometry.outShape);
  const target = backend.pointer(output);
  const pointwise = isPointwise(geometry);
  const readsInPlace = !pointwise && outChannels <= DIRECT_FILTERS;
  for (let group = 0; group < groups; group++) {
    const a = image + group * channels * FLOAT_BYTES;
    const shift = group * columns * FLOAT_BYTES;
    if (!pointwise) setGeometry(backend, a, geometry, inChannels, channels);
    multiply(
      backend,
      {
        a,
        b: taps + shift,
        c: target + shift,
        bias: offsets === 0 ? 0 : offsets + shift,
        rows: geometry.batchSize * geometry.outHeight * geometry.outWidth,
        columns,
        depth: geometry.filterHeight * geometry.filterWidth * channels,
        strideA: pointwise ? inChannels : undefined,
        strideB: outChannels,
        strideC: outChannels,
        activation: FUSED_ACTIVATIONS[fused.activation] ?? 0,
        source: pointwise ? SOURCE.matrix : SOURCE.patches,
        part: group,
        directBatch: readsInPlace && isDirect(backend, geometry, groups) ? geometry.batchSize : undefined,
      },
      filter,
    );
  }
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
export function inputGradient({ inputs, attrs, backend }: WasmCall): TensorInfo | null {
  const { dy, filter } = inputs;
  const attributes = attrs as unknown as ConvolutionAttributes & { inputShape: number[] };
  if (!backend.isFloat32(dy) || !backend.isFloat32(filter)) return null;
  const geometry = geometryOf(attributes.inputShape, filter.shape, attributes);
  if (geometry === undefined || !matches(dy, geometry)) return null;
  const { groups = 1 } = attributes;
  const { inChannels, outChannels } = geometry;
  const [channels, columns] = [outChannels / groups, inChannels / groups];
  const [gradient, taps] = [backend.pointer(dy), backend.pointer(filter)];
  const output = backend.allocateOutput(geometry.inShape);
  const target = backend.pointer(output);
  const pointwise = isPointwise(geometry);
  if (!pointwise) {
    setGeometry(backend, 0, geometry, inChannels, inChannels);
    if (isDirect(backend, geometry, groups)) {
      const run = geometry.filterWidth * inChannels;
      const memory = backend.scratch(geometry.filterHeight * packedBytes(run, outChannels));
      setProduct(backend, directProduct(geometry, taps, target), memory);
      backend.exports.directInputGradient(gradient, target, geometry.batchSize);
      return output;
    }
    if (geometry.strideHeight * geometry.strideWidth > 1) {
      stridedInputGradient(backend, { gradient, taps, target }, geometry, groups);
      return output;
    }
  }
  for (let group = 0; group < groups; group++) {
    const a = gradient + group * channels * FLOAT_BYTES;
    if (!pointwise) setGeometry(backend, a, geometry, outChannels, channels);
    multiply(
      backend,
      {
        a,
        b: taps + group * channels * FLOAT_BYTES,
        c: target + group * columns * FLOAT_BYTES,
        rows: geometry.batchSize * geometry.inHeight * geometry.inWidth,
        columns,
        strideA: pointwise ? outChannels : undefined,
        strideB: outChannels,
        strideC: inChannels,
        part: group,
        ...(pointwise
          ? { depth: channels, transposeB: true }
          : {
              depth: geometry.filterHeight * geometry.filterWidth * channels,
              source: SOURCE.scattered,
              filterChannels: channels,
            }),
      },
      filter,
    );
  }
  return output;
}

/** The patches, transposed, times the output gradients. */
export function filterGradient({ inputs, attrs, backend }: WasmCall): TensorInfo | null {
  const { x, dy } = inputs;
  const attributes = attrs as unknown as ConvolutionAttributes & { filterShape: number[] };
  if (!backend.isFloat32(x) || !backend.isFloat32(dy)) return null;
  const geometry = geometryOf(x.shape, attributes.filterShape, attributes);
  if (geometry === undefined || !matches(dy, geometry)) return null;
  const { groups = 1 } = attributes;
  const { inChannels, outChannels } = geometry;
  const [channels, columns] = [inChannels / groups, outChannels / groups];
  const [image, gradient] = [backend.pointer(x), backend.pointer(dy)];
  const rows = geometry.filterHeight * geometry.filterWidth * channels;
  const output = backend.allocateOutput(attributes.filterShape);
  const pointwise = isPointwise(geometry);
  if (!pointwise) {
    setGeometry(backend, image, geometry, inChannels, inChannels);
    if (isDirect(backend, geometry, groups)) {
      setProduct(backend, directProduct(geometry, 0, backend.pointer(output)), 0);
      const sums = backend.scratch(backend.exports.directSumBytes(geometry.batchSize));
      backend.exports.directFilterGradient(gradient, sums, geometry.batchSize);
      return output;
    }
  }
  // the kernel's result is contiguous: [group, rows, columns] → [rows, group, columns]
  const blocks = groups === 1 ? undefined : backend.allocateOutput([groups, rows, columns]);
  const target = backend.pointer(blocks ?? output);
  for (let group = 0; group < groups; group++) {
    const a = image + group * channels * FLOAT_BYTES;
    if (!pointwise) setGeometry(backend, a, geometry, inChannels, channels);
    multiplyDeep(backend, {
      a,
      b: gradient + group * columns * FLOAT_BYTES,
      c: target + group * rows * columns * FLOAT_BYTES,
      rows,
      columns,
      depth: geometry.batchSize * geometry.outHeight * geometry.outWidth,
      transposeA: pointwise,
      strideA: pointwise ? inChannels : undefined,
      strideB: outChannels,
      source: pointwise ? SOURCE.matrix : SOURCE.patchesTransposed,
    });
  }
  if (blocks === undefined) return output;
  copyBlock(
    backend,
    "float32",
    [groups, rows, columns],
    { pointer: target, strides: [rows * columns, columns, 1], offset: 0 },
    { pointer: backend.pointer(output), strides: [columns, outChannels, 1], offset: 0 },
  );
  backend.disposeData(blocks.dataId);
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
