import type { KernelCall } from "../../kernels/define-kernel.js";
import type { AveragePoolAttributes, PoolAttributes } from "../../ops/pool-kernels.js";
import { hostResult, valuesOf } from "./values.js";

/**
 * Visits the cells of each window in row-major order: `visit(output cell, input cell, first cell of the window?)`,
 * cells counted over batch, height and width.
 */
function forEachWindowCell(
  batch: number,
  { inputSize, kernelSize, strides, padding, dilations, outputSize }: PoolAttributes,
  visit: (output: number, input: number, first: boolean) => void,
): void {
  const [height, width] = inputSize;
  let output = 0;
  for (let n = 0; n < batch; n++)
    for (let row = 0; row < outputSize[0]; row++)
      for (let column = 0; column < outputSize[1]; column++, output++) {
        let first = true;
        for (let tapRow = 0; tapRow < kernelSize[0]; tapRow++) {
          const inRow = row * strides[0] - padding[0] + tapRow * dilations[0];
          if (inRow < 0 || inRow >= height) continue;
          for (let tapColumn = 0; tapColumn < kernelSize[1]; tapColumn++) {
            const inColumn = column * strides[1] - padding[1] + tapColumn * dilations[1];
            if (inColumn < 0 || inColumn >= width) continue;
            visit(output, (n * height + inRow) * width + inColumn, first);
            first = false;
          }
        }
      }
}

/** The largest entry of each window and the cell (over batch, height and width) that it comes from. */
function maximaOf(call: KernelCall<PoolAttributes>): {
  values: Float32Array;
  cells: Int32Array;
  shape: number[];
} {
  const { inputs, attrs, backend } = call;
  const [batch, , , channels] = inputs.x.shape;
  const from = valuesOf(backend, inputs.x);
  const shape = [batch, ...attrs.outputSize, channels];
  const size = batch * attrs.outputSize[0] * attrs.outputSize[1] * channels;
  const values = new Float32Array(size).fill(Number.NEGATIVE_INFINITY);
  const cells = new Int32Array(size);
  forEachWindowCell(batch, attrs, (output, input, first) => {
    const read = input * channels;
    const write = output * channels;
    for (let c = 0; c < channels; c++) {
      const value = from[read + c];
      // as in PyTorch: the first of equal maxima, a NaN always
      if (first || value > values[write + c] || Number.isNaN(value)) {
        values[write + c] = value;
        cells[write + c] = input;
      }
    }
  });
  return { values, cells, shape };
}

/** `ai/MaxPool2D` on the host. */
export function maxPoolOnHost(call: KernelCall<PoolAttributes>) {
  const { values, shape } = maximaOf(call);
  return hostResult(call.backend, shape, "float32", values);
}

/** `ai/MaxPool2DIndices` on the host. */
export function maxPoolIndicesOnHost(call: KernelCall<PoolAttributes>) {
  const { cells, shape } = maximaOf(call);
  const [height, width] = call.attrs.inputSize;
  for (let i = 0; i < cells.length; i++) cells[i] %= height * width;
  return hostResult(call.backend, shape, "int32", cells);
}

/** `ai/MaxPool2DBackprop` on the host. */
export function maxPoolBackpropOnHost(call: KernelCall<PoolAttributes>) {
  const { inputs, backend } = call;
  const { cells } = maximaOf(call);
  const channels = inputs.x.shape[3] as number;
  const gradient = valuesOf(backend, inputs.dy);
  const values = new Float32Array(inputs.x.size);
  for (let i = 0; i < cells.length; i++) values[cells[i] * channels + (i % channels)] += gradient[i];
  return hostResult(backend, inputs.x.shape, "float32", values);
}

/** By how much the window of each output cell (over height and width) divides, as in PyTorch. */
function divisors({
  inputSize,
  kernelSize,
  strides,
  padding,
  outputSize,
  countIncludePad,
}: AveragePoolAttributes): Float64Array {
  const lengths = [0, 1].map((axis) =>
    Array.from({ length: outputSize[axis] }, (_, index) => {
      const start = index * strides[axis] - padding[axis];
      const end = Math.min(start + kernelSize[axis], inputSize[axis] + padding[axis]);
      return countIncludePad ? end - start : Math.max(0, Math.min(end, inputSize[axis]) - Math.max(start, 0));
    }),
  );
  return Float64Array.from(lengths[0].flatMap((rows) => lengths[1].map((columns) => rows * columns)));
}

/** `ai/AvgPool2D` on the host. */
export function avgPoolOnHost({ inputs, attrs, backend }: KernelCall<AveragePoolAttributes>) {
  const [batch, , , channels] = inputs.x.shape;
  const from = valuesOf(backend, inputs.x);
  const perWindow = divisors(attrs);
  const cells = attrs.outputSize[0] * attrs.outputSize[1];
  const values = new Float32Array(batch * cells * channels);
  forEachWindowCell(batch, attrs, (output, input) => {
    for (let c = 0; c < channels; c++) values[output * channels + c] += from[input * channels + c];
  });
  for (let output = 0; output < batch * cells; output++) {
    const divisor = perWindow[output % cells] || 1; // a window without cells stays 0
    for (let c = 0; c < channels; c++) values[output * channels + c] /= divisor;
  }
  return hostResult(backend, [batch, ...attrs.outputSize, channels], "float32", values);
}

/** `ai/AvgPool2DBackprop` on the host. */
export function avgPoolBackpropOnHost({ inputs, attrs, backend }: KernelCall<AveragePoolAttributes>) {
  const [batch, , , channels] = inputs.dy.shape;
  const from = valuesOf(backend, inputs.dy);
  const perWindow = divisors(attrs);
  const cells = attrs.outputSize[0] * attrs.outputSize[1];
  const values = new Float32Array(batch * attrs.inputSize[0] * attrs.inputSize[1] * channels);
  forEachWindowCell(batch, attrs, (output, input) => {
    const share = 1 / perWindow[output % cells];
    for (let c = 0; c < channels; c++) values[input * channels + c] += from[output * channels + c] * share;
  });
  return hostResult(backend, [batch, ...attrs.inputSize, channels], "float32", values);
}
