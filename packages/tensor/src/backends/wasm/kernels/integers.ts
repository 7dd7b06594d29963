import { type TensorInfo, util } from "@tensorflow/tfjs-core";
import { BYTES_PER_ELEMENT, type DType } from "../../../dtype.js";
import { sizeOf } from "../../../shape.js";
import type { WasmBackend } from "../backend.js";
import type { WasmKernel, WasmKernels } from "./kernel.js";
import { bitsOf, isPlain } from "./layout.js";
import { isTruth, logic } from "./truth.js";

// Numbers of wasm/integers.ts.
const TESTS = { IsNan: 0, IsInf: 1, IsFinite: 2 } as const;
const LOGIC = { LogicalAnd: 0, LogicalOr: 1, LogicalNot: 2 } as const;
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
