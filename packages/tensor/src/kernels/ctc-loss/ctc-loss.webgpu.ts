import type { TensorInfo } from "@tensorflow/tfjs-core";
import { dispatch, u32 } from "../../backends/webgpu/dispatch.js";
import { wgslFunctions } from "../../backends/webgpu/kernels/wgsl.js";
import { sizeOf } from "../../shape.js";
import type { KernelCall } from "../define-kernel.js";
import { LANES, LARGEST_OVER_LANES_WGSL, SUM_OVER_LANES_WGSL } from "../webgpu-lanes.js";
import type { CtcLossAttributes } from "./ctc-loss-items.js";

/** WGSL: `logSum3(a, b, c)` is `ln(eᵃ + eᵇ + eᶜ)`, −∞ for three of them: −3e38 stands in, so that no difference is NaN. */
const LOG_SUM_WGSL = `
fn logSum3(a: f32, b: f32, c: f32) -> f32 {
  let largest = maxOf(maxOf(maxOf(a, b), c), -3e38);
  let total = expOf(a - largest) + expOf(b - largest) + expOf(c - largest);
  if (total == 0.0) { return -infinity(); }
  return largest + logOf(total);
}
// what a row is taken relative to: its largest value, where that is a number
fn shiftOf(largest: f32) -> f32 {
  if (isNanBits(largest) || largest < -3e38) { return 0.0; }
  return largest;
}`;

const declarations = (): string =>
  `${wgslFunctions(["exp", "log", "maxOf", "isNanBits", "infinity", "nan"])}${SUM_OVER_LANES_WGSL}${LARGEST_OVER_LANES_WGSL}`;

/** WGSL: an item's steps and labels that count; `states` are blank, label, blank, label … blank, in rows of `all`. */
const itemOf = (item: string): string => `
let item = ${item};
let steps = min(u32(max(inputLengths[item], 0)), uniforms.time);
let labels = min(u32(max(targetLengths[item], 0)), uniforms.labels);
let labelled = item * uniforms.labels;
let states = 2u * labels + 1u;
let all = 2u * uniforms.labels + 1u;`;

/** WGSL: the class of a state, and 0 where the state two before it (there is one) leads there directly, else −∞. */
const statesWgsl = (target: (index: string) => string): string => `
fn classOf(labelled: u32, state: u32) -> u32 {
  if ((state & 1u) == 0u) { return uniforms.blank; }
  return u32(${target("targets[labelled + state / 2u]")});
}
fn skip(labelled: u32, state: u32) -> f32 {
  let place = labelled + state / 2u;
  if ((state & 1u) == 1u && targets[place] != targets[place - 1u]) { return 0.0; }
  return -infinity();
}`;

/** A loop of WGSL over an item's states, shared by the workgroup's threads. */
const eachState = (statements: string): string =>
  `for (var state = lane; state < states; state += ${LANES}u) { ${statements} }`;

const uniformsOf = ({ inputs: { logProbabilities, targets }, attrs }: KernelCall<CtcLossAttributes>) => {
  const [, time, classes]: readonly number[] = logProbabilities.shape;
  const [, labels]: readonly number[] = targets.shape;
  return {
    time: u32(time),
    classes: u32(classes),
    labels: u32(labels),
    blank: u32(attrs.blank),
  };
};

/** An item a workgroup, its states shared by the threads, its steps one after the other. */
export function ctcLossWebgpu(call: KernelCall<CtcLossAttributes>): TensorInfo[] | null {
  const { inputs, backend } = call;
  const { logProbabilities, targets, inputLengths, targetLengths } = inputs;
  if (sizeOf(logProbabilities.shape) === 0) return null; // no step: the reference knows
  const [batch, time]: readonly number[] = logProbabilities.shape;
  const [, labels]: readonly number[] = targets.shape;
  return dispatch(backend, {
    name: "CtcLoss",
    inputs: { logProbabilities, targets, inputLengths, targetLengths },
    outputs: {
      losses: { shape: [batch], dtype: "float32" },
      alphas: { shape: [batch, time, 2 * labels + 1], dtype: "float32" },
    },
    uniforms: uniformsOf(call),
    groups: batch,
    checksIndices: true,
    declarations: () =>
      `${declarations()}${LOG_SUM_WGSL}${statesWgsl((target) => `checkedIndex(${target}, i32(uniforms.classes))`)}`,
    body: () => `${itemOf("group")}
let nowhere = -infinity();
var shifted = 0.0;
var part = 0.0;
for (var step = 0u; step < steps; step++) {
  let row = (item * uniforms.time + step) * all;
  let before = row - all;
  let scores = (item * uniforms.time + step) * uniforms.classes;
  part = nowhere;
  ${eachState(`
    let score = logProbabilities[scores + classOf(labelled, state)];
    var value = nowhere;
    if (step > 0u) {
      var fromPrevious = nowhere;
      var fromLabel = nowhere;
      if (state > 0u) { fromPrevious = alphas[before + state - 1u]; }
      if (state > 1u) { fromLabel = alphas[before + state - 2u] + skip(labelled, state); }
      value = logSum3(alphas[before + state], fromPrevious, fromLabel) + score;
    } else if (state < 2u) { value = score; }
    alphas[row + state] = value;
    part = maxOf(part, value);`)}
  let shift = shiftOf(largestOverLanes(part, lane));
  shifted += shift;
  ${eachState("alphas[row + state] -= shift;")}
  for (var state = states + lane; state < all; state += ${LANES}u) { alphas[row + state] = nowhere; }
  storageBarrier();
}
let end = (item * uniforms.time + uniforms.time) * all;
for (var place = (item * uniforms.time + steps) * all + lane; place < end; place += ${LANES}u) { alphas[place] = nowhere; }
if (lane == 0u) {
  // without steps all paths stand in front of the first state
  var last = select(nowhere, 0.0, labels == 0u);
  var lastLabel = nowhere;
  if (steps > 0u) {
    let corner = (item * uniforms.time + steps - 1u) * all + states - 1u;
    last = alphas[corner];
    if (labels > 0u) { lastLabel = alphas[corner - 1u]; }
  }
  losses[item] = -(shifted + logSum3(last, lastLabel, nowhere));
}`,
  });
}

