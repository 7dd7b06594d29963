import { type TensorInfo, util } from "@tensorflow/tfjs-core";
import { sizeOf } from "../../../shape.js";
import type { WasmBackend } from "../backend.js";
import type { WasmCall, WasmKernel, WasmKernels } from "./kernel.js";

/** Numbers of wasm/reduce.ts. */
export const REDUCTION = { Sum: 0, Mean: 1, Max: 2, Min: 3 } as const;

/** Reduces axes that are neighbours; null for others, for integers and for nothing. */
export function reduce(
  backend: WasmBackend,
  operation: number,
  x: TensorInfo,
  axes: readonly number[],
  keepDims: boolean,
): TensorInfo | null {
  const { shape } = x;
  if (!backend.isFloat32(x) || sizeOf(shape) === 0 || axes.length === 0) return null;
  const sorted = [...axes].sort((a, b) => a - b);
  // axes of length 1 between the reduced ones do not part them
  const first = sorted[0];
  const last = sorted.at(-1)!;
  for (let axis = first; axis <= last; axis++) if (!sorted.includes(axis) && shape[axis] !== 1) return null;
  const outer = sizeOf(shape.slice(0, first));
  const inner = sizeOf(shape.slice(last + 1));
  const length = sizeOf(shape.slice(first, last + 1));
  const outShape = keepDims
    ? shape.map((size, axis) => (sorted.includes(axis) ? 1 : size))
    : shape.filter((_, axis) => !sorted.includes(axis));
  const source = backend.pointer(x);
  const output = backend.allocateOutput(outShape);
  const target = backend.pointer(output);
  if (inner === 1) backend.exports.reduceRows(operation, source, target, outer, length);
  else backend.exports.reduceColumns(operation, source, target, outer, length, inner);
  return output;
}

const reduceKernel =
  (operation: number): WasmKernel =>
  ({ inputs: { x }, attrs, backend }) => {
    const axis = (attrs.axis ?? attrs.reductionIndices) as number | number[];
    return reduce(backend, operation, x, util.parseAxisParam(axis, x.shape), Boolean(attrs.keepDims));
  };

type RowFunction = (x: number, output: number, rows: number, length: number) => void;

/** A function of each row along the last axis. */
function alongRows(backend: WasmBackend, x: TensorInfo, axis: number, run: RowFunction): TensorInfo | null {
  const rank = x.shape.length;
  const size = sizeOf(x.shape);
  if (!backend.isFloat32(x) || size === 0 || rank === 0 || (axis !== -1 && axis !== rank - 1)) return null;
  const length = x.shape[rank - 1];
  const source = backend.pointer(x);
  const output = backend.allocateOutput(x.shape);
  run(source, backend.pointer(output), size / length, length);
  return output;
}

/** Softmax along the last axis. */
export function softmax(backend: WasmBackend, x: TensorInfo, axis = -1): TensorInfo | null {
  return alongRows(backend, x, axis, backend.exports.softmax);
}

/** Log-softmax along the last axis. */
export function logSoftmax(backend: WasmBackend, x: TensorInfo, axis = -1): TensorInfo | null {
  return alongRows(backend, x, axis, backend.exports.logSoftmax);
}

function softmaxKernel({ inputs, attrs, backend }: WasmCall): TensorInfo | null {
  return softmax(backend, inputs.logits, attrs.dim as number);
}

export const REDUCE_KERNELS: WasmKernels = {
  ...Object.fromEntries(
    Object.entries(REDUCTION).map(([name, operation]) => [name, reduceKernel(operation)]),
  ),
  Softmax: softmaxKernel,
};
