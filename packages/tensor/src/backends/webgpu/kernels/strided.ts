import type { KernelBackend, TensorInfo } from "@tensorflow/tfjs-core";
import type { DType } from "../../../dtype.js";
import type { KernelCall } from "../../../kernels/define-kernel.js";
import { type Shape, sizeOf, stridesOf } from "../../../shape.js";
import { dispatch, f32, i32, type Uniform } from "../dispatch.js";
import { broadcastStrides, walk, walkWgsl } from "./walk.js";

/** A copy of the elements that a walk meets in `x`, in row-major order, whatever their dtype: bits are moved. */
export interface StridedCopy {
  readonly name: string;
  readonly x: TensorInfo;
  /** Sizes of the walk. */
  readonly size: Shape;
  /** Steps in `x`, one an axis of `size`; 0 repeats, negative goes backwards. */
  readonly strides: readonly number[];
  /** Where in `x` the walk starts. */
  readonly offset?: number;
  /** Shape of the result, when it is not `size`. */
  readonly shape?: Shape;
}

/** Copies from strided places of `x` into a new dense tensor. */
export function copyStrided(
  backend: KernelBackend,
  { name, x, size, strides, offset = 0, shape = size }: StridedCopy,
): TensorInfo {
  const { rank, uniforms } = walk("axis", size, { from: { strides, offset } });
  return dispatch(backend, {
    name,
    variant: `${rank}`,
    inputs: { x: { tensor: x, element: "u32" } },
    outputs: { result: { shape, dtype: x.dtype as DType, element: "u32" } },
    uniforms,
    threads: sizeOf(size),
    body: () => `${walkWgsl("axis", rank, ["from"], "index")}\nresult[index] = x[fromAt];`,
  })[0];
}

/** `value` as the 32 bits that a tensor of `dtype` holds. */
function bitsUniform(value: number, dtype: string): Uniform {
  return dtype === "float32" ? f32(value) : i32(dtype === "bool" ? Number(value !== 0) : value);
}

/** A new tensor all of one value. */
export function fill(backend: KernelBackend, shape: Shape, dtype: DType, value = 0): TensorInfo {
  return dispatch(backend, {
    name: "Fill",
    outputs: { result: { shape, dtype } },
    uniforms: { value: bitsUniform(value, dtype) },
    threads: sizeOf(shape),
    body: () => "result[index] = uniforms.value;",
  })[0];
}

/** Zeros where an input has no elements, since tfjs's kernels cannot bind an empty buffer; else null: they run. */
export function zerosForNothing({ inputs, backend }: KernelCall, shape: () => Shape): TensorInfo | null {
  return Object.values(inputs).some((input) => sizeOf(input.shape) === 0)
    ? fill(backend, shape(), "float32")
    : null;
}

/** `ai/StridedSlice`: element `i` along an axis comes from `begin + i·stride`. */
export function stridedSliceWebgpu({
  inputs: { x },
  attrs: { begin, strides, size },
  backend,
}: KernelCall<{ begin: number[]; strides: number[]; size: number[] }>): TensorInfo {
  const own = stridesOf(x.shape);
  return copyStrided(backend, {
    name: "StridedSlice",
    x,
    size,
    strides: strides.map((stride, axis) => stride * own[axis]),
    offset: begin.reduce((sum, start, axis) => sum + start * own[axis], 0),
  });
}

/** `ai/Place`: element `i` along an axis goes to `begin + i·stride` of a constant tensor. */
export function placeWebgpu({
  inputs: { x },
  attrs: { shape, begin, strides, value },
  backend,
}: KernelCall<{ shape: number[]; begin: number[]; strides: number[]; value: number }>): TensorInfo {
  const result = fill(backend, shape, x.dtype as DType, value);
  const own = stridesOf(shape);
  const target = {
    strides: strides.map((stride, axis) => stride * own[axis]),
    offset: begin.reduce((sum, start, axis) => sum + start * own[axis], 0),
  };
  const { rank, uniforms } = walk("axis", x.shape, { to: target });
  dispatch(backend, {
    name: "Place",
    variant: `${rank}`,
    inputs: { x: { tensor: x, element: "u32" } },
    inPlace: { result: { tensor: result, element: "u32" } },
    uniforms,
    threads: sizeOf(x.shape),
    body: () => `${walkWgsl("axis", rank, ["to"], "index")}\nresult[toAt] = x[index];`,
  });
  return result;
}

