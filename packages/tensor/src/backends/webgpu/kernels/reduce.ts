import type { KernelBackend, TensorInfo } from "@tensorflow/tfjs-core";
import type { DType } from "../../../dtype.js";
import type { KernelCall } from "../../../kernels/define-kernel.js";
import { sizeOf, stridesOf } from "../../../shape.js";
import { gpuBackend } from "../backend.js";
import { dispatch, f32, u32 } from "../dispatch.js";
import { walk, walkWgsl } from "./walk.js";
import { wgslFunctions } from "./wgsl.js";

/** Elements that one thread adds up one after the other at most: more would lose bits, and time. */
const THREAD_CHUNK = 256;
/** Elements that one workgroup of 64 threads reduces at most. */
const GROUP_CHUNK = 4096;
const LANES = 64;

/** An associative combination of two values `a` and `b`, by dtype. */
interface Reduction {
  readonly combine: string;
  readonly start: Readonly<{ float32?: string; int32?: string }>;
  readonly floatCombine?: string;
  readonly functions?: readonly string[];
}

const REDUCTIONS = {
  Sum: { combine: "a + b", start: { float32: "0.0", int32: "0" } },
  Mean: { combine: "a + b", start: { float32: "0.0" } },
  Prod: { combine: "a * b", start: { float32: "1.0", int32: "1" } },
  Max: {
    combine: "max(a, b)",
    floatCombine: "maxOf(a, b)",
    start: { float32: "-infinity()", int32: "-2147483647 - 1" },
    functions: ["maxOf", "infinity"],
  },
  Min: {
    combine: "min(a, b)",
    floatCombine: "minOf(a, b)",
    start: { float32: "infinity()", int32: "2147483647" },
    functions: ["minOf", "infinity"],
  },
  Any: { combine: "a | b", start: { int32: "0" } },
  All: { combine: "a & b", start: { int32: "1" } },
} satisfies Readonly<Record<string, Reduction>>;

/** Reduces over the named axes, which are dropped; a mean divides at the end. The order of additions depends on the shape alone. */
function reduce(
  backend: KernelBackend,
  x: TensorInfo,
  axis: readonly number[],
  name: keyof typeof REDUCTIONS,
  divisor = 1,
): TensorInfo {
  const reduction: Reduction = REDUCTIONS[name];
  const strides = stridesOf(x.shape);
  const axes = x.shape.map((_, index) => index);
  const kept = axes.filter((index) => !axis.includes(index));
  const gone = axes.filter((index) => axis.includes(index));
  const shape = kept.map((index) => x.shape[index]);
  const count = sizeOf(gone.map((index) => x.shape[index]));
  const outputs = sizeOf(shape);
  const outer = walk("kept", shape, { base: { strides: kept.map((index) => strides[index]) } });
  const inner = walk(
    "gone",
    gone.map((index) => x.shape[index]),
    { step: { strides: gone.map((index) => strides[index]) } },
  );
  // neighbouring threads read neighbours: rows are shared by a workgroup, columns go to a thread each
  const lastAxis = x.shape.findLastIndex((length) => length !== 1);
  const together = gone.includes(lastAxis) && count >= LANES / 2;
  const chunk = together ? GROUP_CHUNK : THREAD_CHUNK;
  const chunks = Math.max(1, Math.ceil(count / chunk));
  const float = x.dtype === "float32";
  const element = float ? "f32" : "i32";
  const start = float ? reduction.start.float32 : reduction.start.int32;
  const combine = float ? (reduction.floatCombine ?? reduction.combine) : reduction.combine;
  const worker = together ? "group" : "index";
  const [partial] = dispatch(backend, {
    name,
    variant: `${outer.rank},${inner.rank}`,
    inputs: { x },
    outputs: { result: { shape: chunks === 1 ? shape : [chunks, outputs], dtype: x.dtype as DType } },
    uniforms: {
      ...outer.uniforms,
      ...inner.uniforms,
      outputs: u32(Math.max(1, outputs)),
      size: u32(count),
      chunk: u32(chunk),
      divisor: f32(chunks === 1 ? divisor : 1),
    },
    ...(together ? { groups: outputs * chunks } : { threads: outputs * chunks }),
    declarations: () => `${float ? wgslFunctions(reduction.functions ?? []) : ""}
fn combine(a: ${element}, b: ${element}) -> ${element} { return ${combine}; }
${together ? `var<workgroup> partials: array<${element}, ${LANES}>;` : ""}`,
    body: () => `
let output = ${worker} % uniforms.outputs;
let first = ${worker} / uniforms.outputs * uniforms.chunk;
let end = min(first + uniforms.chunk, uniforms.size);
${walkWgsl("kept", outer.rank, ["base"], "output")}
var total: ${element} = ${start};
for (var position = first${together ? " + lane" : ""}; position < end; position += ${together ? `${LANES}u` : "1u"}) {
  ${walkWgsl("gone", inner.rank, ["step"], "position")}
  total = combine(total, x[baseAt + stepAt]);
}
${together ? groupTotal : ""}
result[${worker}] = ${name === "Mean" ? "total / uniforms.divisor" : "total"};`,
  });
  if (chunks === 1) return partial;
  const result = reduce(backend, partial, [0], name, divisor);
  gpuBackend(backend).disposeData(partial.dataId);
  return { ...result, shape };
}

