import { type TensorInfo, util } from "@tensorflow/tfjs-core";
import { BYTES_PER_ELEMENT, type DType } from "../../../dtype.js";
import { broadcastShapes, sameShape, sizeOf, stridesOf } from "../../../shape.js";
import type { WasmBackend } from "../backend.js";
import { broadcastStrides, MAXIMUM_AXES } from "./broadcast.js";
import type { WasmKernel, WasmKernels } from "./kernel.js";
import { bitsOf, copyBlock, isPlain } from "./layout.js";

// Numbers of wasm/integers.ts.
const TESTS = { IsNan: 0, IsInf: 1, IsFinite: 2 } as const;
const LOGIC = { LogicalAnd: 0, LogicalOr: 1, LogicalNot: 2 } as const;
/** Comparisons of truth values come after, in the order of `COMPARISONS` in elementwise-table.ts. */
const TRUTH_COMPARISON = 3;
const INTEGER_REDUCTIONS = { Sum: 0, Max: 1, Min: 2, Prod: 3 } as const;

const testKernel =
  (operation: number): WasmKernel =>
  ({ inputs: { x }, backend }) => {
    if (!backend.isFloat32(x)) return null;
    const source = backend.pointer(x);
    const output = backend.allocateOutput(x.shape, "bool");
    backend.exports.testFloats(operation, source, backend.pointer(output), sizeOf(x.shape));
    return output;
  };

const isTruth = (backend: WasmBackend, x: TensorInfo): boolean => x.dtype === "bool" && isPlain(backend, x);

/** Runs a function of truth values along their broadcast shape; one that is repeated is written out first, into working memory. */
function truthwise(
  backend: WasmBackend,
  tensors: readonly TensorInfo[],
  run: (operands: number[], output: number, count: number) => void,
): TensorInfo | null {
  if (!tensors.every((tensor) => isTruth(backend, tensor))) return null;
  const first = tensors[0].shape;
  const shape = tensors.every((tensor) => sameShape(tensor.shape, first))
    ? first
    : tensors.reduce<number[]>((joined, tensor) => broadcastShapes("logic", joined, tensor.shape), []);
  const count = sizeOf(shape);
  const repeated = tensors.filter((tensor) => !sameShape(tensor.shape, shape)).length;
  if (repeated > 0 && (count === 0 || shape.length > MAXIMUM_AXES - 1)) return null;
  const sources = tensors.map((tensor) => backend.pointer(tensor));
  const output = backend.allocateOutput(shape, "bool");
  let memory = repeated > 0 ? backend.scratch(count * repeated) : 0;
  const operands = tensors.map((tensor, index) => {
    if (sameShape(tensor.shape, shape)) return sources[index];
    const from = { pointer: sources[index], strides: broadcastStrides(tensor.shape, shape), offset: 0 };
    copyBlock(backend, "bool", shape, from, { pointer: memory, strides: stridesOf(shape), offset: 0 });
    memory += count;
    return memory - count;
  });
  run(operands, backend.pointer(output), count);
  return output;
}

function logic(backend: WasmBackend, operation: number, a: TensorInfo, b: TensorInfo): TensorInfo | null {
  return truthwise(backend, [a, b], ([first, second], output, count) =>
    backend.exports.logic(operation, first, second, output, count),
  );
}

/** Compares truth values, false below true. @param operation Number of `COMPARISONS` in elementwise-table.ts. */
export function compareTruth(
  backend: WasmBackend,
  operation: number,
  a: TensorInfo,
  b: TensorInfo,
): TensorInfo | null {
  return logic(backend, operation + TRUTH_COMPARISON, a, b);
}

/** `condition ? a : b` of truth values, with broadcasting of all three. */
export function chooseTruth(
  backend: WasmBackend,
  condition: TensorInfo,
  a: TensorInfo,
  b: TensorInfo,
): TensorInfo | null {
  return truthwise(backend, [condition, a, b], ([conditions, first, second], output, count) =>
    backend.exports.selectTruth(conditions, first, second, output, count),
  );
}

