// The selective scan of Mamba and its gradient, four channels a vector. States are kept at the ends of chunks only: the
// backward pass computes a chunk's states again, where they fit the nearest cache.
import { divideUp, scratch } from "./layout";
import { horizontalSum } from "./math";
import { multiplyAdd } from "./micro-kernel";
import { loadPart, storePart } from "./partial";
import { addressArgument, argument, forRange, setArgument } from "./threads";

/** Steps of a chunk; src/kernels/selective-scan has the same number. */
const CHUNK: i32 = 16;
/** Channels of a task: a cache line forward; backward its sums over channels are one part. */
const FORWARD_CHANNELS: i32 = 16;
const BACKWARD_CHANNELS: i32 = 32;
/** Nanoseconds of a step of one number of state, forward and backward. */
const FORWARD_NANOSECONDS: f32 = 0.9;
const BACKWARD_NANOSECONDS: f32 = 2;

const LOG2_E: f32 = 1.44269504088896341;
const LN_2: f32 = 0.693147180559945309;

const X: i32 = 0;
const STEP: i32 = 1;
const A: i32 = 2;
const B: i32 = 3;
const C: i32 = 4;
const D: i32 = 5;
const STATES: i32 = 6;
const LENGTH: i32 = 7;
const CHANNELS: i32 = 8;
const STATE: i32 = 9;
const OUTPUT: i32 = 10;
const D_OUTPUT: i32 = 11;
const D_STATES: i32 = 12;
const D_X: i32 = 13;
const D_STEP: i32 = 14;
const D_A: i32 = 15;
const D_B: i32 = 16;
const D_C: i32 = 17;
const D_D: i32 = 18;
const BATCH: i32 = 19;
const PARTS: i32 = 20;
const SUM: i32 = 21;
const NUM_PARTS: i32 = 22;
const PART_SIZE: i32 = 23;

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

/** `decays[step][state] = 2^(step · transitions[state])` of `count` steps. */
function fillDecays(step: usize, stride: usize, count: i32, transitions: usize, decays: usize, size: usize, left: i32): void {
  for (; count > 0; count--) {
    const width = loadPart(step, left),
      end = decays + size;
    for (let a = transitions; decays < end; a += 16) {
      v128.store(decays, powerOfTwo(f32x4.mul(width, v128.load(a))));
      decays += 16;
    }
    step += stride;
  }
}

