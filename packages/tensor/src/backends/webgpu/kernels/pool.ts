import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { KernelCall } from "../../../kernels/define-kernel.js";
import type { AveragePoolAttributes, PoolAttributes } from "../../../ops/pool-kernels.js";
import { sizeOf } from "../../../shape.js";
import { dispatch, i32, type Uniform } from "../dispatch.js";
import { wgslFunctions } from "./wgsl.js";

function windowUniforms(channels: number, attributes: PoolAttributes): Record<string, Uniform> {
  const pair = (name: string, [rows, columns]: readonly number[]): Record<string, Uniform> => ({
    [`${name}Rows`]: i32(rows),
    [`${name}Columns`]: i32(columns),
  });
  return {
    channels: i32(channels),
    ...pair("input", attributes.inputSize),
    ...pair("output", attributes.outputSize),
    ...pair("kernel", attributes.kernelSize),
    ...pair("stride", attributes.strides),
    ...pair("padding", attributes.padding),
    ...pair("dilation", attributes.dilations),
  };
}

/** Splits `index` of `[batch, rows, columns, channels]`. */
const coordinates = (side: "input" | "output"): string => `
let position = i32(index);
let channel = position % uniforms.channels;
let cell = position / uniforms.channels;
let column = cell % uniforms.${side}Columns;
let row = cell / uniforms.${side}Columns % uniforms.${side}Rows;
let image = cell / uniforms.${side}Columns / uniforms.${side}Rows;`;

/** Runs a statement for each cell (`inRow`, `inColumn`) of an output cell's window that is in the image. */
const forEachCell = (statement: string): string => `
for (var tapRow = 0; tapRow < uniforms.kernelRows; tapRow++) {
  let inRow = row * uniforms.strideRows - uniforms.paddingRows + tapRow * uniforms.dilationRows;
  if (inRow < 0 || inRow >= uniforms.inputRows) { continue; }
  for (var tapColumn = 0; tapColumn < uniforms.kernelColumns; tapColumn++) {
    let inColumn = column * uniforms.strideColumns - uniforms.paddingColumns + tapColumn * uniforms.dilationColumns;
    if (inColumn < 0 || inColumn >= uniforms.inputColumns) { continue; }
    ${statement}
  }
}`;

/** Runs a statement for each output cell (`outRow`, `outColumn`) whose window has the input cell. */
const forEachWindow = (statement: string): string => `
for (var tapRow = 0; tapRow < uniforms.kernelRows; tapRow++) {
  let fromRow = row + uniforms.paddingRows - tapRow * uniforms.dilationRows;
  let outRow = fromRow / uniforms.strideRows;
  if (fromRow < 0 || fromRow % uniforms.strideRows != 0 || outRow >= uniforms.outputRows) { continue; }
  for (var tapColumn = 0; tapColumn < uniforms.kernelColumns; tapColumn++) {
    let fromColumn = column + uniforms.paddingColumns - tapColumn * uniforms.dilationColumns;
    let outColumn = fromColumn / uniforms.strideColumns;
    if (fromColumn < 0 || fromColumn % uniforms.strideColumns != 0 || outColumn >= uniforms.outputColumns) { continue; }
    ${statement}
  }
}`;

const INPUT_AT =
  "((image * uniforms.inputRows + inRow) * uniforms.inputColumns + inColumn) * uniforms.channels + channel";
const OUTPUT_AT =
  "((image * uniforms.outputRows + outRow) * uniforms.outputColumns + outColumn) * uniforms.channels + channel";

/** `ai/MaxPool2D` (the value) and `ai/MaxPool2DIndices` (its cell in the image). */
export function maxPoolWebgpu(
  { inputs: { x }, attrs, backend }: KernelCall<PoolAttributes>,
  wanted: "value" | "cell",
): TensorInfo {
  const [batch, , , channels] = x.shape as number[];
  const shape = [batch, ...attrs.outputSize, channels];
  return dispatch(backend, {
    name: wanted === "value" ? "MaxPool2D" : "MaxPool2DIndices",
    inputs: { x },
    outputs: { result: { shape, dtype: wanted === "value" ? "float32" : "int32" } },
    uniforms: windowUniforms(channels, attrs),
    threads: sizeOf(shape),
    declarations: () => wgslFunctions(["isNanBits", "infinity"]),
    // as in PyTorch: the first of equal maxima, a NaN always
    body: () => `${coordinates("output")}
var value = -infinity();
var place = -1;
${forEachCell(`let candidate = x[${INPUT_AT}];
    if (place < 0 || isNanBits(candidate) || (!isNanBits(value) && candidate > value)) {
      value = candidate;
      place = inRow * uniforms.inputColumns + inColumn;
    }`)}
result[index] = ${wanted === "value" ? "value" : "max(place, 0)"};`,
  })[0];
}