/** The axes of a reduction as `[outer, length, inner]` and the shape that is left; undefined when others lie between them. */
function splitAt(shape: readonly number[], axes: readonly number[], keepDims: boolean) {
  const first = Math.min(...axes);
  const last = Math.max(...axes);
  if (axes.length === 0 || axes.length !== last - first + 1 || sizeOf(shape) === 0) return undefined;
  return {
    outer: sizeOf(shape.slice(0, first)),
    length: sizeOf(shape.slice(first, last + 1)),
    inner: sizeOf(shape.slice(last + 1)),
    outShape: keepDims
      ? shape.map((size, axis) => (axes.includes(axis) ? 1 : size))
      : shape.filter((_, axis) => !axes.includes(axis)),
  };
}

/** Sum, largest, smallest or product of int32 along neighbouring axes; sums and products wrap. */
export function reduceIntegers(
  backend: WasmBackend,
  operation: keyof typeof INTEGER_REDUCTIONS,
  x: TensorInfo,
  axes: readonly number[],
  keepDims: boolean,
): TensorInfo | null {
  const parts = splitAt(x.shape, axes, keepDims);
  if (parts === undefined || x.dtype !== "int32" || !isPlain(backend, x)) return null;
  const { outer, length, inner, outShape } = parts;
  const source = backend.pointer(x);
  const output = backend.allocateOutput(outShape, "int32");
  const number = INTEGER_REDUCTIONS[operation];
  backend.exports.reduceIntegers(number, source, backend.pointer(output), outer, length, inner);
  return output;
}

const truthKernel =
  (all: number): WasmKernel =>
  ({ inputs: { x }, attrs, backend }) => {
    const axes = util.parseAxisParam(attrs.axis as number | number[], x.shape);
    const parts = splitAt(x.shape, axes, Boolean(attrs.keepDims));
    if (parts === undefined || !isTruth(backend, x)) return null;
    const source = backend.pointer(x);
    const output = backend.allocateOutput(parts.outShape, "bool");
    const { outer, length, inner } = parts;
    backend.exports.reduceTruth(all, source, backend.pointer(output), outer, length, inner);
    return output;
  };

/** `[..., depth]` with 1 at each index and 0 elsewhere. */
export function oneHot(
  backend: WasmBackend,
  indices: TensorInfo,
  depth: number,
  dtype: DType,
): TensorInfo | null {
  const count = sizeOf(indices.shape);
  if (indices.dtype !== "int32" || !isPlain(backend, indices) || count * depth === 0) return null;
  const source = backend.pointer(indices);
  const output = backend.allocateOutput([...indices.shape, depth], dtype);
  const size = BYTES_PER_ELEMENT[dtype];
  backend.exports.oneHot(source, backend.pointer(output), count, depth, size, bitsOf(dtype, 1));
  return output;
}

function oneHotKernel({ inputs, attrs, backend }: Parameters<WasmKernel>[0]): TensorInfo | null {
  const { depth, onValue, offValue, dtype } = attrs as Record<string, number> & { dtype: string };
  const isOurs = dtype === "float32" || dtype === "int32" || dtype === "bool";
  return onValue === 1 && offValue === 0 && isOurs ? oneHot(backend, inputs.indices, depth, dtype) : null;
}

export const INTEGER_KERNELS: WasmKernels = {
  ...Object.fromEntries(Object.entries(TESTS).map(([name, operation]) => [name, testKernel(operation)])),
  LogicalAnd: ({ inputs: { a, b }, backend }) => logic(backend, LOGIC.LogicalAnd, a, b),
  LogicalOr: ({ inputs: { a, b }, backend }) => logic(backend, LOGIC.LogicalOr, a, b),
  LogicalNot: ({ inputs: { x }, backend }) => logic(backend, LOGIC.LogicalNot, x, x),
  All: truthKernel(1),
  Any: truthKernel(0),
  OneHot: oneHotKernel,
};
