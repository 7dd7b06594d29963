// A chain of LSTM steps and its gradient: the product and the cell of a step in one job. Gates are i, f, g, o.
import { hyperbolicTangent, logistic, slopeOfLogistic, slopeOfTangent } from "./math";
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
const FORWARD_NANOSECONDS: f32 = 12;
const BACKWARD_NANOSECONDS: f32 = 15;

/** Bytes of working memory of {@link lstmSequence} and of {@link lstmSequenceGradient}. */
export function lstmSequenceBytes(batch: i32, size: i32): usize {
  const wide = padded(size);
  return ((<usize>wide * <usize>wide) << 4) + 2 * packedStateBytes(batch, 4 * wide);
}

/** Address of what a step writes besides the shared ones. */
const CELL_OUT: i32 = OWN_FORWARD;

function forwardCell(group: i32, panel: i32, tiles: usize): void {
  const size = argument(SIZE),
    unit = group << 3,
    left = min(8, size - unit),
    row = panel << 2,
    rows = min(4, argument(BATCH) - row),
    bytes = <usize>size << 2;
  const place = <usize>row * bytes + (<usize>unit << 2),
    gatePlace = <usize>row * (bytes << 2) + (<usize>unit << 2);
  let gatesIn = addressArgument(GATES_IN) + gatePlace,
    gatesOut = addressArgument(GATES_OUT) + gatePlace,
    cellIn = addressArgument(STATE_IN) + place,
    cellOut = addressArgument(CELL_OUT) + place,
    hiddenOut = addressArgument(HIDDEN_OUT) + place,
    tile = tiles;
  for (let i = 0; i < rows; i++) {
    forwardRow(tile, gatesIn, gatesOut, cellIn, cellOut, hiddenOut, bytes, left);
    if (left > 4)
      forwardRow(tile + 16, gatesIn + 16, gatesOut + 16, cellIn + 16, cellOut + 16, hiddenOut + 16, bytes, left - 4);
    tile += 32;
    gatesIn += bytes << 2;
    gatesOut += bytes << 2;
    cellIn += bytes;
    cellOut += bytes;
    hiddenOut += bytes;
  }
  packTile(tiles, panel, unit, left);
}

/** Up to four units of one row; the hidden state also takes the place of the first gate's product. */
function forwardRow(
  tile: usize,
  gatesIn: usize,
  gatesOut: usize,
  cellIn: usize,
  cellOut: usize,
  hiddenOut: usize,
  bytes: usize,
  left: i32,
): void {
  const input = logistic(f32x4.add(loadPart(gatesIn, left), v128.load(tile))),
    forget = logistic(f32x4.add(loadPart(gatesIn + bytes, left), v128.load(tile, 128))),
    candidate = hyperbolicTangent(f32x4.add(loadPart(gatesIn + 2 * bytes, left), v128.load(tile, 256))),
    output = logistic(f32x4.add(loadPart(gatesIn + 3 * bytes, left), v128.load(tile, 384)));
  storePart(gatesOut, input, left);
  storePart(gatesOut + bytes, forget, left);
  storePart(gatesOut + 2 * bytes, candidate, left);
  storePart(gatesOut + 3 * bytes, output, left);
  const remembered = f32x4.mul(forget, loadPart(cellIn, left)),
    cell = f32x4.add(remembered, f32x4.mul(input, candidate));
  storePart(cellOut, cell, left);
  const hidden = f32x4.mul(output, hyperbolicTangent(cell));
  storePart(hiddenOut, hidden, left);
  v128.store(tile, hidden);
}

function forwardStep(task: i32, _: i32): void {
  forTiles(task, forwardCell, true);
}

/**
 * The chain. `inputGates` and `gates` (after their activations) are `[length, batch, 4 · size]`, `hiddens` and `cells`
 * `[length, batch, size]`, `weight` `[4 · size, size]`; with `reverse` 1 the last step comes first.
 */
