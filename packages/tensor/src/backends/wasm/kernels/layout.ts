import { backend_util, slice_util, type TensorInfo, util } from "@tensorflow/tfjs-core";
import { BYTES_PER_ELEMENT, type DType } from "../../../dtype.js";
import { sizeOf, stridesOf } from "../../../shape.js";
import type { WasmBackend } from "../backend.js";
import { MAXIMUM_AXES, mergeAxes, setAxes, type WalkAxis } from "./broadcast.js";
import type { WasmCall, WasmKernels } from "./kernel.js";

/** Whether the values are stored in the dtype that the tensor says, one of ours. */
export function isPlain(backend: WasmBackend, { dataId, shape, dtype }: TensorInfo): boolean {
  return (
    (dtype === "float32" || dtype === "int32" || dtype === "bool") &&
    backend.storedDType({ dataId, shape, dtype }) === dtype
  );
}

/** Copies `shape` elements between two places with strides of their own, 0 where one is repeated; false for too many axes. */
export function copyBlock(
  backend: WasmBackend,
  dtype: DType,
  shape: readonly number[],
  from: { readonly pointer: number; readonly strides: readonly number[]; readonly offset: number },
  to: { readonly pointer: number; readonly strides: readonly number[]; readonly offset: number },
): boolean {
  const axes = mergeAxes(
    shape.map((length, axis) => ({ length, strides: [from.strides[axis], to.strides[axis]] })),
  );
  const last = axes.at(-1)!;
  const size = BYTES_PER_ELEMENT[dtype];
  const repeats = size === 4 && last.strides[0] === 0 && last.strides[1] === 1;
  // the kernel copies runs: an innermost axis with gaps becomes runs of one element
  if (!repeats && last.strides.some((stride) => stride !== 1)) axes.push({ length: 1, strides: [1, 1] });
  if (axes.length > MAXIMUM_AXES) return false;
  setAxes(backend, axes);
  const [source, target] = [from.pointer + from.offset * size, to.pointer + to.offset * size];
  if (repeats) backend.exports.repeatElements(source, target, axes.length);
  else backend.exports.copyRuns(source, target, axes.length, size);
  return true;
}

/** How far into a tensor a position lies, in elements. */
export const offsetOf = (position: readonly number[], strides: readonly number[]): number =>
  position.reduce((sum, index, axis) => sum + index * strides[axis], 0);

function slice({ inputs: { x }, attrs, backend }: WasmCall): TensorInfo | null {
  if (!isPlain(backend, x) || x.shape.length === 0 || x.shape.length > MAXIMUM_AXES - 1) return null;
  const [begin, size] = slice_util.parseSliceParams(
    x as never,
    attrs.begin as number[],
    attrs.size as number[],
  );
  slice_util.assertParamsValid(x as never, begin, size);
  if (sizeOf(size) === 0) return null;
  const dtype = x.dtype as DType;
  const source = backend.pointer(x);
  const output = backend.allocateOutput(size, dtype);
  const strides = stridesOf(x.shape);
  copyBlock(
    backend,
    dtype,
    size,
    { pointer: source, strides, offset: offsetOf(begin, strides) },
    { pointer: backend.pointer(output), strides: stridesOf(size), offset: 0 },
  );
  return output;
}

function concat({ inputs, attrs, backend }: WasmCall): TensorInfo | null {
  const all = Object.values(inputs);
  const rank = all[0].shape.length;
  const axis = util.parseAxisParam(attrs.axis as number, all[0].shape)[0];
  const dtype = all[0].dtype as DType;
  if (rank === 0 || !all.every((tensor) => tensor.dtype === dtype && isPlain(backend, tensor))) return null;
  backend_util.assertParamsConsistent(
    all.map(({ shape }) => shape),
    axis,
  );
  const shape = backend_util.computeOutShape(
    all.map((tensor) => tensor.shape),
    axis,
  );
  if (sizeOf(shape) === 0) return null;
  const parts = all.filter((tensor) => sizeOf(tensor.shape) > 0);
  const pointers = parts.map((tensor) => backend.pointer(tensor));
  const output = backend.allocateOutput(shape, dtype);
  const target = backend.pointer(output);
  const outer = sizeOf(shape.slice(0, axis));
  const row = sizeOf(shape.slice(axis));
  let offset = 0;
  parts.forEach((tensor, index) => {
    const run = sizeOf(tensor.shape) / outer;
    copyBlock(
      backend,
      dtype,
      [outer, run],
      { pointer: pointers[index], strides: [run, 1], offset: 0 },
      { pointer: target, strides: [row, 1], offset },
    );
    offset += run;
  });
  return output;
}