/** `ai/BroadcastTo`: repeats axes of size 1. */
export function broadcastWebgpu({
  inputs: { x },
  attrs: { shape },
  backend,
}: KernelCall<{ shape: number[] }>): TensorInfo {
  return copyStrided(backend, {
    name: "BroadcastTo",
    x,
    size: shape,
    strides: broadcastStrides(x.shape, shape),
  });
}

/** `ai/Transpose`: axis `i` of the result is axis `permutation[i]` of `x`. */
export function transposeWebgpu({
  inputs: { x },
  attrs: { permutation },
  backend,
}: KernelCall<{ permutation: number[] }>): TensorInfo {
  const own = stridesOf(x.shape);
  return copyStrided(backend, {
    name: "Transpose",
    x,
    size: permutation.map((axis) => x.shape[axis]),
    strides: permutation.map((axis) => own[axis]),
  });
}

/** `ai/Reverse`: walks the named axes backwards. */
export function reverseWebgpu({
  inputs: { x },
  attrs: { axes },
  backend,
}: KernelCall<{ axes: number[] }>): TensorInfo {
  const own = stridesOf(x.shape);
  return copyStrided(backend, {
    name: "Reverse",
    x,
    size: x.shape,
    strides: own.map((stride, axis) => (axes.includes(axis) ? -stride : stride)),
    offset: axes.reduce((sum, axis) => sum + (x.shape[axis] - 1) * own[axis], 0),
  });
}

/** `ai/Tile`: the whole of `x`, `repeats[axis]` times along each axis. */
export function tileWebgpu({
  inputs: { x },
  attrs: { repeats },
  backend,
}: KernelCall<{ repeats: number[] }>): TensorInfo {
  const own = stridesOf(x.shape);
  return copyStrided(backend, {
    name: "Tile",
    x,
    size: x.shape.flatMap((length, axis) => [repeats[axis], length]),
    strides: own.flatMap((stride) => [0, stride]),
    shape: x.shape.map((length, axis) => length * repeats[axis]),
  });
}

/** `ai/Split`: consecutive pieces of the given sizes along an axis. */
export function splitWebgpu({
  inputs: { x },
  attrs: { sizes, axis },
  backend,
}: KernelCall<{ sizes: number[]; axis: number }>): TensorInfo[] {
  const strides = stridesOf(x.shape);
  let start = 0;
  return sizes.map((length) => {
    const offset = start * strides[axis];
    start += length;
    const size = x.shape.map((whole, index) => (index === axis ? length : whole));
    return copyStrided(backend, { name: "Split", x, size, strides, offset });
  });
}

/** `ai/Concat`: the inputs one after the other along an axis. */
export function concatWebgpu({ inputs, attrs: { axis }, backend }: KernelCall<{ axis: number }>): TensorInfo {
  const parts = Object.values(inputs);
  const shape = [...parts[0].shape];
  shape[axis] = parts.reduce((sum, part) => sum + part.shape[axis], 0);
  const dtype = parts[0].dtype as DType;
  const strides = stridesOf(shape);
  let result: TensorInfo | undefined;
  let start = 0;
  for (const part of parts) {
    const offset = start * strides[axis];
    start += part.shape[axis];
    if (sizeOf(part.shape) === 0) continue;
    const { rank, uniforms } = walk("axis", part.shape, { to: { strides, offset } });
    const made = dispatch(backend, {
      name: "Concat",
      variant: `${rank}`,
      inputs: { part: { tensor: part, element: "u32" } },
      ...(result === undefined
        ? { outputs: { result: { shape, dtype, element: "u32" } } }
        : { inPlace: { result: { tensor: result, element: "u32" } } }),
      uniforms,
      threads: sizeOf(part.shape),
      body: () => `${walkWgsl("axis", rank, ["to"], "index")}\nresult[toAt] = part[index];`,
    });
    result ??= made[0];
  }
  return result ?? fill(backend, shape, dtype);
}
