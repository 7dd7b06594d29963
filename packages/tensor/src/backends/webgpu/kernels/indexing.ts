import type { Tensor, TensorInfo } from "@tensorflow/tfjs-core";
import type { DType } from "../../../dtype.js";
import type { KernelCall } from "../../../kernels/define-kernel.js";
import type {
  DepthAttributes,
  FlattenAttributes,
  LengthAttributes,
  OperationAttributes,
} from "../../../ops/indexing-kernels.js";
import { sizeOf } from "../../../shape.js";
import { dispatch, i32, u32 } from "../dispatch.js";
import { argSortWebgpu } from "./sort.js";
import { fill } from "./strided.js";

/** `ai/Gather`: x `[outer, length, inner]` at indices `[count]` → `[outer, count, inner]`. */
export function gatherWebgpu({
  inputs: { x, indices },
  attrs: { operation },
  backend,
}: KernelCall<OperationAttributes>): TensorInfo {
  const [outer, length, inner] = x.shape;
  const count = sizeOf(indices.shape);
  const shape = [outer, count, inner];
  return dispatch(backend, {
    name: operation,
    variant: "Gather",
    inputs: { x: { tensor: x, element: "u32" }, indices },
    outputs: { result: { shape, dtype: x.dtype as DType, element: "u32" } },
    uniforms: { length: i32(length), rows: u32(count), inner: u32(inner) },
    threads: sizeOf(shape),
    checksIndices: true,
    body: () => `
let column = index % uniforms.inner;
let row = index / uniforms.inner;
let source = u32(checkedIndex(indices[row % uniforms.rows], uniforms.length));
result[index] = x[(row / uniforms.rows * u32(uniforms.length) + source) * uniforms.inner + column];`,
  })[0];
}

/** `ai/TakeAlongAxis`: x `[outer, length, inner]`, indices `[outer, count, inner]` → `[outer, count, inner]`. */
export function takeAlongAxisWebgpu({
  inputs: { x, indices },
  attrs: { operation },
  backend,
}: KernelCall<OperationAttributes>): TensorInfo {
  const [, count, inner] = indices.shape;
  const [, length] = x.shape;
  return dispatch(backend, {
    name: operation,
    variant: "TakeAlongAxis",
    inputs: { x: { tensor: x, element: "u32" }, indices },
    outputs: { result: { shape: indices.shape, dtype: x.dtype as DType, element: "u32" } },
    uniforms: { length: i32(length), block: u32(count * inner), inner: u32(inner) },
    threads: sizeOf(indices.shape),
    checksIndices: true,
    body: () => `
let source = u32(checkedIndex(indices[index], uniforms.length));
result[index] = x[(index / uniforms.block * u32(uniforms.length) + source) * uniforms.inner + index % uniforms.inner];`,
  })[0];
}

/** `ai/ScatterRows`: rows of updates `[outer, count, inner]` added into zeros `[outer, length, inner]` at indices `[count]`. */
export function scatterRowsWebgpu({ inputs, attrs, backend }: KernelCall<LengthAttributes>): TensorInfo {
  const [, count] = inputs.updates.shape;
  const chain = successors(backend, inputs.indices, attrs, [1, count, 1]);
  return scatter({ inputs, attrs, backend }, chain, "row");
}

/** `ai/ScatterAlongAxis`: updates and indices `[outer, count, inner]` → sums in `[outer, length, inner]`. */
export function scatterAlongAxisWebgpu({ inputs, attrs, backend }: KernelCall<LengthAttributes>): TensorInfo {
  const chain = successors(backend, inputs.indices, attrs, inputs.updates.shape);
  return scatter({ inputs, attrs, backend }, chain, "element");
}

/**
 * Adds the updates of one index in their order, by the thread of the first: no atomics, so that the sum is the same
 * in every run. Frees the chain.
 */
function scatter(
  { inputs: { updates, indices }, attrs: { length }, backend }: KernelCall<LengthAttributes>,
  chain: TensorInfo,
  linkEach: "row" | "element",
): TensorInfo {
  const [outer, count, inner] = updates.shape;
  const result = fill(backend, [outer, length, inner], updates.dtype as DType);
  const link = (row: string): string => (linkEach === "row" ? row : `line + ${row} * uniforms.inner`);
  dispatch(backend, {
    name: "ScatterAdd",
    variant: linkEach,
    inputs: { updates, indices, next: chain },
    inPlace: { result },
    uniforms: { length: u32(length), rows: u32(count), inner: u32(inner) },
    threads: outer * count * inner,
    body: () => `
let column = index % uniforms.inner;
let row = index / uniforms.inner % uniforms.rows;
let block = index / uniforms.inner / uniforms.rows;
let line = block * uniforms.rows * uniforms.inner + column;
let first = next[${link("row")}];
if (first < 0 || (first & ${IS_FIRST}) == 0) { return; }
var at = u32(first & ~${IS_FIRST});
var total = updates[index];
while (at < uniforms.rows) {
  total += updates[line + at * uniforms.inner];
  at = u32(next[${link("at")}] & ~${IS_FIRST});
}
result[(block * uniforms.length + u32(indices[${link("row")}])) * uniforms.inner + column] = total;`,
  });
  backend.disposeData(chain.dataId);
  return result;
}

