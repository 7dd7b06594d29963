import type { Tensor } from "@tensorflow/tfjs-core";
import { assertList, assertTensors } from "./arguments.js";
import { assertReady, readValues } from "./device.js";
import { allocate, asDType, type DType, type TypedArray } from "./dtype.js";
import { engine } from "./engine.js";
import { InputError, ShapeError } from "./errors.js";
import { formatShape, type Shape, sizeOf } from "./shape.js";

export type { Tensor } from "@tensorflow/tfjs-core";

/** Numbers or booleans nested to any depth, every row as long as its neighbours. */
export type NestedArray = number | boolean | NestedArray[];

/** A tensor, or a number that stands for a scalar of the other operand's dtype where it fits. */
export type TensorLike = Tensor | number;

interface TensorFactory {
  makeTensor(values: TypedArray, shape: number[], dtype: DType): Tensor;
}

/** A tensor over `values` without copying or checking: the array must not be changed afterwards. */
export function fromValues(values: TypedArray, shape: Shape, dtype: DType): Tensor {
  return (engine() as unknown as TensorFactory).makeTensor(values, [...shape], dtype);
}

/**
 * Makes a tensor from numbers.
 * @param values A number, nested arrays, or a typed array (which is copied). A `Float32Array` gives float32, an
 * `Int32Array` int32, a `Uint8Array` of 0 and 1 bool, booleans bool and other numbers float32, unless `dtype` says otherwise.
 * @param shape The shape; inferred from the nesting when left out.
 * @throws ShapeError when the rows are ragged or the number of values does not fit the shape. @throws InputError for what is
 * no number, or larger bytes without a `dtype`.
 * @example
 * const x = tensor([[1, 2], [3, 4]]); // [2, 2] float32
 */
export function tensor(
  values: NestedArray | TypedArray | readonly number[],
  shape?: Shape,
  dtype?: DType,
): Tensor {
  assertReady("tensor");
  if (ArrayBuffer.isView(values)) {
    const type = dtype ?? dtypeOf(values);
    if (dtype === undefined && type === "bool") assertTruthValues(values);
    return filled(values, shape ?? [values.length], type);
  }
  const inferred: number[] = [];
  const flat: number[] = [];
  let type: DType = "bool";
  const visit = (value: NestedArray, depth: number): void => {
    if (Array.isArray(value)) {
      if (inferred.length === depth) inferred.push(value.length);
      else if (inferred[depth] !== value.length)
        throw new ShapeError(
          `tensor: expected rows of length ${inferred[depth]}, got one of length ${value.length}`,
        );
      for (const element of value) visit(element, depth + 1);
      return;
    }
    if (depth !== inferred.length)
      throw new ShapeError("tensor: expected rows of one depth, got numbers beside arrays");
    if (!NUMBERS.has(typeof value))
      throw new InputError(
        `tensor: expected numbers or booleans, got ${value === null ? "null" : typeof value}; convert it first`,
      );
    if (typeof value !== "boolean") type = "float32";
    flat.push(Number(value));
  };
  visit(values as NestedArray, 0);
  if (flat.length === 0) type = "float32";
  return filled(flat, shape ?? inferred, dtype ?? type);
}

/** What an element may be; a bigint, as int64 values of a file are, is rounded. */
const NUMBERS: ReadonlySet<string> = new Set(["number", "boolean", "bigint"]);

/** Bytes are truth values unless a dtype is given: those of a picture would all become true. */
function assertTruthValues(bytes: ArrayLike<number>): void {
  for (let i = 0; i < bytes.length; i++)
    if (bytes[i] > 1)
      throw new InputError(
        `tensor: expected bytes of 0 and 1, which give bool, got ${bytes[i]}; pass the dtype, "float32" or "int32" for numbers`,
      );
}

function dtypeOf(values: ArrayBufferView): DType {
  if (values instanceof Float32Array) return "float32";
  if (values instanceof Int32Array) return "int32";
  if (values instanceof Uint8Array || values instanceof Uint8ClampedArray) return "bool";
  throw new InputError(
    `tensor: expected a Float32Array, Int32Array or Uint8Array, got ${values.constructor.name}; convert it first`,
  );
}

function filled(values: ArrayLike<number>, shape: Shape, dtype: DType): Tensor {
  assertShape("tensor", shape);
  if (sizeOf(shape) !== values.length)
    throw new ShapeError(
      `tensor: expected ${sizeOf(shape)} values for shape ${formatShape(shape)}, got ${values.length}`,
    );
  asDType("tensor", dtype);
  const data = allocate(dtype, values.length);
  if (dtype === "bool") for (let i = 0; i < data.length; i++) data[i] = values[i] ? 1 : 0;
  else data.set(values);
  return fromValues(data, shape, dtype);
}

function assertShape(operation: string, shape: Shape): void {
  assertList(operation, "a shape", shape);
  if (!shape.every((length) => Number.isInteger(length) && length >= 0))
    throw new ShapeError(`${operation}: expected non-negative integer sizes, got ${formatShape(shape)}`);
}

