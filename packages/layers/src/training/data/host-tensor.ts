import {
  type DType,
  DTypeError,
  fromValues,
  InputError,
  ShapeError,
  type Tensor,
  type TypedArray,
} from "@ai/tensor";

/** Values on the host with their shape: what a dataset holds when it should not fill the device. */
export interface HostTensor {
  /** Row-major values, 0 and 1 for bool. A `Uint8Array` beside `dtype: "float32"` is widened when a batch is made. */
  readonly values: TypedArray;
  readonly shape: readonly number[];
  readonly dtype: DType;
}

/** Whether a value is a {@link HostTensor}. */
export function isHostTensor(value: unknown): value is HostTensor {
  const candidate = value as Partial<HostTensor> | null;
  return (
    typeof candidate === "object" &&
    candidate !== null &&
    ArrayBuffer.isView(candidate.values) &&
    Array.isArray(candidate.shape) &&
    typeof candidate.dtype === "string"
  );
}

/** Whether a value is a tensor of the device. */
export function isTensor(value: unknown): value is Tensor {
  const candidate = value as { dataId?: unknown; shape?: unknown } | null;
  return (
    typeof candidate === "object" &&
    candidate !== null &&
    typeof candidate.dataId === "object" &&
    Array.isArray(candidate.shape)
  );
}

const ARRAYS = { float32: Float32Array, int32: Int32Array, bool: Uint8Array } as const;

/** A zeroed host array of a dtype. @throws DTypeError for another dtype. */
export function hostArray(operation: string, dtype: DType, length: number): TypedArray {
  const kind = ARRAYS[dtype];
  if (kind === undefined)
    throw new DTypeError(`${operation}: expected float32, int32 or bool, got ${String(dtype)}`);
  return new kind(length);
}

/** The dtype that a typed array stands for by itself. @throws InputError for an array of another kind. */
export function dtypeOfArray(operation: string, values: ArrayBufferView): DType {
  if (values instanceof Float32Array) return "float32";
  if (values instanceof Int32Array) return "int32";
  if (values instanceof Uint8Array) return "bool";
  throw new InputError(
    `${operation}: expected a Float32Array, Int32Array or Uint8Array, got ${values.constructor.name}; convert it first`,
  );
}

/** Checks that the values fill the shape and are of the dtype. @throws ShapeError, InputError when they do not. */
export function assertHostTensor(operation: string, value: HostTensor): void {
  const size = value.shape.reduce((product, length) => product * length, 1);
  if (size !== value.values.length)
    throw new ShapeError(
      `${operation}: expected ${size} values for shape [${value.shape.join(", ")}], got ${value.values.length}`,
    );
  assertTruthValues(operation, value);
}

/** Checks that values of dtype bool are 0 or 1: a picture's bytes are numbers. @throws InputError for others. */
export function assertTruthValues(operation: string, { values, dtype }: HostTensor): void {
  if (dtype !== "bool") return;
  const other = values.find((value) => value !== 0 && value !== 1);
  if (other !== undefined)
    throw new InputError(
      `${operation}: expected 0 and 1 for dtype bool, got ${other}; give { values, shape, dtype: "float32" } or "int32" for numbers`,
    );
}

/** Copies rows of a host tensor into one new device tensor. @returns `[indices, ...shape of a row]` */
export function gatherRows(source: HostTensor, indices: ArrayLike<number>): Tensor {
  const rowShape = source.shape.slice(1);
  const rowSize = rowShape.reduce((product, length) => product * length, 1);
  const values = hostArray("TensorDataset", source.dtype, indices.length * rowSize);
  for (let row = 0; row < indices.length; row++) {
    const start = indices[row] * rowSize;
    values.set(source.values.subarray(start, start + rowSize), row * rowSize);
  }
  return fromValues(values, [indices.length, ...rowShape], source.dtype);
}

/** Tensors found in lists, plain objects and maps of a value. */
export function tensorsIn(value: unknown, found: Set<Tensor> = new Set()): Set<Tensor> {
  if (isTensor(value)) found.add(value);
  else if (Array.isArray(value)) for (const part of value) tensorsIn(part, found);
  else if (typeof value === "object" && value !== null && !ArrayBuffer.isView(value))
    for (const part of value instanceof Map ? value.values() : Object.values(value)) tensorsIn(part, found);
  return found;
}
