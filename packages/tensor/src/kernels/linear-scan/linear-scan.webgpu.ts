import type { TensorInfo } from "@tensorflow/tfjs-core";
import { dispatch, u32 } from "../../backends/webgpu/dispatch.js";
import { sizeOf } from "../../shape.js";
import type { KernelCall } from "../define-kernel.js";
import { LANES } from "../webgpu-lanes.js";
import type { LinearScanAttributes } from "./linear-scan.js";

/** Sequences that keep a GPU busy with a thread each. */
const MANY_SEQUENCES = 8192;
/** Steps that a thread takes sooner than a workgroup agrees on them. */
const FEW_STEPS = 32;
/** Neighbouring channels that share a read of memory. */
const NARROWEST = 8;

/** Channels of a workgroup, a power of two: its other threads take other parts of the sequence. */
function widthOf(sequences: number, length: number, channels: number): number {
  if (sequences >= MANY_SEQUENCES || length <= FEW_STEPS) return LANES;
  return Math.min(NARROWEST, 2 ** Math.ceil(Math.log2(channels)));
}

/**
 * Each thread takes a part of a channel's sequence, from a state of 0; the workgroup passes the states behind the parts on
 * (`h → gains · h + ends`, a scan of log₂(parts) steps); then each thread goes through its part again.
 */
export function linearScanWebgpu({
  inputs: { factors, increments },
  attrs: { reverse },
  backend,
}: KernelCall<LinearScanAttributes>): TensorInfo | null {
  const { shape } = factors;
  if (sizeOf(shape) === 0) return null;
  const [batch, length]: readonly number[] = shape;
  const channels = sizeOf(shape.slice(2));
  const width = widthOf(batch * channels, length, channels);
  const [states] = dispatch(backend, {
    name: "LinearScan",
    inputs: { factors, increments },
    outputs: { states: { shape, dtype: "float32" } },
    uniforms: {
      channels: u32(channels),
      length: u32(length),
      width: u32(width),
      reverse: u32(Number(reverse)),
    },
    groups: batch * Math.ceil(channels / width),
    declarations: () => `
var<workgroup> gains: array<f32, ${LANES}>;
var<workgroup> ends: array<f32, ${LANES}>;
// what is 0 stays 0, also where the part's factors multiply to infinity
fn grown(before: f32, gain: f32) -> f32 {
  if ((bitcast<u32>(before) & 0x7fffffffu) == 0u) { return before; }
  return gain * before;
}
// where a step of the recurrence lies, as the steps follow each other
fn rowOf(step: u32) -> u32 {
  if (uniforms.reverse == 1u) { return uniforms.length - 1u - step; }
  return step;
}`,
    body: () => `
let width = uniforms.width;
let blocks = (uniforms.channels + width - 1u) / width;
let channel = group % blocks * width + lane % width;
let first = group / blocks * uniforms.length * uniforms.channels + channel;
let parts = ${LANES}u / width;
let size = (uniforms.length + parts - 1u) / parts;
var start = uniforms.length;
var end = uniforms.length;
if (channel < uniforms.channels) {
  start = min(lane / width * size, uniforms.length);
  end = min(start + size, uniforms.length);
}
var state = 0.0;
if (parts > 1u) {
  var gain = 1.0;
  for (var step = start; step < end; step++) {
    let place = first + rowOf(step) * uniforms.channels;
    // nothing comes before the first step
    if (step == 0u) { state = increments[place]; gain = 0.0; continue; }
    state = factors[place] * state + increments[place];
    gain *= factors[place];
  }
  gains[lane] = gain;
  ends[lane] = state;
  workgroupBarrier();
  for (var reach = width; reach < ${LANES}u; reach <<= 1u) {
    if (lane >= reach) {
      state = grown(ends[lane - reach], gain) + state;
      gain = grown(gains[lane - reach], gain);
    }
    workgroupBarrier();
    gains[lane] = gain;
    ends[lane] = state;
    workgroupBarrier();
  }
  state = 0.0;
  if (lane >= width) { state = ends[lane - width]; }
}
for (var step = start; step < end; step++) {
  let place = first + rowOf(step) * uniforms.channels;
  if (step == 0u) { state = increments[place]; }
  else { state = factors[place] * state + increments[place]; }
  states[place] = state;
}`,
  });
  return states;
}