/** Backward variables, added to the forward ones, an item a workgroup; then the gradient, a step a workgroup. */
export function ctcLossGradientWebgpu(call: KernelCall<CtcLossAttributes>): TensorInfo | null {
  const { inputs, attrs, backend } = call;
  const { dy, logProbabilities, targets, inputLengths, targetLengths, losses, alphas } = inputs;
  if (sizeOf(logProbabilities.shape) === 0) return null;
  const [batch, time]: readonly number[] = logProbabilities.shape;
  const [, labels]: readonly number[] = targets.shape;
  const [joined] = dispatch(backend, {
    name: "CtcLossBackward",
    inputs: { logProbabilities, targets, inputLengths, targetLengths, alphas },
    // behind the items' steps, two rows an item: the backward variables, and those with the step's log-probabilities
    outputs: { joined: { shape: [batch, time + 2, 2 * labels + 1], dtype: "float32" } },
    uniforms: uniformsOf(call),
    groups: batch,
    declarations: () => `${declarations()}${LOG_SUM_WGSL}${statesWgsl((target) => target)}`,
    body: () => `${itemOf("group")}
let rows = item * (uniforms.time + 2u) * all;
let betas = rows + uniforms.time * all;
let weighted = betas + all;
let nowhere = -infinity();
var part = 0.0;
${eachState("joined[betas + state] = select(nowhere, 0.0, state + 2u >= states);")}
for (var left = steps; left > 0u; left--) {
  let step = left - 1u;
  let row = rows + step * all;
  let scores = (item * uniforms.time + step) * uniforms.classes;
  ${eachState(`
    let beta = joined[betas + state];
    joined[row + state] = alphas[(item * uniforms.time + step) * all + state] + beta;
    joined[weighted + state] = beta + logProbabilities[scores + classOf(labelled, state)];`)}
  storageBarrier();
  part = nowhere;
  ${eachState(`
    var toNext = nowhere;
    var toLabel = nowhere;
    if (state + 1u < states) { toNext = joined[weighted + state + 1u]; }
    if (state + 2u < states) { toLabel = joined[weighted + state + 2u] + skip(labelled, state + 2u); }
    let value = logSum3(joined[weighted + state], toNext, toLabel);
    joined[betas + state] = value;
    part = maxOf(part, value);`)}
  let shift = shiftOf(largestOverLanes(part, lane));
  ${eachState("joined[betas + state] -= shift;")}
  storageBarrier();
}`,
  });
  const [gradient] = dispatch(backend, {
    name: "CtcLossGradient",
    inputs: { dy, logProbabilities, targets, inputLengths, targetLengths, losses },
    inPlace: { joined },
    outputs: { gradient: { shape: logProbabilities.shape, dtype: "float32" } },
    uniforms: { ...uniformsOf(call), zeroInfinity: u32(Number(attrs.zeroInfinity)) },
    groups: batch * time,
    declarations,
    body: () => `${itemOf("group / uniforms.time")}
let step = group % uniforms.time;
let scores = group * uniforms.classes;
let loss = losses[item];
let impossible = isInfBits(loss) && loss > 0.0;
if (step >= steps || impossible) {
  var value = 0.0;
  if (step < steps && uniforms.zeroInfinity == 0u) { value = nan(); }
  for (var kind = lane; kind < uniforms.classes; kind += ${LANES}u) { gradient[scores + kind] = value; }
  return;
}
let row = (item * (uniforms.time + 2u) + step) * all;
let factor = dy[item];
// probabilities of the states
var part = -infinity();
${eachState("part = maxOf(part, joined[row + state]);")}
let largest = maxOf(largestOverLanes(part, lane), -3e38);
part = 0.0;
var blanks = 0.0;
${eachState(`
  let power = expOf(joined[row + state] - largest);
  joined[row + state] = power;
  part += power;
  if ((state & 1u) == 0u) { blanks += power; }`)}
let share = factor / sumOverLanes(part, lane);
let blankShare = sumOverLanes(blanks, lane) * share;
for (var kind = lane; kind < uniforms.classes; kind += ${LANES}u) {
  var value = expOf(logProbabilities[scores + kind]) * factor;
  if (kind == uniforms.blank) { value -= blankShare; }
  gradient[scores + kind] = value;
}
storageBarrier();
// the first place of each label takes the states of all its places
for (var label = lane; label < labels; label += ${LANES}u) {
  let kind = targets[labelled + label];
  var isFirst = true;
  for (var other = 0u; other < label; other++) {
    if (targets[labelled + other] == kind) { isFirst = false; break; }
  }
  if (isFirst && kind >= 0 && u32(kind) < uniforms.classes) {
    var powers = joined[row + 2u * label + 1u];
    for (var other = label + 1u; other < labels; other++) {
      if (targets[labelled + other] == kind) { powers += joined[row + 2u * other + 1u]; }
    }
    gradient[scores + u32(kind)] -= powers * share;
  }
}`,
  });
  backend.disposeData(joined.dataId);
  return gradient;
}
