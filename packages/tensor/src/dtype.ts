import { DTypeError, InputError } from "./errors.js";

/** Element types of tensors: 32-bit floats, 32-bit integers and booleans (one byte each). */
export type DType = "float32" | "int32" | "bool";

/** Host arrays that hold the values of a tensor. */
export type TypedArray = Float32Array | Int32Array | Uint8Array;

/** Bytes of one element. */
export const BYTES_PER_ELEMENT: Readonly<Record<DType, number>> = { float32: 4, int32: 4, bool: 1 };

/** A host array of `length` zeros for a dtype. */
export function allocate(dtype: DType, length: number): TypedArray {
  if (dtype === "float32") return new Float32Array(length);
  return dtype === "int32" ? new Int32Array(length) : new Uint8Array(length);
}

/**
 * The dtype of a result that mixes two: float32 beats int32 beats bool, as in PyTorch.
 * @throws DTypeError when one of them is not a dtype of this library (`string`, `complex64`).
 */
export function promote(operation: string, a: string, b: string): DType {
  const first = asDType(operation, a);
  const second = asDType(operation, b);
  if (first === "float32" || second === "float32") return "float32";
  return first === "int32" || second === "int32" ? "int32" : "bool";
}

/** `dtype` itself when this library computes with it. @throws DTypeError otherwise, InputError for the dtype of no tensor. */
export function asDType(operation: string, dtype: string | undefined): DType {
  if (dtype === "float32" || dtype === "int32" || dtype === "bool") return dtype;
  if (dtype === undefined) throw new InputError(`${operation}: expected a tensor, got something else`);
  throw new DTypeError(
    `${operation}: expected float32, int32 or bool, got ${dtype}; cast or split the tensor first`,
  );
}
