// A chain of GRU steps and its gradient: the product and the cell of a step in one job. Gates are r, z, n.
import { hyperbolicTangent, logistic } from "./math";
import { loadPart, storePart } from "./partial";
import {
  BATCH,
  CARRIED,
  D_GATES,
  D_HIDDEN,
  GATES_IN,
  GATES_OUT,
  GATES_SAVED,
  HIDDEN_OUT,
  OWN_BACKWARD,
  OWN_FORWARD,
  SIZE,
  STATE_BEFORE,
  STATE_IN,
  addOptional,
  forTiles,
  packBackwardWeight,
  packFirstState,
  packForwardWeight,
  packTile,
  packedStateBytes,
  padded,
  runStep,
  setStates,
} from "./sequence";
import { addressArgument, argument, setArgument } from "./threads";

/** Nanoseconds of the cell of one hidden unit, forward and backward. */
const FORWARD_NANOSECONDS: f32 = 8;
const BACKWARD_NANOSECONDS: f32 = 3;

/** Bytes of working memory of {@link gruSequence} and of {@link gruSequenceGradient}. */
export function gruSequenceBytes(batch: i32, size: i32): usize {
  const wide = padded(size);
  return 12 * <usize>wide * <usize>wide + 2 * packedStateBytes(batch, 3 * wide);
}

/** Address of what a step reads besides the shared ones; 0 if there is none. */
const BIAS: i32 = OWN_FORWARD;

function forwardCell(group: i32, panel: i32, tiles: usize): void {
  const size = argument(SIZE),
    unit = group << 3,
    left = min(8, size - unit),
    row = panel << 2,
    rows = min(4, argument(BATCH) - row),
    bytes = <usize>size << 2,
    bias = addressArgument(BIAS);
  const at = <usize>unit << 2,
    place = <usize>row * bytes + at;
  let gatesIn = addressArgument(GATES_IN) + 3 * <usize>row * bytes + at,
    gatesOut = addressArgument(GATES_OUT) + 4 * <usize>row * bytes + at,
    hiddenIn = addressArgument(STATE_IN) + place,
    hiddenOut = addressArgument(HIDDEN_OUT) + place,
    tile = tiles;
  for (let i = 0; i < rows; i++) {
    forwardRow(tile, gatesIn, gatesOut, hiddenIn, hiddenOut, bias ? bias + at : 0, bytes, left);
    if (left > 4)
      forwardRow(
        tile + 16,
        gatesIn + 16,
        gatesOut + 16,
        hiddenIn + 16,
        hiddenOut + 16,
        bias ? bias + at + 16 : 0,
        bytes,
        left - 4,
      );
    tile += 32;
    gatesIn += 3 * bytes;
    gatesOut += bytes << 2;
    hiddenIn += bytes;
    hiddenOut += bytes;
  }
  packTile(tiles, panel, unit, left);
}

/** A hidden gate: its product and its bias, if there is one. */
// @ts-ignore: decorator
@inline
function hiddenGate(tile: usize, bias: usize, offset: usize, left: i32): v128 {
  const product = v128.load(tile);
  return bias ? f32x4.add(product, loadPart(bias + offset, left)) : product;
}

/** Up to four units of one row; the hidden state also takes the place of the first gate's product. */
function forwardRow(
  tile: usize,
  gatesIn: usize,
  gatesOut: usize,
  hiddenIn: usize,
  hiddenOut: usize,
  bias: usize,
  bytes: usize,
  left: i32,
): void {
  const reset = logistic(f32x4.add(loadPart(gatesIn, left), hiddenGate(tile, bias, 0, left))),
    update = logistic(f32x4.add(loadPart(gatesIn + bytes, left), hiddenGate(tile + 128, bias, bytes, left))),
    recalled = hiddenGate(tile + 256, bias, 2 * bytes, left),
    candidate = hyperbolicTangent(f32x4.add(loadPart(gatesIn + 2 * bytes, left), f32x4.mul(reset, recalled)));
  storePart(gatesOut, reset, left);
  storePart(gatesOut + bytes, update, left);
  storePart(gatesOut + 2 * bytes, candidate, left);
  storePart(gatesOut + 3 * bytes, recalled, left);
  const fresh = f32x4.mul(f32x4.sub(f32x4.splat(1), update), candidate),
    hidden = f32x4.add(fresh, f32x4.mul(update, loadPart(hiddenIn, left)));
  storePart(hiddenOut, hidden, left);
  v128.store(tile, hidden);
}

