import type { KernelBackend, TensorInfo } from "@tensorflow/tfjs-core";
import { dispatch, u32 } from "../backends/webgpu/dispatch.js";

/**
 * Chains of recurrent steps as one kernel: an item of the batch a workgroup, its state in the workgroup's memory, each
 * step's product shared by the threads. As plain ops a step is a dozen kernels, whose start takes longer than their work.
 */
export const CHAIN_THREADS = 256;

/**
 * Hidden units up to which the chain is one kernel: every item reads the weight at every step, from the GPU's cache if
 * that holds it (256 units: 1 MB). Wider states are worth a product of their own.
 */
const MOST_UNITS = 256;

/** Whether a chain of this shape is one kernel; the others are for the reference. */
export function isShortChain(length: number, batch: number, size: number): boolean {
  return length > 0 && batch > 0 && size > 0 && size <= MOST_UNITS;
}

/** WGSL: a loop over `count` rows or units, shared by the workgroup's threads. */
export function eachOf(variable: string, count: number, statements: string): string {
  return `for (var ${variable} = lane; ${variable} < ${count}u; ${variable} += ${CHAIN_THREADS}u) { ${statements} }`;
}

/** WGSL: steps in the chain's order, `at` the step's row `[length · batch]`; `backward` from the chain's end. */
export function eachStep(statements: string, backward = false): string {
  return `for (var position = 0u; position < uniforms.length; position++) {
  let fromStart = ${backward ? "uniforms.length - 1u - position" : "position"};
  let step = select(fromStart, uniforms.length - 1u - fromStart, uniforms.reverse == 1u);
  let at = step * uniforms.batch + group;
  ${statements}
}`;
}

/** WGSL: makes `before`, a unit's value of `states` before this step of a backward chain, at the chain's start of `first`. */
export function beforeStep(first: string, states: string, size: number): string {
  return `var before = 0.0;
    if (fromStart == 0u) { before = ${first}[group * ${size}u + unit]; } else {
      let previous = select(step - 1u, step + 1u, uniforms.reverse == 1u);
      before = ${states}[(previous * uniforms.batch + group) * ${size}u + unit];
    }`;
}

/** The weight with its axes exchanged, so that neighbouring threads read neighbouring numbers. @returns `[size, width]` */
export function turned(backend: KernelBackend, weight: TensorInfo): TensorInfo {
  const [width, size] = weight.shape;
  const [turnedWeight] = dispatch(backend, {
    name: "turnedWeight",
    inputs: { weight },
    outputs: { turnedWeight: { shape: [size, width], dtype: "float32" } },
    uniforms: { width: u32(width), size: u32(size) },
    threads: width * size,
    body: () =>
      "turnedWeight[index] = weight[(index % uniforms.width) * uniforms.size + index / uniforms.width];",
  });
  return turnedWeight;
}

/** WGSL: workgroup memory of {@link flowBack}. */
export const flowBackMemory = (size: number): string => `
var<workgroup> flows: array<f32, ${partsOf(size) * size}>;`;

/** Threads that share one unit's sum. */
const partsOf = (size: number): number => Math.max(1, Math.floor(CHAIN_THREADS / size));

/** WGSL: `carried[unit]` is `sum over rows of slopes[row] · hiddenWeight[row][unit]`, plus `more`. Ends behind a barrier. */
export function flowBack(size: number, width: number, more = "0.0"): string {
  const parts = partsOf(size);
  return `
workgroupBarrier();
if (lane < ${parts * size}u) {
  let unit = lane % ${size}u;
  var total = 0.0;
  for (var row = lane / ${size}u; row < ${width}u; row += ${parts}u) {
    total += slopes[row] * hiddenWeight[row * ${size}u + unit];
  }
  flows[lane] = total;
}
workgroupBarrier();
${eachOf(
  "unit",
  size,
  `var total = ${more};
  for (var part = 0u; part < ${parts}u; part++) { total += flows[part * ${size}u + unit]; }
  carried[unit] = total;`,
)}
workgroupBarrier();`;
}
