// The selective scan of Mamba, four channels a vector. States are kept at the ends of chunks only: the backward pass
// (selective-scan-gradient.ts) computes a chunk's states again, where they fit the nearest cache.
import { divideUp, scratch } from "./layout";
import { multiplyAdd } from "./micro-kernel";
import { loadPart, storePart } from "./partial";
import { addressArgument, argument, forRange, setArgument } from "./threads";

/** Steps of a chunk; src/kernels/selective-scan has the same number. */
export const CHUNK: i32 = 16;
/** Channels of a task: a cache line. */
const BLOCK: i32 = 16;
/** Nanoseconds of a step of one number of state. */
const STEP_NANOSECONDS: f32 = 0.9;

const LOG2_E: f32 = 1.44269504088896341;

export const X: i32 = 0;
export const STEP: i32 = 1;
const A: i32 = 2;
export const B: i32 = 3;
export const C: i32 = 4;
export const D: i32 = 5;
export const STATES: i32 = 6;
export const LENGTH: i32 = 7;
export const CHANNELS: i32 = 8;
export const STATE: i32 = 9;
const OUTPUT: i32 = 10;
/** The first argument of the gradient's own. */
export const OWN: i32 = 11;

/** 1.5 · 2²³ + 127: adding it leaves a float's rounded value and the bias of an exponent in the low bits. */
const ROUNDER: f32 = 12583039;

/** 2^x, 2e-7 relative: 1 + f · P(f), our minimax fit, exact at 0. Infinity from 2^127.5 on, 0 below 2^−126.5. */
// @ts-ignore: decorator
@inline
function powerOfTwo(x: v128): v128 {
  const clamped = f32x4.pmin(f32x4.pmax(x, f32x4.splat(-127)), f32x4.splat(128));
  const shifted = f32x4.add(clamped, f32x4.splat(ROUNDER));
  const f = f32x4.sub(clamped, f32x4.sub(shifted, f32x4.splat(ROUNDER)));
  let p = multiplyAdd(f32x4.splat(0.00967151268815792), f32x4.splat(0.0013264727247066545), f);
  p = multiplyAdd(f32x4.splat(0.055507337435744236), p, f);
  p = multiplyAdd(f32x4.splat(0.24022242084635007), p, f);
  p = multiplyAdd(f32x4.splat(0.693146977598717), p, f);
  p = multiplyAdd(f32x4.splat(1), p, f);
  return f32x4.mul(p, i32x4.shl(shifted, 23));
}

/** `decays[step][state] = 2^(step · transitions[state])` of `count` steps; both lie in records of so many bytes. */
export function fillDecays(
  place: usize,
  count: i32,
  transitions: usize,
  transitionBytes: usize,
  decays: usize,
  decayBytes: usize,
  left: i32,
): void {
  const stride = <usize>argument(CHANNELS) << 2,
    size = <usize>argument(STATE) * decayBytes;
  let step = addressArgument(STEP) + place;
  for (; count > 0; count--) {
    const width = loadPart(step, left),
      end = decays + size;
    for (let a = transitions; decays < end; a += transitionBytes) {
      v128.store(decays, powerOfTwo(f32x4.mul(width, v128.load(a))));
      decays += decayBytes;
    }
    step += stride;
  }
}

/** log₂ e times the rows of A of up to four channels from `channel` on, a record of `bytes` a number of state. */
export function packTransitions(channel: i32, packed: usize, bytes: usize, left: i32): void {
  const state = argument(STATE),
    row = <usize>state << 2;
  let a = addressArgument(A) + <usize>channel * row;
  for (let i = 0; i < state; i++) {
    let value = v128.load_zero<f32>(a);
    if (left > 1) value = f32x4.replace_lane(value, 1, load<f32>(a + row));
    if (left > 2) value = f32x4.replace_lane(value, 2, load<f32>(a + 2 * row));
    if (left > 3) value = f32x4.replace_lane(value, 3, load<f32>(a + 3 * row));
    v128.store(packed, f32x4.mul(value, f32x4.splat(LOG2_E)));
    a += 4;
    packed += bytes;
  }
}

/** One step of four channels: `states = decays · states + input · b`. @returns `sum + Σ c · states` */
// @ts-ignore: decorator
@inline
function advance(input: v128, sum: v128, b: usize, c: usize, decays: usize, states: usize, size: usize): v128 {
  const end = states + size;
  while (states < end) {
    const state = multiplyAdd(f32x4.mul(input, v128.load_splat<f32>(b)), v128.load(decays), v128.load(states));
    v128.store(states, state);
    sum = multiplyAdd(sum, state, v128.load_splat<f32>(c));
    b += 4;
    c += 4;
    decays += 16;
    states += 16;
  }
  return sum;
}

