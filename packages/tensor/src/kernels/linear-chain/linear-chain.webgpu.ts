import type { KernelBackend, TensorInfo } from "@tensorflow/tfjs-core";
import { dispatch, u32 } from "../../backends/webgpu/dispatch.js";
import { wgslFunctions } from "../../backends/webgpu/kernels/wgsl.js";
import { sizeOf } from "../../shape.js";
import type { KernelCall } from "../define-kernel.js";
import { eachPlace, LARGEST_OVER_LANES_WGSL, SUM_OVER_LANES_WGSL } from "../webgpu-lanes.js";

/** WGSL: the functions of both directions. −3e38 stands in for a largest value of −∞, so that no difference is NaN. */
const declarations = (): string => `
${wgslFunctions(["exp", "log", "maxOf", "isNanBits", "infinity"])}${SUM_OVER_LANES_WGSL}${LARGEST_OVER_LANES_WGSL}
const lowest = -3e38;
fn logOfSum(largest: f32, total: f32) -> f32 {
  if (total == 0.0) { return -infinity(); }
  return largest + logOf(total);
}
// what a row is taken relative to: its largest value, where that is a number
fn shiftOf(largest: f32) -> f32 {
  if (isNanBits(largest) || largest <= lowest) { return 0.0; }
  return largest;
}`;

/**
 * WGSL: where the group's item begins and how many of its steps count. All that one direction leaves for the other lies
 * in `work`, since a kernel binds at most eight tensors on every GPU: the rows relative to their largest values, two more
 * rows (what comes after a step, and that with the step's scores), and the largest value of each row.
 */
const ITEM = `
let tags = uniforms.dim;
let length = uniforms.length;
let steps = min(u32(max(lengths[group], 0)), length);
let scores = group * length * tags;
let rows = group * ((length + 2u) * tags + length);
let after = rows + length * tags;
let here = after + tags;
let shifts = here + tags;`;

/** WGSL: `value` is `ln Σ e^term` over `other`, by the thread alone. */
const logSumAlone = (value: string, term: string): string => `
var highest = lowest;
for (var other = 0u; other < tags; other++) { highest = maxOf(highest, ${term}); }
var powers = 0.0;
for (var other = 0u; other < tags; other++) { powers += expOf(${term} - highest); }
let ${value} = logOfSum(highest, powers);`;

/** WGSL: makes `total`, `ln Σ e^term` over the row's places, by all threads. */
const logSumTogether = (term: string): string => `
part = lowest;
${eachPlace(`part = maxOf(part, ${term});`)}
let highestOfRow = largestOverLanes(part, lane);
part = 0.0;
${eachPlace(`part += expOf(${term} - highestOfRow);`)}
let total = logOfSum(highestOfRow, sumOverLanes(part, lane));`;

/**
 * An item a workgroup, its tags shared by the threads, its steps one after the other: as plain ops each step was a dozen
 * kernels. @returns sums `[batch]`; what the gradients start from
 */
function forwardPass(backend: KernelBackend, given: KernelCall["inputs"]): TensorInfo[] {
  const { emissions, transitions, start, end, lengths } = given;
  const [batch, length, tags]: readonly number[] = emissions.shape;
  return dispatch(backend, {
    name: "LinearChain",
    inputs: { emissions, transitions, firsts: start, lasts: end, lengths },
    outputs: {
      sums: { shape: [batch], dtype: "float32" },
      work: { shape: [batch, (length + 2) * tags + length], dtype: "float32" },
    },
    uniforms: { dim: u32(tags), length: u32(length) },
    groups: batch,
    declarations,
    body: () => `${ITEM}
var part = 0.0;
var shifted = 0.0;
for (var step = 0u; step < steps; step++) {
  let row = rows + step * tags;
  part = -infinity();
  ${eachPlace(`
    var reached = firsts[place];
    if (step > 0u) {
      ${logSumAlone("arriving", "(work[row - tags + other] + transitions[other * tags + place])")}
      reached = arriving;
    }
    let raw = reached + emissions[scores + step * tags + place];
    work[row + place] = raw;
    part = maxOf(part, raw);`)}
  let shift = shiftOf(largestOverLanes(part, lane));
  shifted += shift;
  if (lane == 0u) { work[shifts + step] = shift; }
  ${eachPlace("work[row + place] -= shift;")}
  storageBarrier();
}
${eachPlace("work[after + place] = lasts[place];")}
let last = rows + max(steps, 1u) * tags - tags;
${logSumTogether("(work[last + place] + lasts[place])")}
if (lane == 0u) { sums[group] = select(0.0, shifted + total, steps > 0u); }`,
  });
}

/** The sums. */
export function linearChainWebgpu({ inputs, backend }: KernelCall): TensorInfo | null {
  if (sizeOf(inputs.emissions.shape) === 0) return null; // no step or no tag: the reference knows
  const [sums, work] = forwardPass(backend, inputs);
  backend.disposeData(work.dataId);
  return sums;
}

/** The gradients: of emissions; of each item's transitions and end. */
export function linearChainGradientWebgpu({ inputs, backend }: KernelCall): TensorInfo[] | null {
  const { dy, emissions, transitions, lengths } = inputs;
  if (sizeOf(emissions.shape) === 0) return null;
  const [batch, length, tags]: readonly number[] = emissions.shape;
  const [sums, work] = forwardPass(backend, inputs);
  const gradients = dispatch(backend, {
    name: "LinearChainGradient",
    inputs: { dy, emissions, transitions, lengths },
    inPlace: { work },
    outputs: {
      shares: { shape: emissions.shape, dtype: "float32" },
      pairs: { shape: [batch, tags, tags], dtype: "float32" },
      ends: { shape: [batch, tags], dtype: "float32" },
    },
    uniforms: { dim: u32(tags), length: u32(length) },
    groups: batch,
    declarations,
    body: () => `${ITEM}
let own = group * tags;
let factor = dy[group];
var part = 0.0;
${eachPlace(`
  ends[own + place] = 0.0;
  for (var other = 0u; other < tags; other++) { pairs[(own + place) * tags + other] = 0.0; }
  for (var step = steps; step < length; step++) { shares[scores + step * tags + place] = 0.0; }`)}
for (var left = steps; left > 0u; left--) {
  let step = left - 1u;
  let row = rows + step * tags;
  let score = scores + step * tags;
  ${logSumTogether("(work[row + place] + work[after + place])")}
  let possible = isNanBits(total) || total > -infinity();
  ${eachPlace(`
    var share = 0.0;
    if (possible) { share = expOf(work[row + place] + work[after + place] - total) * factor; }
    shares[score + place] = share;
    if (left == steps) { ends[own + place] = share; }
    work[here + place] = emissions[score + place] + work[after + place];`)}
  if (step == 0u) { break; }
  storageBarrier();
  let shift = total + work[shifts + step];
  part = -infinity();
  ${eachPlace(`
    let pair = (own + place) * tags;
    if (possible) {
      let before = work[row - tags + place] - shift;
      for (var other = 0u; other < tags; other++) {
        pairs[pair + other] += factor * expOf(before + transitions[place * tags + other] + work[here + other]);
      }
    }
    ${logSumAlone("moved", "(transitions[place * tags + other] + work[here + other])")}
    work[after + place] = moved;
    part = maxOf(part, moved);`)}
  let largest = shiftOf(largestOverLanes(part, lane));
  ${eachPlace("work[after + place] -= largest;")}
  storageBarrier();
}`,
  });
  for (const { dataId } of [sums, work]) backend.disposeData(dataId);
  return gradients;
}