export function lstmSequence(
  inputGates: usize,
  weight: usize,
  hidden: usize,
  cell: usize,
  hiddens: usize,
  cells: usize,
  gates: usize,
  work: usize,
  length: i32,
  batch: i32,
  size: i32,
  reverse: i32,
): void {
  const wide = padded(size),
    stateBytes = (<usize>batch * <usize>size) << 2;
  let packed = work + ((<usize>wide * <usize>size) << 4),
    next = packed + packedStateBytes(batch, wide);
  setArgument(BATCH, batch);
  packForwardWeight(weight, work, 4, size);
  packFirstState(hidden, batch, size, wide, packed);
  memory.fill(next, 0, packedStateBytes(batch, wide));
  setArgument(STATE_IN, cell);
  for (let position = 0; position < length; position++) {
    const step = <usize>(reverse ? length - 1 - position : position),
      place = step * stateBytes;
    setStates(packed, next, wide);
    setArgument(GATES_IN, inputGates + (place << 2));
    setArgument(GATES_OUT, gates + (place << 2));
    setArgument(HIDDEN_OUT, hiddens + place);
    setArgument(CELL_OUT, cells + place);
    runStep(forwardStep, 4 * size, FORWARD_NANOSECONDS);
    setArgument(STATE_IN, cells + place);
    const spent = packed;
    packed = next;
    next = spent;
  }
}

// Addresses of a backward step besides the shared ones; 0 for what is absent.
const D_CELL: i32 = OWN_BACKWARD;
const CELL_SAVED: i32 = OWN_BACKWARD + 1;
const GRADIENTS: i32 = OWN_BACKWARD + 2;
const D_FIRST: i32 = OWN_BACKWARD + 3;

function backwardCell(group: i32, panel: i32, tiles: usize): void {
  const size = argument(SIZE),
    unit = group << 3,
    left = min(8, size - unit),
    row = panel << 2,
    rows = min(4, argument(BATCH) - row),
    bytes = <usize>size << 2;
  const place = <usize>row * bytes + (<usize>unit << 2),
    gatePlace = <usize>row * (bytes << 2) + (<usize>unit << 2);
  const results = tiles + TILES;
  for (let i = 0; i < rows; i++) {
    const at = place + <usize>i * bytes,
      gateAt = gatePlace + <usize>i * (bytes << 2),
      shift = <usize>i << 5;
    backwardRow(tiles + shift, results + shift, at, gateAt, bytes, left);
    if (left > 4) backwardRow(tiles + shift + 16, results + shift + 16, at + 16, gateAt + 16, bytes, left - 4);
  }
  const wide = padded(size);
  for (let gate = 0; gate < 4; gate++) packTile(results + (<usize>gate << 7), panel, gate * wide + unit, left);
}

/** Where the four tiles of the gates' gradients lie, behind the product. */
const TILES: usize = 512;

function backwardRow(tile: usize, results: usize, at: usize, gateAt: usize, bytes: usize, left: i32): void {
  const gates = addressArgument(GATES_SAVED) + gateAt,
    gradients = addressArgument(GRADIENTS) + gateAt,
    dGates = addressArgument(D_GATES),
    carried = addressArgument(CARRIED) + at;
  const input = loadPart(gates, left),
    forget = loadPart(gates + bytes, left),
    candidate = loadPart(gates + 2 * bytes, left),
    output = loadPart(gates + 3 * bytes, left),
    squashed = hyperbolicTangent(loadPart(addressArgument(CELL_SAVED) + at, left)),
    dh = f32x4.add(v128.load(tile), loadPart(addressArgument(D_HIDDEN) + at, left));
  let dc = addOptional(loadPart(carried, left), addressArgument(D_CELL), at, left);
  dc = f32x4.add(dc, f32x4.mul(f32x4.mul(dh, output), slopeOfTangent(squashed)));
  storePart(carried, f32x4.mul(dc, forget), left);
  let value = addOptional(f32x4.mul(dc, candidate), dGates, gateAt, left);
  value = f32x4.mul(value, slopeOfLogistic(input));
  storePart(gradients, value, left);
  v128.store(results, value);
  value = f32x4.mul(dc, loadPart(addressArgument(STATE_BEFORE) + at, left));
  value = f32x4.mul(addOptional(value, dGates, gateAt + bytes, left), slopeOfLogistic(forget));
  storePart(gradients + bytes, value, left);
  v128.store(results, value, 128);
  value = addOptional(f32x4.mul(dc, input), dGates, gateAt + 2 * bytes, left);
  value = f32x4.mul(value, slopeOfTangent(candidate));
  storePart(gradients + 2 * bytes, value, left);
  v128.store(results, value, 256);
  value = addOptional(f32x4.mul(dh, squashed), dGates, gateAt + 3 * bytes, left);
  value = f32x4.mul(value, slopeOfLogistic(output));
  storePart(gradients + 3 * bytes, value, left);
  v128.store(results, value, 384);
}