/** A chunk of `count` steps of up to four channels; `place` is their offset in x. */
function scanChunk(place: usize, b: usize, c: usize, count: i32, decays: usize, states: usize, skip: v128, left: i32): void {
  const stride = <usize>argument(CHANNELS) << 2,
    row = <usize>argument(STATE) << 2,
    size = row << 2;
  let x = addressArgument(X) + place,
    step = addressArgument(STEP) + place,
    output = addressArgument(OUTPUT) + place;
  for (; count > 0; count--) {
    const value = loadPart(x, left),
      sum = advance(f32x4.mul(loadPart(step, left), value), f32x4.mul(skip, value), b, c, decays, states, size);
    storePart(output, sum, left);
    x += stride;
    step += stride;
    output += stride;
    b += row;
    c += row;
    decays += size;
  }
}

/** Address of the states after a chunk, `[batch, chunks, state, channels]`, from `channel` on. */
// @ts-ignore: decorator
@inline
export function statesAfter(states: usize, sequence: i32, chunk: i32, channel: i32): usize {
  const channels = <usize>argument(CHANNELS),
    rows = <usize>(sequence * divideUp(argument(LENGTH), CHUNK) + chunk) * <usize>argument(STATE);
  return states + ((rows * channels + <usize>channel) << 2);
}

function scanBlocks(from: i32, to: i32): void {
  const channels = argument(CHANNELS),
    blocks = divideUp(channels, BLOCK);
  for (let block = from; block < to; block++) {
    const first = (block % blocks) * BLOCK;
    scanBlock(block / blocks, first, min(BLOCK, channels - first));
  }
}

function scanBlock(sequence: i32, first: i32, width: i32): void {
  const length = argument(LENGTH),
    channels = argument(CHANNELS),
    state = argument(STATE),
    stride = <usize>channels << 2,
    size = <usize>state << 4,
    skips = addressArgument(D);
  const transitions = scratch(),
    states = transitions + (size << 2),
    decays = states + (size << 2);
  for (let i = 0; i < width; i += 4)
    packTransitions(first + i, transitions + (<usize>i >> 2) * size, 16, width - i);
  memory.fill(states, 0, size << 2);
  for (let start = 0, chunk = 0; start < length; start += CHUNK, chunk++) {
    const count = min(CHUNK, length - start),
      row = <usize>sequence * <usize>length + <usize>start,
      b = addressArgument(B) + ((row * <usize>state) << 2),
      c = addressArgument(C) + ((row * <usize>state) << 2);
    for (let i = 0; i < width; i += 4) {
      const channel = first + i,
        left = width - i,
        place = row * stride + (<usize>channel << 2),
        own = states + (<usize>i >> 2) * size;
      fillDecays(place, count, transitions + (<usize>i >> 2) * size, 16, decays, 16, left);
      const skip = skips ? loadPart(skips + (<usize>channel << 2), left) : f32x4.splat(0);
      scanChunk(place, b, c, count, decays, own, skip, left);
      let saved = statesAfter(addressArgument(STATES), sequence, chunk, channel);
      for (let at: usize = 0; at < size; at += 16) {
        storePart(saved, v128.load(own + at), left);
        saved += stride;
      }
    }
  }
}

/** Sets what both directions read. */
export function setInputs(
  x: usize,
  step: usize,
  a: usize,
  b: usize,
  c: usize,
  d: usize,
  states: usize,
  length: i32,
  channels: i32,
  state: i32,
): void {
  setArgument(X, x);
  setArgument(STEP, step);
  setArgument(A, a);
  setArgument(B, b);
  setArgument(C, c);
  setArgument(D, d);
  setArgument(STATES, states);
  setArgument(LENGTH, length);
  setArgument(CHANNELS, channels);
  setArgument(STATE, state);
}

/**
 * `h[t] = exp(step[t] · a) · h[t − 1] + step[t] · b[t] · x[t]`, `output[t] = c[t] · h[t] + d · x[t]`: `x`, `step` and
 * `output` `[batch, length, channels]`, `a` `[channels, state]`, `b` and `c` `[batch, length, state]`, `d` `[channels]`
 * or 0. `states` `[batch, chunks, state, channels]` gets `h` at the end of each chunk.
 */
export function selectiveScan(
  x: usize,
  step: usize,
  a: usize,
  b: usize,
  c: usize,
  d: usize,
  output: usize,
  states: usize,
  batch: i32,
  length: i32,
  channels: i32,
  state: i32,
): void {
  setInputs(x, step, a, b, c, d, states, length, channels, state);
  setArgument(OUTPUT, output);
  const work = <f32>length * <f32>min(channels, BLOCK) * <f32>state;
  forRange(scanBlocks, batch * divideUp(channels, BLOCK), 1, work * STEP_NANOSECONDS);
}