/** A scalar `[]`. */
export function scalar(value: number, dtype: DType = "float32"): Tensor {
  assertReady("scalar");
  return filled([value], [], dtype);
}

/** A tensor of one value; `zeros(shape)` without the third argument is all zeros. @returns `shape` */
export function zeros(shape: Shape, dtype: DType = "float32", value = 0): Tensor {
  assertReady("zeros");
  assertShape("zeros", shape);
  asDType("zeros", dtype);
  const data = allocate(dtype, sizeOf(shape));
  if (value !== 0) data.fill(value);
  return fromValues(data, shape, dtype);
}

/** All ones. @returns `shape` */
export function ones(shape: Shape, dtype: DType = "float32"): Tensor {
  return zeros(shape, dtype, 1);
}

/** All `value`. @returns `shape` */
export function full(shape: Shape, value: number, dtype: DType = "float32"): Tensor {
  return zeros(shape, dtype, value);
}

/** Zeros with the shape and dtype of another tensor. @param like `[...]` */
export function zerosLike(like: Tensor): Tensor {
  assertTensors("zerosLike", "a tensor", [like]);
  return zeros(like.shape, like.dtype as DType);
}

/** Ones with the shape and dtype of another tensor. @param like `[...]` */
export function onesLike(like: Tensor): Tensor {
  assertTensors("onesLike", "a tensor", [like]);
  return zeros(like.shape, like.dtype as DType, 1);
}

/**
 * The numbers `start, start + step, …` below `stop`, int32 unless `dtype` says otherwise. @returns `[length]`
 * @throws InputError for a step of 0 or one that leads away from `stop`.
 */
export function arange(start: number, stop: number, step = 1, dtype: DType = "int32"): Tensor {
  assertReady("arange");
  asDType("arange", dtype);
  if (stop === undefined)
    throw new InputError(
      `arange: expected a start and a stop, got ${start} alone; write arange(0, ${start})`,
    );
  if ((stop - start) * step < 0)
    throw new InputError(
      `arange: expected a step that leads from ${start} to ${stop}, got ${step}; turn its sign`,
    );
  const length = Math.max(0, Math.ceil((stop - start) / step));
  if (!Number.isFinite(length))
    throw new InputError(`arange: expected a finite range, got ${start} to ${stop} by ${step}`);
  const data = allocate(dtype, length);
  for (let i = 0; i < length; i++) data[i] = start + i * step;
  return fromValues(data, [length], dtype);
}

/** `length` numbers from `start` to `stop`, both included. @returns `[length]` */
export function linspace(start: number, stop: number, length: number): Tensor {
  assertReady("linspace");
  assertShape("linspace", [length]);
  const data = new Float32Array(length);
  for (let i = 0; i < length; i++)
    data[i] = length === 1 ? start : start + ((stop - start) * i) / (length - 1);
  return fromValues(data, [length], "float32");
}

/** The identity matrix. @returns `[size, size]` */
export function eye(size: number, dtype: DType = "float32"): Tensor {
  assertReady("eye");
  assertShape("eye", [size]);
  asDType("eye", dtype);
  const data = allocate(dtype, size * size);
  for (let i = 0; i < size; i++) data[i * size + i] = 1;
  return fromValues(data, [size, size], dtype);
}

/**
 * The values of a tensor, row-major, as a new host array. Errors of the device that were still pending reject here.
 * @param value `[...]` of any dtype.
 * @throws KernelError or DeviceError that the device met before this read.
 */
export async function read(value: Tensor): Promise<TypedArray> {
  assertTensors("read", "a tensor", [value]);
  return (await readValues(value)).slice();
}

/**
 * The values of a tensor as nested arrays; a scalar gives a number, a bool tensor gives booleans.
 * @param value `[...]`
 */
export async function toArray(value: Tensor): Promise<NestedArray> {
  assertTensors("toArray", "a tensor", [value]);
  const { shape, dtype } = value;
  const flat = await readValues(value);
  const nest = (axis: number, offset: number, block: number): NestedArray => {
    if (axis === shape.length) return dtype === "bool" ? flat[offset] !== 0 : flat[offset];
    const inner = shape[axis] === 0 ? 0 : block / shape[axis];
    return Array.from({ length: shape[axis] }, (_, index) => nest(axis + 1, offset + index * inner, inner));
  };
  return nest(0, 0, flat.length);
}

/**
 * The value of a tensor with one element.
 * @param value any shape with one element, any dtype.
 * @throws ShapeError for any other number of elements.
 */
export async function item(value: Tensor): Promise<number> {
  assertTensors("item", "a tensor", [value]);
  if (value.size !== 1)
    throw new ShapeError(
      `item: expected one element, got shape ${formatShape(value.shape)}; use read or toArray`,
    );
  return (await readValues(value))[0];
}
