import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { KernelCall } from "../../../kernels/define-kernel.js";
import { dispatch, u32 } from "../dispatch.js";

/** Entries that are ranked against each other directly; longer lines are merged from such runs. */
const RUN = 64;

/** An order of the numbers as unsigned integers: NaN largest, −0 equal to 0; all bits turned for a descending order. */
const KEY = `
fn key(at: u32) -> u32 {
  let bits = x[at];
  var ordered = bits ^ 0x80000000u;
  if (uniforms.isFloat == 1u) {
    if ((bits & 0x7fffffffu) > 0x7f800000u) { ordered = 0xffffffffu; }
    else if (bits == 0x80000000u) { ordered = 0x80000000u; }
    else if ((bits >> 31u) == 1u) { ordered = ~bits; }
  }
  return select(ordered, ~ordered, uniforms.descending == 1u);
}`;

/**
 * `ai/ArgSort`: x `[outer, length, inner]` → where each line's first `count` entries in order come from,
 * `[outer, count, inner]`. Stable: equals keep their order. A merge sort in which every entry finds its own place:
 * within a run by counting what stands before it, then, in each merge, by a binary search in the neighbour run.
 */
export function argSortWebgpu({
  inputs: { x },
  attrs,
  backend,
}: KernelCall<{ count: number; descending: boolean }>): TensorInfo {
  const [outer, length, inner] = x.shape;
  const { count, descending } = attrs;
  const steps: number[] = [];
  for (let run = RUN; run < length; run *= 2) steps.push(run);
  const common = {
    length: u32(length),
    inner: u32(inner),
    descending: u32(Number(descending)),
    isFloat: u32(Number(x.dtype === "float32")),
  };
  const keys = { tensor: x, element: "u32" };
  const result = (last: boolean) => ({
    order: { shape: [outer, last ? count : length, inner], dtype: "int32" as const },
  });
  const position = `
let column = index % uniforms.inner;
let row = index / uniforms.inner % uniforms.length;
let block = index / uniforms.inner / uniforms.length;
let base = block * uniforms.length * uniforms.inner + column;`;
  const write =
    "if (place < uniforms.wanted) { order[(block * uniforms.wanted + place) * uniforms.inner + column] =";

  let [order] = dispatch(backend, {
    name: "ArgSort/runs",
    inputs: { x: keys },
    outputs: result(steps.length === 0),
    uniforms: { ...common, wanted: u32(steps.length === 0 ? count : length) },
    threads: outer * length * inner,
    declarations: () => KEY,
    body: () => `${position}
let first = row / ${RUN}u * ${RUN}u;
let own = key(base + row * uniforms.inner);
var place = first;
for (var other = first; other < min(first + ${RUN}u, uniforms.length); other++) {
  let theirs = key(base + other * uniforms.inner);
  if (theirs < own || (theirs == own && other < row)) { place++; }
}
${write} i32(row); }`,
  });
  steps.forEach((run, step) => {
    const last = step === steps.length - 1;
    const [merged] = dispatch(backend, {
      name: "ArgSort/merge",
      inputs: { x: keys, runs: order },
      outputs: result(last),
      uniforms: { ...common, wanted: u32(last ? count : length), run: u32(run) },
      threads: outer * length * inner,
      declarations: () => KEY,
      body: () => `${position}
let source = runs[base + row * uniforms.inner];
let own = key(base + u32(source) * uniforms.inner);
let first = row / uniforms.run * uniforms.run;
let isLeft = (row / uniforms.run) % 2u == 0u;
let other = select(first - uniforms.run, first + uniforms.run, isLeft);
var low = min(other, uniforms.length);
var high = min(other + uniforms.run, uniforms.length);
let begin = low;
while (low < high) {
  let middle = (low + high) / 2u;
  let theirs = key(base + u32(runs[base + middle * uniforms.inner]) * uniforms.inner);
  if (theirs < own || (theirs == own && !isLeft)) { low = middle + 1u; } else { high = middle; }
}
let place = min(first, other) + (row - first) + (low - begin);
${write} source; }`,
    });
    backend.disposeData(order.dataId);
    order = merged;
  });
  return order;
}