/** Combines the totals of a workgroup's threads in a tree. */
const groupTotal = `
partials[lane] = total;
workgroupBarrier();
for (var half = ${LANES / 2}u; half > 0u; half >>= 1u) {
  if (lane < half) { partials[lane] = combine(partials[lane], partials[lane + half]); }
  workgroupBarrier();
}
if (lane > 0u) { return; }
total = partials[0];`;

/** `ai/Sum`, `ai/Mean`, `ai/Prod`, `ai/Max`, `ai/Min`, `ai/Any`, `ai/All` over the axes in `axis`, which are dropped. */
export function reduceWebgpu(
  { inputs: { x }, attrs: { axis }, backend }: KernelCall<{ axis: number[] }>,
  name: keyof typeof REDUCTIONS,
): TensorInfo {
  return reduce(backend, x, axis, name, name === "Mean" ? sizeOf(axis.map((index) => x.shape[index])) : 1);
}

/** The better of two candidates: NaN beats all, then the value, then the lower index. */
const better = (comparison: string, float: boolean): string => `
fn isBetter(a: ${float ? "f32" : "i32"}, aIndex: u32, b: ${float ? "f32" : "i32"}, bIndex: u32) -> bool {
  ${float ? "if (isNanBits(a) || isNanBits(b)) { return isNanBits(a) && (!isNanBits(b) || aIndex < bIndex); }" : ""}
  return a ${comparison} b || (a == b && aIndex < bIndex);
}`;

/** `ai/ArgMax` and `ai/ArgMin` along one axis, which is dropped: the first index of the best value, NaN being best. */
export function argReduceWebgpu(
  { inputs: { x }, attrs: { axis }, backend }: KernelCall<{ axis: number }>,
  name: "ArgMax" | "ArgMin",
): TensorInfo {
  const length = x.shape[axis];
  const inner = sizeOf(x.shape.slice(axis + 1));
  const float = x.dtype === "float32";
  const element = float ? "f32" : "i32";
  return dispatch(backend, {
    name,
    inputs: { x },
    outputs: { result: { shape: x.shape.filter((_, index) => index !== axis), dtype: "int32" } },
    uniforms: { length: u32(length), inner: u32(inner) },
    groups: sizeOf(x.shape) / Math.max(1, length),
    declarations:
      () => `${float ? wgslFunctions(["isNanBits"]) : ""}${better(name === "ArgMax" ? ">" : "<", float)}
var<workgroup> values: array<${element}, ${LANES}>;
var<workgroup> places: array<u32, ${LANES}>;`,
    body: () => `
let base = group / uniforms.inner * uniforms.length * uniforms.inner + group % uniforms.inner;
var place = min(lane, uniforms.length - 1u);
var value = x[base + place * uniforms.inner];
for (var position = lane + ${LANES}u; position < uniforms.length; position += ${LANES}u) {
  let candidate = x[base + position * uniforms.inner];
  if (isBetter(candidate, position, value, place)) { value = candidate; place = position; }
}
values[lane] = value;
places[lane] = place;
workgroupBarrier();
for (var half = ${LANES / 2}u; half > 0u; half >>= 1u) {
  if (lane < half && isBetter(values[lane + half], places[lane + half], values[lane], places[lane])) {
    values[lane] = values[lane + half];
    places[lane] = places[lane + half];
  }
  workgroupBarrier();
}
if (lane == 0u) { result[group] = i32(places[0]); }`,
  })[0];
}

/** `ai/Cumsum` and `ai/Cumprod` along one axis: a workgroup a line, each thread a stretch of it. */
export function cumulativeWebgpu(
  {
    inputs: { x },
    attrs: { axis, exclusive, reverse },
    backend,
  }: KernelCall<{ axis: number; exclusive: boolean; reverse: boolean }>,
  name: "Cumsum" | "Cumprod",
): TensorInfo {
  const length = x.shape[axis];
  const inner = sizeOf(x.shape.slice(axis + 1));
  const element = x.dtype === "float32" ? "f32" : "i32";
  const start = `${element}(${name === "Cumsum" ? 0 : 1})`;
  const combine = name === "Cumsum" ? "+" : "*";
  return dispatch(backend, {
    name,
    inputs: { x },
    outputs: { result: { shape: x.shape, dtype: x.dtype as DType } },
    uniforms: {
      length: u32(length),
      inner: u32(inner),
      stretch: u32(Math.ceil(length / LANES)),
      exclusive: u32(Number(exclusive)),
      reverse: u32(Number(reverse)),
    },
    groups: sizeOf(x.shape) / Math.max(1, length),
    declarations: () => `var<workgroup> totals: array<${element}, ${LANES}>;
fn place(position: u32) -> u32 { return select(position, uniforms.length - 1u - position, uniforms.reverse == 1u); }`,
    body: () => `
let base = group / uniforms.inner * uniforms.length * uniforms.inner + group % uniforms.inner;
let first = min(lane * uniforms.stretch, uniforms.length);
let end = min(first + uniforms.stretch, uniforms.length);
var total = ${start};
for (var position = first; position < end; position++) { total = total ${combine} x[base + place(position) * uniforms.inner]; }
totals[lane] = total;
workgroupBarrier();
var running = ${start};
for (var before = 0u; before < lane; before++) { running = running ${combine} totals[before]; }
for (var position = first; position < end; position++) {
  let at = base + place(position) * uniforms.inner;
  let next = running ${combine} x[at];
  result[at] = select(next, running, uniforms.exclusive == 1u);
  running = next;
}`,
  })[0];
}