/** The 32 bits of a float32 or an int32, as `fill` takes them. */
export function bitsOf(dtype: DType, value: number): number {
  return dtype === "float32" ? new Int32Array(Float32Array.of(value).buffer)[0] : value;
}

/** Writes one value into `count` elements. */
export function fill(backend: WasmBackend, target: number, count: number, dtype: DType, value: number): void {
  if (dtype === "bool") backend.runtime.uint8.fill(Number(value !== 0), target, target + count);
  else backend.exports.fill(target, count, bitsOf(dtype, value));
}

function pad({ inputs: { x }, attrs, backend }: WasmCall): TensorInfo | null {
  const { paddings, constantValue } = attrs as { paddings: [number, number][]; constantValue: number };
  const negative = paddings.some(([before, after]) => before < 0 || after < 0);
  if (!isPlain(backend, x) || negative || x.shape.length > MAXIMUM_AXES - 1) return null;
  const shape = x.shape.map((length, axis) => length + paddings[axis][0] + paddings[axis][1]);
  const count = sizeOf(shape);
  if (sizeOf(x.shape) === 0 || x.shape.length === 0) return null;
  const dtype = x.dtype as DType;
  const source = backend.pointer(x);
  const output = backend.allocateOutput(shape, dtype);
  const target = backend.pointer(output);
  fill(backend, target, count, dtype, constantValue);
  const strides = stridesOf(shape);
  copyBlock(
    backend,
    dtype,
    x.shape,
    { pointer: source, strides: stridesOf(x.shape), offset: 0 },
    {
      pointer: target,
      strides,
      offset: offsetOf(
        paddings.map(([before]) => before),
        strides,
      ),
    },
  );
  return output;
}

/** The axes of a transpose for `copyTransposed`: outer ones, then the plane of the two innermost. Undefined for a plain copy. */
function transposeWalk(shape: readonly number[], permutation: readonly number[]): WalkAxis[] | undefined {
  const sourceStrides = stridesOf(shape);
  const outShape = permutation.map((axis) => shape[axis]);
  const targetStrides = stridesOf(outShape);
  const merged = mergeAxes(
    permutation.map((axis, index) => ({
      length: shape[axis],
      strides: [sourceStrides[axis], targetStrides[index]],
    })),
  );
  const columns = merged.findIndex(({ strides }) => strides[0] === 1);
  const rows = merged.findIndex(({ strides }) => strides[1] === 1);
  if (columns === rows) return undefined;
  return [...merged.filter((_, index) => index !== columns && index !== rows), merged[rows], merged[columns]];
}

function transpose({ inputs: { x }, attrs, backend }: WasmCall): TensorInfo | null {
  const permutation = attrs.perm as number[];
  const { shape, dtype } = x;
  if (!isPlain(backend, x) || sizeOf(shape) === 0 || shape.length > MAXIMUM_AXES - 1) return null;
  const outShape = permutation.map((axis) => shape[axis]);
  // the kernel that turns planes takes elements of four bytes
  const walk = dtype === "bool" ? undefined : transposeWalk(shape, permutation);
  const source = backend.pointer(x);
  const output = backend.allocateOutput(outShape, dtype as DType);
  const target = backend.pointer(output);
  if (walk !== undefined) {
    setAxes(backend, walk);
    backend.exports.copyTransposed(source, target, walk.length);
    return output;
  }
  const sourceStrides = stridesOf(shape);
  copyBlock(
    backend,
    dtype as DType,
    outShape,
    { pointer: source, strides: permutation.map((axis) => sourceStrides[axis]), offset: 0 },
    { pointer: target, strides: stridesOf(outShape), offset: 0 },
  );
  return output;
}

/** The whole repeated along each axis: an axis of repeats, where the source stands still, before each axis of the source. */
function tile({ inputs: { x }, attrs, backend }: WasmCall): TensorInfo | null {
  const repeats = attrs.reps as number[];
  const { shape, dtype } = x;
  const outShape = shape.map((length, axis) => length * repeats[axis]);
  if (!isPlain(backend, x) || sizeOf(outShape) === 0 || shape.length === 0) return null;
  const [sourceStrides, targetStrides] = [stridesOf(shape), stridesOf(outShape)];
  return copied(backend, x, outShape, {
    shape: shape.flatMap((length, axis) => [repeats[axis], length]),
    from: shape.flatMap((_, axis) => [0, sourceStrides[axis]]),
    to: shape.flatMap((length, axis) => [length * targetStrides[axis], targetStrides[axis]]),
    dtype: dtype as DType,
  });
}

