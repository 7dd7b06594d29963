import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { DType } from "../../../dtype.js";
import { sameShape, sizeOf } from "../../../shape.js";
import type { WasmBackend } from "../backend.js";
import { broadcastWalk, setAxes } from "./broadcast.js";
import { chooseTruth } from "./truth.js";

/** Numbers of wasm/binary.ts. */
export const BINARY = {
  Add: 0,
  Sub: 1,
  Multiply: 2,
  RealDiv: 3,
  Maximum: 4,
  Minimum: 5,
  SquaredDifference: 6,
  Atan2: 13,
} as const;
/** Gradients by an output, of the same file: `a` is dy, `b` the output. */
export const GRADIENTS = { Relu: 7, Sigmoid: 8, Tanh: 9 } as const;
/** By PyTorch's rules, where tfjs's kernels of these names have others. */
export const ARITHMETIC = { Multiply: 2, Pow: 10, FloorDiv: 11, Mod: 12 } as const;

/** Whether a tensor is int32 and stored as such. */
export function isInt32(backend: WasmBackend, x: TensorInfo): boolean {
  return x.dtype === "int32" && backend.storedDType(x) === "int32";
}

/** `a ∘ b` on floats with broadcasting; null when the fallback should take it. */
export function binary(
  backend: WasmBackend,
  operation: number,
  a: TensorInfo,
  b: TensorInfo,
): TensorInfo | null {
  if (!backend.isFloat32(a) || !backend.isFloat32(b)) return integerBinary(backend, operation, a, b);
  if (sameShape(a.shape, b.shape)) {
    const count = sizeOf(a.shape);
    if (count === 0) return null;
    const [first, second] = [backend.pointer(a), backend.pointer(b)];
    const output = backend.allocateOutput(a.shape);
    backend.exports.binary(operation, first, second, backend.pointer(output), count, 1, 1);
    return output;
  }
  const walk = broadcastWalk([a.shape, b.shape]);
  if (walk === undefined) return null;
  const [pointerA, pointerB] = [backend.pointer(a), backend.pointer(b)];
  const output = backend.allocateOutput(walk.shape);
  const target = backend.pointer(output);
  const [{ length, strides }] = walk.axes;
  if (walk.axes.length === 1)
    backend.exports.binary(operation, pointerA, pointerB, target, length, strides[0], strides[1]);
  else {
    setAxes(backend, walk.axes);
    backend.exports.binaryBroadcast(operation, pointerA, pointerB, target, walk.axes.length);
  }
  return output;
}

/** The same on int32, which wraps; quotients, angles and squares of differences are floats in tfjs. */
function integerBinary(
  backend: WasmBackend,
  operation: number,
  a: TensorInfo,
  b: TensorInfo,
): TensorInfo | null {
  if (!isInt32(backend, a) || !isInt32(backend, b)) return null;
  const { RealDiv, SquaredDifference, Atan2 } = BINARY;
  if (operation === RealDiv || operation === SquaredDifference || operation === Atan2) return null;
  return walked(backend, a, b, "int32", (axes, pointerA, pointerB, target) =>
    backend.exports.integerBroadcast(operation, pointerA, pointerB, target, axes),
  );
}

/** Runs a function of two tensors along their common walk; null when the walk is empty or has too many axes. */
export function walked(
  backend: WasmBackend,
  a: TensorInfo,
  b: TensorInfo,
  dtype: DType,
  run: (axes: number, a: number, b: number, output: number) => void,
): TensorInfo | null {
  const walk = broadcastWalk([a.shape, b.shape]);
  if (walk === undefined) return null;
  const [pointerA, pointerB] = [backend.pointer(a), backend.pointer(b)];
  const output = backend.allocateOutput(walk.shape, dtype);
  setAxes(backend, walk.axes);
  run(walk.axes.length, pointerA, pointerB, backend.pointer(output));
  return output;
}

/** `condition ? a : b` with broadcasting of all three; null when the fallback should take it. */
export function choose(
  backend: WasmBackend,
  condition: TensorInfo,
  a: TensorInfo,
  b: TensorInfo,
): TensorInfo | null {
  const { dtype } = a;
  if (dtype === "bool") return chooseTruth(backend, condition, a, b);
  const stored = [condition, a, b].map((tensor) => backend.storedDType(tensor));
  const plain = stored[0] === "bool" && stored[1] === dtype && stored[2] === dtype && b.dtype === dtype;
  if (!plain || (dtype !== "float32" && dtype !== "int32")) return null;
  const walk = broadcastWalk([condition.shape, a.shape, b.shape]);
  if (walk === undefined) return null;
  const [conditions, first, second] = [condition, a, b].map((tensor) => backend.pointer(tensor));
  const output = backend.allocateOutput(walk.shape, dtype);
  setAxes(backend, walk.axes);
  backend.exports.select(conditions, first, second, backend.pointer(output), walk.axes.length);
  return output;
}