/** `ai/MaxPool2DBackprop`: each input cell collects from the windows whose maximum it is; no atomics. */
export function maxPoolBackpropWebgpu(call: KernelCall<PoolAttributes>): TensorInfo {
  const { inputs, attrs, backend } = call;
  const { x, dy } = inputs;
  const cells = maxPoolWebgpu(call, "cell");
  const [result] = dispatch(backend, {
    name: "MaxPool2DBackprop",
    inputs: { cells, dy },
    outputs: { result: { shape: x.shape, dtype: "float32" } },
    uniforms: windowUniforms(x.shape[3] as number, attrs),
    threads: sizeOf(x.shape),
    body: () => `${coordinates("input")}
let own = row * uniforms.inputColumns + column;
var total = 0.0;
${forEachWindow(`let output = ${OUTPUT_AT};
    if (cells[output] == own) { total += dy[output]; }`)}
result[index] = total;`,
  });
  backend.disposeData(cells.dataId);
  return result;
}

/** By how much a window divides, as in PyTorch. */
const divisor = (includesPadding: boolean): string => `
fn cells(start: i32, kernel: i32, length: i32, padding: i32) -> i32 {
  let end = min(start + kernel, length + padding);
  return ${includesPadding ? "end - start" : "max(0, min(end, length) - max(start, 0))"};
}
fn share(row: i32, column: i32) -> f32 {
  let rows = cells(row * uniforms.strideRows - uniforms.paddingRows, uniforms.kernelRows, uniforms.inputRows, uniforms.paddingRows);
  let columns = cells(column * uniforms.strideColumns - uniforms.paddingColumns, uniforms.kernelColumns, uniforms.inputColumns, uniforms.paddingColumns);
  return 1.0 / f32(max(1, rows * columns));
}`;

/** `ai/AvgPool2D`. */
export function avgPoolWebgpu({
  inputs: { x },
  attrs,
  backend,
}: KernelCall<AveragePoolAttributes>): TensorInfo {
  const [batch, , , channels] = x.shape as number[];
  const shape = [batch, ...attrs.outputSize, channels];
  return dispatch(backend, {
    name: "AvgPool2D",
    variant: String(attrs.countIncludePad),
    inputs: { x },
    outputs: { result: { shape, dtype: "float32" } },
    uniforms: windowUniforms(channels, attrs),
    threads: sizeOf(shape),
    declarations: () => divisor(attrs.countIncludePad),
    body: () => `${coordinates("output")}
var total = 0.0;
${forEachCell(`total += x[${INPUT_AT}];`)}
result[index] = total * share(row, column);`,
  })[0];
}

/** `ai/AvgPool2DBackprop`. */
export function avgPoolBackpropWebgpu({
  inputs: { dy },
  attrs,
  backend,
}: KernelCall<AveragePoolAttributes>): TensorInfo {
  const [batch, , , channels] = dy.shape as number[];
  const shape = [batch, ...attrs.inputSize, channels];
  return dispatch(backend, {
    name: "AvgPool2DBackprop",
    variant: String(attrs.countIncludePad),
    inputs: { dy },
    outputs: { result: { shape, dtype: "float32" } },
    uniforms: windowUniforms(channels, attrs),
    threads: sizeOf(shape),
    declarations: () => divisor(attrs.countIncludePad),
    body: () => `${coordinates("input")}
var total = 0.0;
${forEachWindow(`total += dy[${OUTPUT_AT}] * share(outRow, outColumn);`)}
result[index] = total;`,
  })[0];
}