function reverse({ inputs: { x }, attrs, backend }: WasmCall): TensorInfo | null {
  const { shape, dtype } = x;
  const axes = util.parseAxisParam(attrs.dims as number | number[], shape);
  if (!isPlain(backend, x) || sizeOf(shape) === 0 || shape.length === 0) return null;
  const strides = stridesOf(shape);
  return copied(backend, x, shape, {
    shape,
    from: strides.map((stride, axis) => (axes.includes(axis) ? -stride : stride)),
    to: strides,
    dtype: dtype as DType,
    offset: axes.reduce((sum, axis) => sum + (shape[axis] - 1) * strides[axis], 0),
  });
}

/** A tensor of `outShape` whose elements are those of `x` along a walk; null when the walk has too many axes. */
function copied(
  backend: WasmBackend,
  x: TensorInfo,
  outShape: number[],
  walk: {
    readonly shape: readonly number[];
    readonly from: readonly number[];
    readonly to: readonly number[];
    readonly dtype: DType;
    readonly offset?: number;
  },
): TensorInfo | null {
  const source = backend.pointer(x);
  const output = backend.allocateOutput(outShape, walk.dtype);
  const isDone = copyBlock(
    backend,
    walk.dtype,
    walk.shape,
    { pointer: source, strides: walk.from, offset: walk.offset ?? 0 },
    { pointer: backend.pointer(output), strides: walk.to, offset: 0 },
  );
  if (isDone) return output;
  backend.disposeData(output.dataId);
  return null;
}

/** Whole slices along an axis, picked by index. An index out of range is left to the fallback, which names it. */
function gather({ inputs: { x, indices }, attrs, backend }: WasmCall): TensorInfo | null {
  const { axis, batchDims = 0 } = attrs as { axis: number; batchDims?: number };
  const along = util.parseAxisParam(axis, x.shape)[0];
  if (batchDims !== 0 || !isPlain(backend, x) || !isPlain(backend, indices) || indices.dtype !== "int32")
    return null;
  const outShape = [...x.shape.slice(0, along), ...indices.shape, ...x.shape.slice(along + 1)];
  if (sizeOf(outShape) === 0) return null;
  const count = sizeOf(indices.shape);
  const picked = backend.pointer(indices);
  const list = backend.runtime.int32.subarray(picked >>> 2, (picked >>> 2) + count);
  for (let i = 0; i < count; i++) if (list[i] < 0 || list[i] >= x.shape[along]) return null;
  const source = backend.pointer(x);
  const output = backend.allocateOutput(outShape, x.dtype as DType);
  const outer = sizeOf(x.shape.slice(0, along));
  const bytes = sizeOf(x.shape.slice(along + 1)) * BYTES_PER_ELEMENT[x.dtype as DType];
  backend.exports.gather(source, picked, backend.pointer(output), outer, x.shape[along], count, bytes);
  return output;
}

/** Rows added into the row that their index names; the gradient of an embedding. */
function unsortedSegmentSum({ inputs: { x, segmentIds }, attrs, backend }: WasmCall): TensorInfo | null {
  const numSegments = attrs.numSegments as number;
  if (!backend.isFloat32(x) || !isPlain(backend, segmentIds) || segmentIds.dtype !== "int32") return null;
  const count = sizeOf(segmentIds.shape);
  if (
    segmentIds.shape.some((length, axis) => length !== x.shape[axis]) ||
    sizeOf(x.shape) === 0 ||
    numSegments === 0
  )
    return null;
  const rest = x.shape.slice(segmentIds.shape.length);
  const inner = sizeOf(rest);
  const [source, indices] = [backend.pointer(x), backend.pointer(segmentIds)];
  const output = backend.allocateOutput([numSegments, ...rest]);
  backend.exports.scatterAdd(source, indices, backend.pointer(output), 1, count, numSegments, inner, 0);
  return output;
}

export const LAYOUT_KERNELS: WasmKernels = {
  Slice: slice,
  Concat: concat,
  PadV2: pad,
  Transpose: transpose,
  Tile: tile,
  Reverse: reverse,
  GatherV2: gather,
  UnsortedSegmentSum: unsortedSegmentSum,
};
