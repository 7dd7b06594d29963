// The gradient of the selective scan: chunk by chunk from the end, the states of a chunk computed again.
import { divideUp, scratch } from "./layout";
import { horizontalSum } from "./math";
import { multiplyAdd } from "./micro-kernel";
import { loadPart, storePart } from "./partial";
import {
  B,
  C,
  CHANNELS,
  CHUNK,
  D,
  LENGTH,
  OWN,
  STATE,
  STATES,
  STEP,
  X,
  fillDecays,
  packTransitions,
  setInputs,
  statesAfter,
} from "./selective-scan";
import { addressArgument, argument, forRange, setArgument } from "./threads";

/** Channels of a task, whose gradients of b and c are added up in it: one part of their sums. */
const BLOCK: i32 = 32;
/** Nanoseconds of a step of one number of state. */
const STEP_NANOSECONDS: f32 = 2;
/** Nanoseconds of a float of a part that is added to a sum. */
const ADDITION_NANOSECONDS: f32 = 0.3;

const LN_2: f32 = 0.693147180559945309;

const D_OUTPUT: i32 = OWN;
const D_STATES: i32 = OWN + 1;
const D_X: i32 = OWN + 2;
const D_STEP: i32 = OWN + 3;
const D_A: i32 = OWN + 4;
const D_B: i32 = OWN + 5;
const D_C: i32 = OWN + 6;
const D_D: i32 = OWN + 7;
const BATCH: i32 = OWN + 8;
// Of the sums over parts.
const PARTS: i32 = OWN + 9;
const SUM: i32 = OWN + 10;
const NUM_PARTS: i32 = OWN + 11;
const PART_SIZE: i32 = OWN + 12;

// What the backward pass needs of a number of state lies together, so that one address leads to all of it. For four
// channels: the transition, the gradient that comes from the steps behind, the chunk's part of the gradient of A.
const GROUP: usize = 48;
const CARRIED: usize = 16;
const D_TRANSITION: usize = 32;
// For a step of a chunk: the decay, the state before, and the gradients of b and c, not yet added over channels.
const RECORD: usize = 64;
const BEFORE: usize = 16;
const SUM_B: usize = 32;
const SUM_C: usize = 48;

