import type { KernelBackend, TensorInfo } from "@tensorflow/tfjs-core";
import type { KernelCall } from "../../../kernels/define-kernel.js";
import type { ConvAttributes, ConvFilterAttributes, ConvInputAttributes } from "../../../ops/conv-kernels.js";
import { type Shape, sizeOf } from "../../../shape.js";
import { dispatch, i32, type Uniform } from "../dispatch.js";
import { fill } from "./strided.js";

/** Zeros where a convolution has nothing to add up; tfjs's kernels leave stale values there. @returns null otherwise */
export function emptyConv(
  inputs: Readonly<Record<string, TensorInfo>>,
  shape: Shape,
  backend: KernelBackend,
): TensorInfo | null {
  const empty = sizeOf(shape) === 0 || Object.values(inputs).some((input) => sizeOf(input.shape) === 0);
  return empty ? fill(backend, shape, "float32") : null;
}

function depthwiseUniforms(x: Shape, filter: Shape, y: Shape, attributes: ConvAttributes): Record<string, Uniform> {
  const { strides, padding, dilations } = attributes;
  return {
    batch: i32(x[0]),
    inputRows: i32(x[1]),
    inputColumns: i32(x[2]),
    channels: i32(x[3]),
    kernelRows: i32(filter[0]),
    kernelColumns: i32(filter[1]),
    multiplier: i32(filter[3]),
    outputRows: i32(y[1]),
    outputColumns: i32(y[2]),
    strideRows: i32(strides[0]),
    strideColumns: i32(strides[1]),
    paddingRows: i32(padding[0][0]),
    paddingColumns: i32(padding[1][0]),
    dilationRows: i32(dilations[0]),
    dilationColumns: i32(dilations[1]),
  };
}

/** `ai/DepthwiseConv2DBackpropInput`: each input cell collects from the outputs that a tap leads to. */
export function depthwiseInputWebgpu({
  inputs: { dy, filter },
  attrs,
  backend,
}: KernelCall<ConvInputAttributes>): TensorInfo {
  return dispatch(backend, {
    name: "DepthwiseConv2DBackpropInput",
    inputs: { dy, filter },
    outputs: { result: { shape: attrs.inputShape, dtype: "float32" } },
    uniforms: depthwiseUniforms(attrs.inputShape, filter.shape, dy.shape, attrs),
    threads: sizeOf(attrs.inputShape),
    body: () => `
let position = i32(index);
let channel = position % uniforms.channels;
let cell = position / uniforms.channels;
let column = cell % uniforms.inputColumns;
let row = cell / uniforms.inputColumns % uniforms.inputRows;
let image = cell / uniforms.inputColumns / uniforms.inputRows;
let outChannels = uniforms.channels * uniforms.multiplier;
var total = 0.0;
for (var tapRow = 0; tapRow < uniforms.kernelRows; tapRow++) {
  let fromRow = row + uniforms.paddingRows - tapRow * uniforms.dilationRows;
  let outRow = fromRow / uniforms.strideRows;
  if (fromRow < 0 || fromRow % uniforms.strideRows != 0 || outRow >= uniforms.outputRows) { continue; }
  for (var tapColumn = 0; tapColumn < uniforms.kernelColumns; tapColumn++) {
    let fromColumn = column + uniforms.paddingColumns - tapColumn * uniforms.dilationColumns;
    let outColumn = fromColumn / uniforms.strideColumns;
    if (fromColumn < 0 || fromColumn % uniforms.strideColumns != 0 || outColumn >= uniforms.outputColumns) { continue; }
    let output = ((image * uniforms.outputRows + outRow) * uniforms.outputColumns + outColumn) * outChannels;
    let tap = (tapRow * uniforms.kernelColumns + tapColumn) * outChannels;
    for (var m = channel * uniforms.multiplier; m < (channel + 1) * uniforms.multiplier; m++) {
      total += dy[output + m] * filter[tap + m];
    }
  }
}
result[index] = total;`,
  })[0];
}

const LANES = 64;

/** `ai/DepthwiseConv2DBackpropFilter`: a workgroup adds up one weight over all output cells. */
export function depthwiseFilterWebgpu({
  inputs: { x, dy },
  attrs,
  backend,
}: KernelCall<ConvFilterAttributes>): TensorInfo {
  return dispatch(backend, {
    name: "DepthwiseConv2DBackpropFilter",
    inputs: { x, dy },
    outputs: { result: { shape: attrs.filterShape, dtype: "float32" } },
    uniforms: depthwiseUniforms(x.shape, attrs.filterShape, dy.shape, attrs),
    groups: sizeOf(attrs.filterShape),
    workgroupSize: LANES,
    declarations: () => `var<workgroup> sums: array<f32, ${LANES}>;`,
    body: () => `
let outChannels = uniforms.channels * uniforms.multiplier;
let outChannel = i32(group) % outChannels;
let channel = outChannel / uniforms.multiplier;
let tap = i32(group) / outChannels;
let tapRow = tap / uniforms.kernelColumns * uniforms.dilationRows - uniforms.paddingRows;
let tapColumn = tap % uniforms.kernelColumns * uniforms.dilationColumns - uniforms.paddingColumns;
let cells = uniforms.batch * uniforms.outputRows * uniforms.outputColumns;
var total = 0.0;
for (var cell = i32(lane); cell < cells; cell += ${LANES}) {
  let row = cell / uniforms.outputColumns % uniforms.outputRows * uniforms.strideRows + tapRow;
  let column = cell % uniforms.outputColumns * uniforms.strideColumns + tapColumn;
  if (row < 0 || row >= uniforms.inputRows || column < 0 || column >= uniforms.inputColumns) { continue; }
  let image = cell / uniforms.outputColumns / uniforms.outputRows;
  total += x[((image * uniforms.inputRows + row) * uniforms.inputColumns + column) * uniforms.channels + channel]
    * dy[cell * outChannels + outChannel];
}
sums[lane] = total;
workgroupBarrier();
for (var half = ${LANES / 2}u; half > 0u; half >>= 1u) {
  if (lane < half) { sums[lane] += sums[lane + half]; }
  workgroupBarrier();
}
if (lane == 0u) { result[group] = sums[0]; }`,
  })[0];
}