function forwardStep(task: i32, _: i32): void {
  forTiles(task, forwardCell, true);
}

/**
 * The chain. `inputGates` are `[length, batch, 3 · size]`, `hiddens` `[length, batch, size]`, `gates`
 * `[length, batch, 4 · size]` keeps r, z, n and the candidate's part from the hidden state, `weight` is
 * `[3 · size, size]`, `bias` `[3 · size]` or absent; with `reverse` 1 the last step comes first.
 */
export function gruSequence(
  inputGates: usize,
  weight: usize,
  bias: usize,
  hidden: usize,
  hiddens: usize,
  gates: usize,
  work: usize,
  length: i32,
  batch: i32,
  size: i32,
  reverse: i32,
): void {
  const wide = padded(size),
    stateBytes = (<usize>batch * <usize>size) << 2;
  let packed = work + 12 * <usize>wide * <usize>size,
    next = packed + packedStateBytes(batch, wide);
  setArgument(BATCH, batch);
  packForwardWeight(weight, work, 3, size);
  packFirstState(hidden, batch, size, wide, packed);
  memory.fill(next, 0, packedStateBytes(batch, wide));
  setArgument(STATE_IN, hidden);
  setArgument(BIAS, bias);
  for (let position = 0; position < length; position++) {
    const step = <usize>(reverse ? length - 1 - position : position),
      place = step * stateBytes;
    setStates(packed, next, wide);
    setArgument(GATES_IN, inputGates + 3 * place);
    setArgument(GATES_OUT, gates + (place << 2));
    setArgument(HIDDEN_OUT, hiddens + place);
    runStep(forwardStep, 3 * size, FORWARD_NANOSECONDS);
    setArgument(STATE_IN, hiddens + place);
    const spent = packed;
    packed = next;
    next = spent;
  }
}

// Addresses of what a backward step writes besides the shared ones.
const D_INPUT: i32 = OWN_BACKWARD;
const D_RECURRENT: i32 = OWN_BACKWARD + 1;

/** Where the tiles of the gates' gradients lie, behind the product. */
const RESULTS: usize = 512;

function backwardCell(group: i32, panel: i32, tiles: usize): void {
  const size = argument(SIZE),
    unit = group << 3,
    left = min(8, size - unit),
    row = panel << 2,
    rows = min(4, argument(BATCH) - row),
    bytes = <usize>size << 2,
    results = tiles + RESULTS;
  for (let i = 0; i < rows; i++) {
    const r = <usize>(row + i) * bytes,
      unitBytes = <usize>unit << 2,
      shift = <usize>i << 5;
    backwardRow(tiles + shift, results + shift, r, unitBytes, bytes, left);
    if (left > 4) backwardRow(tiles + shift + 16, results + shift + 16, r, unitBytes + 16, bytes, left - 4);
  }
  const wide = padded(size);
  for (let gate = 0; gate < 3; gate++) packTile(results + (<usize>gate << 7), panel, gate * wide + unit, left);
}

/** `r` is where the row starts in `[batch, size]`. */
function backwardRow(tile: usize, results: usize, r: usize, unit: usize, bytes: usize, left: i32): void {
  const at = r + unit,
    gateAt = (r << 2) + unit,
    gates = addressArgument(GATES_SAVED) + gateAt,
    dGates = addressArgument(D_GATES),
    dInput = addressArgument(D_INPUT) + 3 * r + unit,
    dRecurrent = addressArgument(D_RECURRENT) + 3 * r + unit,
    carried = addressArgument(CARRIED) + at,
    one = f32x4.splat(1);
  const reset = loadPart(gates, left),
    update = loadPart(gates + bytes, left),
    candidate = loadPart(gates + 2 * bytes, left),
    recalled = loadPart(gates + 3 * bytes, left);
  let dh = f32x4.add(v128.load(tile), loadPart(addressArgument(D_HIDDEN) + at, left));
  dh = f32x4.add(dh, loadPart(carried, left));
  storePart(carried, f32x4.mul(dh, update), left);
  let dUpdate = f32x4.mul(dh, f32x4.sub(loadPart(addressArgument(STATE_BEFORE) + at, left), candidate));
  dUpdate = addOptional(dUpdate, dGates, gateAt + bytes, left);
  dUpdate = f32x4.mul(dUpdate, f32x4.mul(update, f32x4.sub(one, update)));
  let dCandidate = addOptional(f32x4.mul(dh, f32x4.sub(one, update)), dGates, gateAt + 2 * bytes, left);
  dCandidate = f32x4.mul(dCandidate, f32x4.sub(one, f32x4.mul(candidate, candidate)));
  let dReset = addOptional(f32x4.mul(dCandidate, recalled), dGates, gateAt, left);
  dReset = f32x4.mul(dReset, f32x4.mul(reset, f32x4.sub(one, reset)));
  const dRecalled = addOptional(f32x4.mul(dCandidate, reset), dGates, gateAt + 3 * bytes, left);
  storePart(dInput, dReset, left);
  storePart(dInput + bytes, dUpdate, left);
  storePart(dInput + 2 * bytes, dCandidate, left);
  storePart(dRecurrent, dReset, left);
  storePart(dRecurrent + bytes, dUpdate, left);
  storePart(dRecurrent + 2 * bytes, dRecalled, left);
  v128.store(results, dReset);
  v128.store(results, dUpdate, 128);
  v128.store(results, dRecalled, 256);
}