/** log₂ e times the rows of A of up to four channels, a vector a number of state. */
function packTransitions(a: usize, packed: usize, state: i32, left: i32): void {
  const row = <usize>state << 2;
  for (let i = 0; i < state; i++) {
    let value = f32x4.splat(load<f32>(a));
    if (left > 1) value = f32x4.replace_lane(value, 1, load<f32>(a + row));
    if (left > 2) value = f32x4.replace_lane(value, 2, load<f32>(a + 2 * row));
    if (left > 3) value = f32x4.replace_lane(value, 3, load<f32>(a + 3 * row));
    v128.store(packed, f32x4.mul(value, f32x4.splat(LOG2_E)));
    a += 4;
    packed += 16;
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
function statesAfter(states: usize, sequence: i32, chunk: i32, channel: i32): usize {
  const channels = <usize>argument(CHANNELS),
    rows = <usize>(sequence * divideUp(argument(LENGTH), CHUNK) + chunk) * <usize>argument(STATE);
  return states + ((rows * channels + <usize>channel) << 2);
}

function scanBlocks(from: i32, to: i32): void {
  const channels = argument(CHANNELS),
    blocks = divideUp(channels, FORWARD_CHANNELS);
  for (let block = from; block < to; block++) {
    const first = (block % blocks) * FORWARD_CHANNELS;
    scanBlock(block / blocks, first, min(FORWARD_CHANNELS, channels - first));
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
    packTransitions(
      addressArgument(A) + ((<usize>(first + i) * <usize>state) << 2),
      transitions + (<usize>i >> 2) * size,
      state,
      width - i,
    );
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
      fillDecays(
        addressArgument(STEP) + place,
        stride,
        count,
        transitions + (<usize>i >> 2) * size,
        decays,
        size,
        left,
      );
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

function setSizes(x: usize, step: usize, a: usize, b: usize, c: usize, d: usize, states: usize): void {
  setArgument(X, x);
  setArgument(STEP, step);
  setArgument(A, a);
  setArgument(B, b);
  setArgument(C, c);
  setArgument(D, d);
  setArgument(STATES, states);
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
  setSizes(x, step, a, b, c, d, states);
  setArgument(OUTPUT, output);
  setArgument(LENGTH, length);
  setArgument(CHANNELS, channels);
  setArgument(STATE, state);
  const work = <f32>length * <f32>min(channels, FORWARD_CHANNELS) * <f32>state;
  forRange(scanBlocks, batch * divideUp(channels, FORWARD_CHANNELS), 1, work * FORWARD_NANOSECONDS);
}

/** The states before each of `count` steps and after the last, from those in the first place. */
function replay(place: usize, b: usize, count: i32, decays: usize, states: usize, left: i32): void {
  const stride = <usize>argument(CHANNELS) << 2,
    size = <usize>argument(STATE) << 4;
  let x = addressArgument(X) + place,
    step = addressArgument(STEP) + place;
  for (; count > 0; count--) {
    const input = f32x4.mul(loadPart(step, left), loadPart(x, left)),
      end = states + size;
    while (states < end) {
      const product = f32x4.mul(input, v128.load_splat<f32>(b));
      v128.store(states + size, multiplyAdd(product, v128.load(decays), v128.load(states)));
      b += 4;
      decays += 16;
      states += 16;
    }
    x += stride;
    step += stride;
  }
}

/** Σ of the gradients that a step hands to its input, and to its width through the decay. */
let inputSum: v128 = f32x4.splat(0);
let decaySum: v128 = f32x4.splat(0);

/** The gradient of one step of four channels; the sums over steps and channels are added to what is there. */
function retreat(
  dOutput: v128,
  width: v128,
  input: v128,
  b: usize,
  c: usize,
  transitions: usize,
  decays: usize,
  states: usize,
  carried: usize,
  dTransitions: usize,
  dB: usize,
  dC: usize,
  size: usize,
): void {
  const end = carried + size;
  let toInput = f32x4.splat(0),
    toWidth = f32x4.splat(0);
  while (carried < end) {
    const g = multiplyAdd(v128.load(carried), dOutput, v128.load_splat<f32>(c));
    v128.store(dC, multiplyAdd(v128.load(dC), dOutput, v128.load(states + size)));
    v128.store(dB, multiplyAdd(v128.load(dB), g, input));
    toInput = multiplyAdd(toInput, g, v128.load_splat<f32>(b));
    const passed = f32x4.mul(g, v128.load(decays));
    v128.store(carried, passed);
    const slope = f32x4.mul(passed, v128.load(states));
    v128.store(dTransitions, multiplyAdd(v128.load(dTransitions), slope, width));
    toWidth = multiplyAdd(toWidth, slope, v128.load(transitions));
    b += 4;
    c += 4;
    transitions += 16;
    decays += 16;
    states += 16;
    carried += 16;
    dTransitions += 16;
    dB += 16;
    dC += 16;
  }
  inputSum = toInput;
  decaySum = toWidth;
}

/** Goes through a chunk backwards. @returns the gradient of the skip */
function retreatChunk(
  place: usize,
  b: usize,
  c: usize,
  count: i32,
  transitions: usize,
  decays: usize,
  states: usize,
  carried: usize,
  dTransitions: usize,
  dB: usize,
  dC: usize,
  skip: v128,
  left: i32,
): v128 {
  const stride = <usize>argument(CHANNELS) << 2,
    row = <usize>argument(STATE) << 2,
    size = row << 2;
  let dSkip = f32x4.splat(0);
  for (let t = count - 1; t >= 0; t--) {
    const at = place + <usize>t * stride,
      inside = <usize>t * size,
      x = loadPart(addressArgument(X) + at, left),
      width = loadPart(addressArgument(STEP) + at, left),
      dOutput = loadPart(addressArgument(D_OUTPUT) + at, left);
    retreat(
      dOutput,
      width,
      f32x4.mul(width, x),
      b + <usize>t * row,
      c + <usize>t * row,
      transitions,
      decays + inside,
      states + inside,
      carried,
      dTransitions,
      dB + inside,
      dC + inside,
      size,
    );
    const toInput = inputSum;
    storePart(addressArgument(D_X) + at, multiplyAdd(f32x4.mul(toInput, width), skip, dOutput), left);
    // the transitions hold log₂ e
    const toWidth = f32x4.mul(decaySum, f32x4.splat(LN_2));
    storePart(addressArgument(D_STEP) + at, multiplyAdd(toWidth, toInput, x), left);
    dSkip = multiplyAdd(dSkip, dOutput, x);
  }
  return dSkip;
}

/** `to += from`, then `from = 0`. */
function addTo(to: usize, from: usize, size: usize): void {
  for (let at: usize = 0; at < size; at += 16) {
    v128.store(to + at, f32x4.add(v128.load(to + at), v128.load(from + at)));
    v128.store(from + at, f32x4.splat(0));
  }
}

/** Sums of the four lanes of `count` vectors. */
function storeLaneSums(output: usize, vectors: usize, count: i32): void {
  for (; count > 0; count--) {
    store<f32>(output, horizontalSum(v128.load(vectors)));
    output += 4;
    vectors += 16;
  }
}

/** One number of state a row, up to four channels: their rows of the gradient of A. */
function storeTransitions(output: usize, vectors: usize, state: i32, left: i32): void {
  const row = <usize>state << 2;
  for (let i = 0; i < state; i++) {
    store<f32>(output, load<f32>(vectors));
    if (left > 1) store<f32>(output + row, load<f32>(vectors, 4));
    if (left > 2) store<f32>(output + 2 * row, load<f32>(vectors, 8));
    if (left > 3) store<f32>(output + 3 * row, load<f32>(vectors, 12));
    output += 4;
    vectors += 16;
  }
}

function retreatBlocks(from: i32, to: i32): void {
  const channels = argument(CHANNELS),
    blocks = divideUp(channels, BACKWARD_CHANNELS);
  for (let block = from; block < to; block++) {
    const first = (block % blocks) * BACKWARD_CHANNELS;
    retreatBlock(block / blocks, block % blocks, first, min(BACKWARD_CHANNELS, channels - first));
  }
}

/** States and gradients before the first step of up to four channels and a chunk. */
function loadBefore(saved: usize, states: usize, size: usize, left: i32): void {
  const stride = <usize>argument(CHANNELS) << 2;
  for (let at: usize = 0; at < size; at += 16) {
    v128.store(states + at, loadPart(saved, left));
    saved += stride;
  }
}

function addAfter(saved: usize, carried: usize, size: usize, left: i32): void {
  const stride = <usize>argument(CHANNELS) << 2;
  for (let at: usize = 0; at < size; at += 16) {
    v128.store(carried + at, f32x4.add(v128.load(carried + at), loadPart(saved, left)));
    saved += stride;
  }
}

function retreatBlock(sequence: i32, block: i32, first: i32, width: i32): void {
  const length = argument(LENGTH),
    channels = argument(CHANNELS),
    state = argument(STATE),
    stride = <usize>channels << 2,
    size = <usize>state << 4,
    groups = <usize>(BACKWARD_CHANNELS >> 2) * size,
    tile = <usize>CHUNK * size,
    sequences = argument(BATCH),
    skips = addressArgument(D);
  const transitions = scratch(),
    carried = transitions + groups,
    dTransitions = carried + groups,
    dSkips = dTransitions + groups,
    dChunk = dSkips + (<usize>BACKWARD_CHANNELS << 2),
    decays = dChunk + size,
    states = decays + tile,
    dB = states + tile + size,
    dC = dB + tile;
  memory.fill(carried, 0, decays - carried);
  for (let i = 0; i < width; i += 4)
    packTransitions(
      addressArgument(A) + ((<usize>(first + i) * <usize>state) << 2),
      transitions + (<usize>i >> 2) * size,
      state,
      width - i,
    );
  for (let chunk = divideUp(length, CHUNK) - 1; chunk >= 0; chunk--) {
    const start = chunk * CHUNK,
      count = min(CHUNK, length - start),
      row = <usize>sequence * <usize>length + <usize>start,
      b = addressArgument(B) + ((row * <usize>state) << 2),
      c = addressArgument(C) + ((row * <usize>state) << 2);
    memory.fill(dB, 0, tile << 1);
    for (let i = 0; i < width; i += 4) {
      const channel = first + i,
        left = width - i,
        place = row * stride + (<usize>channel << 2),
        inside = (<usize>i >> 2) * size;
      fillDecays(addressArgument(STEP) + place, stride, count, transitions + inside, decays, size, left);
      if (chunk > 0) loadBefore(statesAfter(addressArgument(STATES), sequence, chunk - 1, channel), states, size, left);
      else memory.fill(states, 0, size);
      replay(place, b, count, decays, states, left);
      if (addressArgument(D_STATES))
        addAfter(statesAfter(addressArgument(D_STATES), sequence, chunk, channel), carried + inside, size, left);
      const skip = skips ? loadPart(skips + (<usize>channel << 2), left) : f32x4.splat(0);
      const dSkip = retreatChunk(
        place,
        b,
        c,
        count,
        transitions + inside,
        decays,
        states,
        carried + inside,
        dChunk,
        dB,
        dC,
        skip,
        left,
      );
      const sum = dSkips + (<usize>i << 2);
      v128.store(sum, f32x4.add(v128.load(sum), dSkip));
      addTo(dTransitions + inside, dChunk, size);
    }
    const part = ((<usize>block * <usize>sequences * <usize>length + row) * <usize>state) << 2;
    storeLaneSums(addressArgument(D_B) + part, dB, count * state);
    storeLaneSums(addressArgument(D_C) + part, dC, count * state);
  }
  const at = <usize>sequence * <usize>channels + <usize>first;
  for (let i = 0; i < width; i += 4) {
    const from = dTransitions + (<usize>i >> 2) * size;
    storeTransitions(addressArgument(D_A) + (((at + <usize>i) * <usize>state) << 2), from, state, width - i);
    if (skips) storePart(addressArgument(D_D) + ((at + <usize>i) << 2), v128.load(dSkips + (<usize>i << 2)), width - i);
  }
}

function sumParts(from: i32, to: i32): void {
  const parts = argument(NUM_PARTS),
    partBytes = <usize>argument(PART_SIZE) << 2;
  let part = addressArgument(PARTS) + (<usize>from << 2),
    sum = addressArgument(SUM) + (<usize>from << 2);
  for (let left = to - from; left > 0; left -= 4) {
    let total = loadPart(part, left),
      next = part;
    for (let i = 1; i < parts; i++) {
      next += partBytes;
      total = f32x4.add(total, loadPart(next, left));
    }
    storePart(sum, total, left);
    part += 16;
    sum += 16;
  }
}

/** Adds parts of `size` floats in order, unless the only one is where the sum belongs. */
function addParts(parts: usize, numParts: i32, size: i32, sum: usize): void {
  if (parts == sum) return;
  setArgument(PARTS, parts);
  setArgument(SUM, sum);
  setArgument(NUM_PARTS, numParts);
  setArgument(PART_SIZE, size);
  forRange(sumParts, size, 64, <f32>numParts * <f32>0.3);
}

/** Bytes of working memory of {@link selectiveScanGradient}. */
export function selectiveScanBytes(batch: i32, length: i32, channels: i32, state: i32): usize {
  const blocks = divideUp(channels, BACKWARD_CHANNELS),
    row = <usize>batch * <usize>length * <usize>state,
    weights = <usize>channels * <usize>(state + 1);
  return ((blocks > 1 ? 2 * <usize>blocks * row : 0) + (batch > 1 ? <usize>batch * weights : 0)) << 2;
}

/** Gradients of all inputs of {@link selectiveScan}, from those of its output and, where present, of the states. */
export function selectiveScanGradient(
  dOutput: usize,
  dStates: usize,
  x: usize,
  step: usize,
  a: usize,
  b: usize,
  c: usize,
  d: usize,
  states: usize,
  dX: usize,
  dStep: usize,
  dA: usize,
  dB: usize,
  dC: usize,
  dD: usize,
  work: usize,
  batch: i32,
  length: i32,
  channels: i32,
  state: i32,
): void {
  const blocks = divideUp(channels, BACKWARD_CHANNELS),
    row = batch * length * state;
  let partB = dB,
    partC = dC,
    partA = dA,
    partD = dD;
  if (blocks > 1) {
    partB = work;
    partC = partB + ((<usize>blocks * <usize>row) << 2);
    work = partC + ((<usize>blocks * <usize>row) << 2);
  }
  if (batch > 1) {
    partA = work;
    partD = partA + ((<usize>batch * <usize>channels * <usize>state) << 2);
  }
  setSizes(x, step, a, b, c, d, states);
  setArgument(LENGTH, length);
  setArgument(CHANNELS, channels);
  setArgument(STATE, state);
  setArgument(D_OUTPUT, dOutput);
  setArgument(D_STATES, dStates);
  setArgument(D_X, dX);
  setArgument(D_STEP, dStep);
  setArgument(D_A, partA);
  setArgument(D_B, partB);
  setArgument(D_C, partC);
  setArgument(D_D, partD);
  setArgument(BATCH, batch);
  const cost = <f32>length * <f32>min(channels, BACKWARD_CHANNELS) * <f32>state * BACKWARD_NANOSECONDS;
  forRange(retreatBlocks, batch * blocks, 1, cost);
  addParts(partB, blocks, row, dB);
  addParts(partC, blocks, row, dC);
  addParts(partA, batch, channels * state, dA);
  if (d) addParts(partD, batch, channels, dD);
}
