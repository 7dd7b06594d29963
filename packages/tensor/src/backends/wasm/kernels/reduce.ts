import { type TensorInfo, util } from "@tensorflow/tfjs-core";
import { sizeOf } from "../../../shape.js";
import type { WasmBackend } from "../backend.js";
import { reduceIntegers } from "./integers.js";
import type { WasmCall, WasmKernel, WasmKernels } from "./kernel.js";

/** Numbers of wasm/reduce.ts. */
export const REDUCTION = { Sum: 0, Mean: 1, Max: 2, Min: 3, Prod: 4 } as const;

/** Root of the sum of squares, and the largest size: of whole rows. */
export const ROW_NORM = { Norm: 5, Peak: 6 } as const;

/** Reduces axes of floats; null for integers and for nothing. Axes with others between them are reduced group by group. */
export function reduce(
  backend: WasmBackend,
  operation: number,
  x: TensorInfo,
  axes: readonly number[],
  keepDims: boolean,
): TensorInfo | null {
  const { shape } = x;
  if (!backend.isFloat32(x) || sizeOf(shape) === 0 || axes.length === 0) return null;
  const outShape = keepDims
    ? shape.map((size, axis) => (axes.includes(axis) ? 1 : size))
    : shape.filter((_, axis) => !axes.includes(axis));
  // lengths, innermost first, of groups of axes that are all reduced or all kept; an axis of length 1 is either
  const groups: { length: number; isReduced: boolean }[] = [];
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const isReduced = axes.includes(axis);
    if (shape[axis] === 1) continue;
    const group = groups[groups.length - 1];
    if (group?.isReduced === isReduced) group.length *= shape[axis];
    else groups.push({ length: shape[axis], isReduced });
  }
  const reductions = groups.filter(({ isReduced }) => isReduced).length;
  if (reductions === 0) return backend.alias(x, outShape);
  let source = backend.pointer(x);
  let outer = sizeOf(shape);
  let inner = 1;
  let left = reductions;
  const output = backend.allocateOutput(outShape);
  // what one group leaves is the input of the next: two places in turn
  const bytes = 4 * (outer / groups.find(({ isReduced }) => isReduced)!.length);
  const places = reductions > 1 ? backend.scratch(2 * bytes) : 0;
  for (const { length, isReduced } of groups) {
    outer /= length;
    if (!isReduced) {
      inner *= length;
      continue;
    }
    left--;
    const target = left === 0 ? backend.pointer(output) : places + (left % 2) * bytes;
    if (inner === 1) backend.exports.reduceRows(operation, source, target, outer, length);
    else backend.exports.reduceColumns(operation, source, target, outer, length, inner);
    source = target;
  }
  return output;
}

const reduceKernel =
  (name: keyof typeof REDUCTION): WasmKernel =>
  ({ inputs: { x }, attrs, backend }) => {
    const axes = util.parseAxisParam((attrs.axis ?? attrs.reductionIndices) as number | number[], x.shape);
    const keepDims = Boolean(attrs.keepDims);
    if (x.dtype !== "int32") return reduce(backend, REDUCTION[name], x, axes, keepDims);
    // the mean of integers is a float; tfjs's product of them is exact in doubles, ours wraps
    return name === "Mean" || name === "Prod" ? null : reduceIntegers(backend, name, x, axes, keepDims);
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

/** Index of the largest or smallest number along an axis, which is dropped: the first of equals; the first NaN wins. */
export function argExtreme(
  backend: WasmBackend,
  x: TensorInfo,
  axis: number,
  kind: "largest" | "smallest",
): TensorInfo | null {
  const { shape } = x;
  const { exports } = backend;
  const isWhole = x.dtype === "int32" && backend.storedDType(x) === "int32";
  if ((!isWhole && !backend.isFloat32(x)) || sizeOf(shape) === 0) return null;
  const source = backend.pointer(x);
  const output = backend.allocateOutput(
    shape.filter((_, index) => index !== axis),
    "int32",
  );
  const [outer, inner] = [sizeOf(shape.slice(0, axis)), sizeOf(shape.slice(axis + 1))];
  const smallest = Number(kind === "smallest");
  const run = isWhole ? exports.argExtremeOfIntegers : exports.argExtreme;
  run(source, backend.pointer(output), outer, shape[axis], inner, smallest);
  return output;
}

export const REDUCE_KERNELS: WasmKernels = {
  ...Object.fromEntries(
    (Object.keys(REDUCTION) as (keyof typeof REDUCTION)[]).map((name) => [name, reduceKernel(name)]),
  ),
  Softmax: softmaxKernel,
};