/** Entries of a line up to which each looks for its successor; longer lines are sorted, or the search would take squares. */
const SEARCHED = 2048;

/** Bit of a link that says: no earlier entry has this index. */
const IS_FIRST = "0x40000000";

/**
 * For each entry of a line the place of the next entry with the same index (`count` for none), with {@link IS_FIRST} set
 * where it applies; −1 for an index out of range, which raises the flag.
 */
function successors(
  backend: KernelCall["backend"],
  indices: TensorInfo,
  { length, operation }: LengthAttributes,
  shape: readonly number[],
): TensorInfo {
  const [outer, count, inner] = shape;
  if (count > SEARCHED) return sortedSuccessors(backend, indices, { length, operation }, shape);
  return dispatch(backend, {
    name: operation,
    variant: "Successors",
    inputs: { indices },
    outputs: { next: { shape: [outer, count, inner], dtype: "int32" } },
    uniforms: { length: i32(length), rows: u32(count), inner: u32(inner) },
    threads: outer * count * inner,
    checksIndices: true,
    body: () => `
let column = index % uniforms.inner;
let row = index / uniforms.inner % uniforms.rows;
let base = index / uniforms.inner / uniforms.rows * uniforms.rows * uniforms.inner + column;
let own = indices[index];
if (!validIndex(own, uniforms.length)) { next[index] = -1; return; }
var link = ${IS_FIRST};
for (var before = 0u; before < row; before++) {
  if (indices[base + before * uniforms.inner] == own) { link = 0; break; }
}
var after = row + 1u;
while (after < uniforms.rows && indices[base + after * uniforms.inner] != own) { after++; }
next[index] = link | i32(after);`,
  })[0];
}

/** The same links from a stable sort of each line: an entry's successor is the one behind it, if of the same index. */
function sortedSuccessors(
  backend: KernelCall["backend"],
  indices: TensorInfo,
  { length, operation }: LengthAttributes,
  shape: readonly number[],
): TensorInfo {
  const [outer, count, inner] = shape;
  const x = { ...indices, shape: [...shape] } as Tensor; // one row of indices may stand for a block
  const order = argSortWebgpu({ inputs: { x }, attrs: { count, descending: false }, backend });
  const [next] = dispatch(backend, {
    name: operation,
    variant: "SortedSuccessors",
    inputs: { indices, order },
    outputs: { next: { shape, dtype: "int32" } },
    uniforms: { length: i32(length), rows: u32(count), inner: u32(inner) },
    threads: outer * count * inner,
    checksIndices: true,
    body: () => `
let column = index % uniforms.inner;
let place = index / uniforms.inner % uniforms.rows;
let base = index / uniforms.inner / uniforms.rows * uniforms.rows * uniforms.inner + column;
let row = order[index];
let own = indices[base + u32(row) * uniforms.inner];
var link = -1;
if (validIndex(own, uniforms.length)) {
  link = i32(uniforms.rows);
  if (place + 1u < uniforms.rows) {
    let behind = order[index + uniforms.inner];
    if (indices[base + u32(behind) * uniforms.inner] == own) { link = behind; }
  }
  var isFirst = true;
  if (place > 0u) { isFirst = indices[base + u32(order[index - uniforms.inner]) * uniforms.inner] != own; }
  if (isFirst) { link |= ${IS_FIRST}; }
}
next[base + u32(row) * uniforms.inner] = link;`,
  });
  backend.disposeData(order.dataId);
  return next;
}

/** `ai/FlattenIndices`: coordinates `[count, depth]` → positions `[count]` in a tensor of sizes `dims`. */
export function flattenIndicesWebgpu({
  inputs: { indices },
  attrs: { dims, operation },
  backend,
}: KernelCall<FlattenAttributes>): TensorInfo {
  const uniforms = Object.fromEntries(dims.map((length, axis) => [`length${axis}`, i32(length)]));
  return dispatch(backend, {
    name: operation,
    variant: `FlattenIndices${dims.length}`,
    inputs: { indices },
    outputs: { result: { shape: [indices.shape[0]], dtype: "int32" } },
    uniforms,
    threads: indices.shape[0],
    checksIndices: true,
    body: () => `
var position = 0;
${dims
  .map(
    (_, axis) =>
      `position = position * uniforms.length${axis} + checkedIndex(indices[index * ${dims.length}u + ${axis}u], uniforms.length${axis});`,
  )
  .join("\n")}
result[index] = position;`,
  })[0];
}

/** `ai/OneHot`: indices `[count]` → `[count, depth]`. */
export function oneHotWebgpu({
  inputs: { indices },
  attrs: { depth, dtype },
  backend,
}: KernelCall<DepthAttributes>): TensorInfo {
  const shape = [indices.shape[0], depth];
  return dispatch(backend, {
    name: "oneHot",
    variant: dtype === "float32" ? "float" : "int",
    inputs: { indices },
    outputs: { result: { shape, dtype } },
    uniforms: { depth: i32(depth) },
    threads: sizeOf(shape),
    checksIndices: true,
    body: () => `
let own = indices[index / u32(uniforms.depth)];
let hit = validIndex(own, uniforms.depth) && own == i32(index % u32(uniforms.depth));
result[index] = select(${dtype === "float32" ? "0.0, 1.0" : "0, 1"}, hit);`,
  })[0];
}
