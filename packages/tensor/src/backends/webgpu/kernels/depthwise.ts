import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { KernelCall } from "../../../kernels/define-kernel.js";
import {
  type ConvAttributes,
  type ConvFilterAttributes,
  type ConvInputAttributes,
  convOutputShape,
} from "../../../ops/conv-kernels.js";
import { type Shape, sizeOf } from "../../../shape.js";
import { dispatch, i32, type Uniform } from "../dispatch.js";

const LANES = 64;

function geometry(
  x: Shape,
  filter: Shape,
  y: Shape,
  { strides, padding, dilations }: ConvAttributes,
): Record<string, Uniform> {
  return {
    batch: i32(x[0]),
    inRows: i32(x[1]),
    inColumns: i32(x[2]),
    channels: i32(x[3]),
    outRows: i32(y[1]),
    outColumns: i32(y[2]),
    kernelRows: i32(filter[0]),
    kernelColumns: i32(filter[1]),
    multiplier: i32(filter[3]),
    strideRows: i32(strides[0]),
    strideColumns: i32(strides[1]),
    padRows: i32(padding[0][0]),
    padColumns: i32(padding[1][0]),
    dilationRows: i32(dilations[0]),
    dilationColumns: i32(dilations[1]),
  };
}

/** `ai/DepthwiseConv2D`: a thread an output element. */
export function depthwiseWebgpu({
  inputs: { x, filter },
  attrs,
  backend,
}: KernelCall<ConvAttributes>): TensorInfo {
  const [, , channels, multiplier] = filter.shape;
  const shape = convOutputShape(x.shape, filter.shape, attrs, channels * multiplier);
  return dispatch(backend, {
    name: "DepthwiseConv2D",
    inputs: { x, weights: filter },
    outputs: { result: { shape, dtype: "float32" } },
    uniforms: geometry(x.shape, filter.shape, shape, attrs),
    threads: sizeOf(shape),
    body: () => `
let outChannels = uniforms.channels * uniforms.multiplier;
let outChannel = i32(index) % outChannels;
let column = i32(index) / outChannels % uniforms.outColumns;
let row = i32(index) / outChannels / uniforms.outColumns % uniforms.outRows;
let image = i32(index) / outChannels / uniforms.outColumns / uniforms.outRows;
var total = 0.0;
for (var tapRow = 0; tapRow < uniforms.kernelRows; tapRow++) {
  let inRow = row * uniforms.strideRows + tapRow * uniforms.dilationRows - uniforms.padRows;
  if (inRow < 0 || inRow >= uniforms.inRows) { continue; }
  for (var tapColumn = 0; tapColumn < uniforms.kernelColumns; tapColumn++) {
    let inColumn = column * uniforms.strideColumns + tapColumn * uniforms.dilationColumns - uniforms.padColumns;
    if (inColumn < 0 || inColumn >= uniforms.inColumns) { continue; }
    let cell = (image * uniforms.inRows + inRow) * uniforms.inColumns + inColumn;
    let tap = tapRow * uniforms.kernelColumns + tapColumn;
    total += x[cell * uniforms.channels + outChannel / uniforms.multiplier] * weights[tap * outChannels + outChannel];
  }
}
result[index] = total;`,
  })[0];
}

/** `ai/DepthwiseConv2DBackpropInput`: a thread an input element. */
export function depthwiseInputWebgpu({
  inputs: { dy, filter },
  attrs,
  backend,
}: KernelCall<ConvInputAttributes>): TensorInfo {
  const shape = attrs.inputShape;
  return dispatch(backend, {
    name: "DepthwiseConv2DBackpropInput",
    inputs: { dy, weights: filter },
    outputs: { result: { shape, dtype: "float32" } },
    uniforms: geometry(shape, filter.shape, dy.shape, attrs),
    threads: sizeOf(shape),
    body: () => `
let outChannels = uniforms.channels * uniforms.multiplier;
let channel = i32(index) % uniforms.channels;
let column = i32(index) / uniforms.channels % uniforms.inColumns;
let row = i32(index) / uniforms.channels / uniforms.inColumns % uniforms.inRows;
let image = i32(index) / uniforms.channels / uniforms.inColumns / uniforms.inRows;
var total = 0.0;
for (var tapRow = 0; tapRow < uniforms.kernelRows; tapRow++) {
  let aboveRow = row + uniforms.padRows - tapRow * uniforms.dilationRows;
  let outRow = aboveRow / uniforms.strideRows;
  if (aboveRow < 0 || aboveRow % uniforms.strideRows != 0 || outRow >= uniforms.outRows) { continue; }
  for (var tapColumn = 0; tapColumn < uniforms.kernelColumns; tapColumn++) {
    let aboveColumn = column + uniforms.padColumns - tapColumn * uniforms.dilationColumns;
    let outColumn = aboveColumn / uniforms.strideColumns;
    if (aboveColumn < 0 || aboveColumn % uniforms.strideColumns != 0 || outColumn >= uniforms.outColumns) { continue; }
    let cell = (image * uniforms.outRows + outRow) * uniforms.outColumns + outColumn;
    let tap = tapRow * uniforms.kernelColumns + tapColumn;
    for (var part = 0; part < uniforms.multiplier; part++) {
      let outChannel = channel * uniforms.multiplier + part;
      total += dy[cell * outChannels + outChannel] * weights[tap * outChannels + outChannel];
    }
  }
}
result[index] = total;`,
  })[0];
}

/** `ai/DepthwiseConv2DBackpropFilter`: a workgroup a weight, which sums over every output cell. */
export function depthwiseFilterWebgpu({
  inputs: { x, dy },
  attrs,
  backend,
}: KernelCall<ConvFilterAttributes>): TensorInfo {
  const shape = attrs.filterShape;
  return dispatch(backend, {
    name: "DepthwiseConv2DBackpropFilter",
    inputs: { x, dy },
    outputs: { result: { shape, dtype: "float32" } },
    uniforms: geometry(x.shape, shape, dy.shape, attrs),
    groups: sizeOf(shape),
    declarations: () => `var<workgroup> partials: array<f32, ${LANES}>;`,
    body: () => `
let outChannels = uniforms.channels * uniforms.multiplier;
let outChannel = i32(group) % outChannels;
let tapColumn = i32(group) / outChannels % uniforms.kernelColumns;
let tapRow = i32(group) / outChannels / uniforms.kernelColumns;
let cells = uniforms.batch * uniforms.outRows * uniforms.outColumns;
var total = 0.0;
for (var cell = i32(lane); cell < cells; cell += ${LANES}) {
  let column = cell % uniforms.outColumns;
  let row = cell / uniforms.outColumns % uniforms.outRows;
  let image = cell / uniforms.outColumns / uniforms.outRows;
  let inRow = row * uniforms.strideRows + tapRow * uniforms.dilationRows - uniforms.padRows;
  let inColumn = column * uniforms.strideColumns + tapColumn * uniforms.dilationColumns - uniforms.padColumns;
  if (inRow < 0 || inRow >= uniforms.inRows || inColumn < 0 || inColumn >= uniforms.inColumns) { continue; }
  let inCell = (image * uniforms.inRows + inRow) * uniforms.inColumns + inColumn;
  total += x[inCell * uniforms.channels + outChannel / uniforms.multiplier] * dy[cell * outChannels + outChannel];
}
partials[lane] = total;
workgroupBarrier();
for (var half = ${LANES / 2}u; half > 0u; half >>= 1u) {
  if (lane < half) { partials[lane] += partials[lane + half]; }
  workgroupBarrier();
}
if (lane == 0u) { result[group] = partials[0]; }`,
  })[0];
}