function lastBackwardStep(task: i32, _: i32): void {
  forTiles(task, backwardCell, false);
}

function backwardStep(task: i32, _: i32): void {
  forTiles(task, backwardCell, true);
}

/** Adds a tile to what the first step left of the gradient of the first hidden state. */
function addFirst(group: i32, panel: i32, tiles: usize): void {
  const size = argument(SIZE),
    unit = group << 3,
    left = min(8, size - unit),
    row = panel << 2,
    rows = min(4, argument(BATCH) - row),
    bytes = <usize>size << 2;
  let output = addressArgument(CARRIED) + <usize>row * bytes + (<usize>unit << 2);
  for (let i = 0; i < rows; i++) {
    storePart(output, f32x4.add(loadPart(output, left), v128.load(tiles)), left);
    if (left > 4) storePart(output + 16, f32x4.add(loadPart(output + 16, left - 4), v128.load(tiles, 16)), left - 4);
    tiles += 32;
    output += bytes;
  }
}

function firstState(task: i32, _: i32): void {
  forTiles(task, addFirst, true);
}

/**
 * Gradients of input gates and hidden gates `[length, batch, 3 · size]` and of the first state, from those of the
 * hidden states and, where present, of the saved gates.
 */
export function gruSequenceGradient(
  dHiddens: usize,
  dGates: usize,
  gates: usize,
  hiddens: usize,
  hidden: usize,
  weight: usize,
  dInput: usize,
  dRecurrent: usize,
  dHidden: usize,
  work: usize,
  length: i32,
  batch: i32,
  size: i32,
  reverse: i32,
): void {
  const wide = padded(size),
    stateBytes = (<usize>batch * <usize>size) << 2,
    packedBytes = packedStateBytes(batch, 3 * wide);
  let packed = work + 12 * <usize>wide * <usize>wide,
    next = packed + packedBytes;
  setArgument(BATCH, batch);
  packBackwardWeight(weight, work, 3, size);
  memory.fill(packed, 0, 2 * packedBytes);
  memory.fill(dHidden, 0, stateBytes);
  setArgument(CARRIED, dHidden);
  for (let position = length - 1; position >= 0; position--) {
    const step = <usize>(reverse ? length - 1 - position : position),
      place = step * stateBytes,
      before = reverse ? place + stateBytes : place - stateBytes;
    setStates(packed, next, 3 * wide);
    setArgument(D_HIDDEN, dHiddens + place);
    setArgument(D_GATES, dGates ? dGates + (place << 2) : 0);
    setArgument(GATES_SAVED, gates + (place << 2));
    setArgument(STATE_BEFORE, position == 0 ? hidden : hiddens + before);
    setArgument(D_INPUT, dInput + 3 * place);
    setArgument(D_RECURRENT, dRecurrent + 3 * place);
    if (position == length - 1) runStep(lastBackwardStep, size, BACKWARD_NANOSECONDS);
    else runStep(backwardStep, size, BACKWARD_NANOSECONDS);
    const spent = packed;
    packed = next;
    next = spent;
  }
  setStates(packed, next, 3 * wide);
  runStep(firstState, size, 1);
}