function lastBackwardStep(task: i32, _: i32): void {
  forTiles(task, backwardCell, false);
}

function backwardStep(task: i32, _: i32): void {
  forTiles(task, backwardCell, true);
}

/** Stores a tile of the gradient of the first hidden state. */
function storeFirst(group: i32, panel: i32, tiles: usize): void {
  const size = argument(SIZE),
    unit = group << 3,
    left = min(8, size - unit),
    row = panel << 2,
    rows = min(4, argument(BATCH) - row),
    bytes = <usize>size << 2;
  let output = addressArgument(D_FIRST) + <usize>row * bytes + (<usize>unit << 2);
  for (let i = 0; i < rows; i++) {
    storePart(output, v128.load(tiles), left);
    if (left > 4) storePart(output + 16, v128.load(tiles, 16), left - 4);
    tiles += 32;
    output += bytes;
  }
}

function firstState(task: i32, _: i32): void {
  forTiles(task, storeFirst, true);
}

/**
 * Gradients of the gates before their activations `[length, batch, 4 · size]` and of the first states, from those of
 * the hidden states and, where present, of the cells and the gates.
 */
export function lstmSequenceGradient(
  dHiddens: usize,
  dCells: usize,
  dGates: usize,
  gates: usize,
  cells: usize,
  cell: usize,
  weight: usize,
  gradients: usize,
  dHidden: usize,
  dCell: usize,
  work: usize,
  length: i32,
  batch: i32,
  size: i32,
  reverse: i32,
): void {
  const wide = padded(size),
    stateBytes = (<usize>batch * <usize>size) << 2,
    packedBytes = packedStateBytes(batch, 4 * wide);
  let packed = work + ((<usize>wide * <usize>wide) << 4),
    next = packed + packedBytes;
  setArgument(BATCH, batch);
  packBackwardWeight(weight, work, 4, size);
  memory.fill(packed, 0, 2 * packedBytes);
  memory.fill(dCell, 0, stateBytes);
  setArgument(CARRIED, dCell);
  setArgument(D_FIRST, dHidden);
  for (let position = length - 1; position >= 0; position--) {
    const step = <usize>(reverse ? length - 1 - position : position),
      place = step * stateBytes;
    setStates(packed, next, 4 * wide);
    setArgument(D_HIDDEN, dHiddens + place);
    setArgument(D_CELL, dCells ? dCells + place : 0);
    setArgument(D_GATES, dGates ? dGates + (place << 2) : 0);
    setArgument(GATES_SAVED, gates + (place << 2));
    setArgument(CELL_SAVED, cells + place);
    setArgument(STATE_BEFORE, position == 0 ? cell : reverse ? cells + place + stateBytes : cells + place - stateBytes);
    setArgument(GRADIENTS, gradients + (place << 2));
    if (position == length - 1) runStep(lastBackwardStep, size, BACKWARD_NANOSECONDS);
    else runStep(backwardStep, size, BACKWARD_NANOSECONDS);
    const spent = packed;
    packed = next;
    next = spent;
  }
  setStates(packed, next, 4 * wide);
  runStep(firstState, size, 1);
}