/** The states before each of `count` steps and behind the last, from those before the first. */
function replay(place: usize, b: usize, count: i32, record: usize, left: i32): void {
  const stride = <usize>argument(CHANNELS) << 2,
    size = <usize>argument(STATE) * RECORD;
  let x = addressArgument(X) + place,
    step = addressArgument(STEP) + place;
  for (; count > 0; count--) {
    const input = f32x4.mul(loadPart(step, left), loadPart(x, left)),
      end = record + size;
    while (record < end) {
      const product = f32x4.mul(input, v128.load_splat<f32>(b));
      v128.store(record + size, multiplyAdd(product, v128.load(record), v128.load(record, BEFORE)), BEFORE);
      b += 4;
      record += RECORD;
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
  own: usize,
  record: usize,
  size: usize,
): void {
  const end = record + size;
  let toInput = f32x4.splat(0),
    toWidth = f32x4.splat(0);
  while (record < end) {
    const g = multiplyAdd(v128.load(own, CARRIED), dOutput, v128.load_splat<f32>(c));
    v128.store(record, multiplyAdd(v128.load(record, SUM_C), dOutput, v128.load(record + size, BEFORE)), SUM_C);
    v128.store(record, multiplyAdd(v128.load(record, SUM_B), g, input), SUM_B);
    toInput = multiplyAdd(toInput, g, v128.load_splat<f32>(b));
    const passed = f32x4.mul(g, v128.load(record));
    v128.store(own, passed, CARRIED);
    const slope = f32x4.mul(passed, v128.load(record, BEFORE));
    v128.store(own, multiplyAdd(v128.load(own, D_TRANSITION), slope, width), D_TRANSITION);
    toWidth = multiplyAdd(toWidth, slope, v128.load(own));
    b += 4;
    c += 4;
    own += GROUP;
    record += RECORD;
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
  own: usize,
  records: usize,
  skip: v128,
  left: i32,
): v128 {
  const stride = <usize>argument(CHANNELS) << 2,
    row = <usize>argument(STATE) << 2,
    size = <usize>argument(STATE) * RECORD;
  let dSkip = f32x4.splat(0);
  for (let t = count - 1; t >= 0; t--) {
    const at = place + <usize>t * stride,
      inside = <usize>t * row,
      x = loadPart(addressArgument(X) + at, left),
      width = loadPart(addressArgument(STEP) + at, left),
      dOutput = loadPart(addressArgument(D_OUTPUT) + at, left);
    retreat(dOutput, width, f32x4.mul(width, x), b + inside, c + inside, own, records + <usize>t * size, size);
    const toInput = inputSum;
    storePart(addressArgument(D_X) + at, multiplyAdd(f32x4.mul(toInput, width), skip, dOutput), left);
    // the transitions hold log₂ e
    const toWidth = f32x4.mul(decaySum, f32x4.splat(LN_2));
    storePart(addressArgument(D_STEP) + at, multiplyAdd(toWidth, toInput, x), left);
    dSkip = multiplyAdd(dSkip, dOutput, x);
  }
  return dSkip;
}

/** Adds a chunk's part of the gradient of A to the sum of those behind it, and clears it: long sums keep their digits. */
function addTransitions(sum: usize, own: usize): void {
  const end = own + <usize>argument(STATE) * GROUP;
  for (; own < end; own += GROUP) {
    v128.store(sum, f32x4.add(v128.load(sum), v128.load(own, D_TRANSITION)));
    v128.store(own, f32x4.splat(0), D_TRANSITION);
    sum += 16;
  }
}

/** Adds the lanes of the gradients of b and c in `count` records, and clears them. */
function storeLaneSums(dB: usize, dC: usize, record: usize, count: i32): void {
  for (; count > 0; count--) {
    store<f32>(dB, horizontalSum(v128.load(record, SUM_B)));
    store<f32>(dC, horizontalSum(v128.load(record, SUM_C)));
    v128.store(record, f32x4.splat(0), SUM_B);
    v128.store(record, f32x4.splat(0), SUM_C);
    dB += 4;
    dC += 4;
    record += RECORD;
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
    blocks = divideUp(channels, BLOCK);
  for (let block = from; block < to; block++) {
    const first = (block % blocks) * BLOCK;
    retreatBlock(block / blocks, block % blocks, first, min(BLOCK, channels - first));
  }
}

/** The states before a chunk's first step: those behind the chunk before, or 0. */
function loadBefore(sequence: i32, chunk: i32, channel: i32, record: usize, left: i32): void {
  const stride = <usize>argument(CHANNELS) << 2,
    end = record + <usize>argument(STATE) * RECORD;
  let saved = chunk > 0 ? statesAfter(addressArgument(STATES), sequence, chunk - 1, channel) : 0;
  for (; record < end; record += RECORD) {
    v128.store(record, chunk > 0 ? loadPart(saved, left) : f32x4.splat(0), BEFORE);
    saved += stride;
  }
}

/** Adds the gradients of the states behind a chunk. */
function addAfter(sequence: i32, chunk: i32, channel: i32, own: usize, left: i32): void {
  const stride = <usize>argument(CHANNELS) << 2,
    end = own + <usize>argument(STATE) * GROUP;
  let given = statesAfter(addressArgument(D_STATES), sequence, chunk, channel);
  for (; own < end; own += GROUP) {
    v128.store(own, f32x4.add(v128.load(own, CARRIED), loadPart(given, left)), CARRIED);
    given += stride;
  }
}

function retreatBlock(sequence: i32, block: i32, first: i32, width: i32): void {
  const length = argument(LENGTH),
    channels = argument(CHANNELS),
    state = argument(STATE),
    stride = <usize>channels << 2,
    groups = BLOCK >> 2,
    ownBytes = <usize>state * GROUP,
    skips = addressArgument(D);
  const sums = scratch(),
    dSkips = sums + ((<usize>groups * <usize>state) << 4),
    owns = dSkips + (<usize>groups << 4),
    records = owns + <usize>groups * ownBytes;
  memory.fill(sums, 0, records + <usize>(CHUNK * state) * RECORD - sums);
  for (let i = 0; i < width; i += 4) packTransitions(first + i, owns + (<usize>i >> 2) * ownBytes, GROUP, width - i);
  for (let chunk = divideUp(length, CHUNK) - 1; chunk >= 0; chunk--) {
    const start = chunk * CHUNK,
      count = min(CHUNK, length - start),
      row = <usize>sequence * <usize>length + <usize>start,
      b = addressArgument(B) + ((row * <usize>state) << 2),
      c = addressArgument(C) + ((row * <usize>state) << 2);
    for (let i = 0; i < width; i += 4) {
      const channel = first + i,
        left = width - i,
        place = row * stride + (<usize>channel << 2),
        own = owns + (<usize>i >> 2) * ownBytes,
        dSkip = dSkips + (<usize>i << 2);
      fillDecays(place, count, own, GROUP, records, RECORD, left);
      loadBefore(sequence, chunk, channel, records, left);
      replay(place, b, count, records, left);
      if (addressArgument(D_STATES)) addAfter(sequence, chunk, channel, own, left);
      const skip = skips ? loadPart(skips + (<usize>channel << 2), left) : f32x4.splat(0),
        part = retreatChunk(place, b, c, count, own, records, skip, left);
      v128.store(dSkip, f32x4.add(v128.load(dSkip), part));
      addTransitions(sums + ((<usize>(i >> 2) * <usize>state) << 4), own);
    }
    const part = ((<usize>block * <usize>argument(BATCH) * <usize>length + row) * <usize>state) << 2;
    storeLaneSums(addressArgument(D_B) + part, addressArgument(D_C) + part, records, count * state);
  }
  const at = <usize>sequence * <usize>channels + <usize>first;
  for (let i = 0; i < width; i += 4) {
    const from = sums + ((<usize>(i >> 2) * <usize>state) << 4);
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
  forRange(sumParts, size, 64, <f32>numParts * ADDITION_NANOSECONDS);
}

/** Bytes of working memory of {@link selectiveScanGradient}. */
export function selectiveScanBytes(batch: i32, length: i32, channels: i32, state: i32): usize {
  const blocks = divideUp(channels, BLOCK),
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
  const blocks = divideUp(channels, BLOCK),
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
  setInputs(x, step, a, b, c, d, states, length, channels, state);
  setArgument(D_OUTPUT, dOutput);
  setArgument(D_STATES, dStates);
  setArgument(D_X, dX);
  setArgument(D_STEP, dStep);
  setArgument(D_A, partA);
  setArgument(D_B, partB);
  setArgument(D_C, partC);
  setArgument(D_D, partD);
  setArgument(BATCH, batch);
  const cost = <f32>length * <f32>min(channels, BLOCK) * <f32>state * STEP_NANOSECONDS;
  forRange(retreatBlocks, batch * blocks, 1, cost);
  addParts(partB, blocks, row, dB);
  addParts(partC, blocks, row, dC);
  addParts(partA, batch, channels * state, dA);
  if (d) addParts(partD, batch, channels, dD);
}
