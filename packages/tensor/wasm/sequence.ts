// What LSTM and GRU chains share: one job a step, cut over groups of eight hidden units and panels of four batch rows.
// A task multiplies its tiles, applies the cell to them while they lie in the first-level cache and leaves the result
// packed for the product of the next step, so that a step needs one barrier.
import { divideUp, scratch } from "./layout";
import { ACCUMULATE, multiplyTile } from "./micro-kernel";
import { interleaveRows, packMatrixB, transposeBlock } from "./pack";
import { loadPart } from "./partial";
import { addressArgument, argument, forRange, forTasks, setArgument, usefulThreads } from "./threads";

// Arguments of a job.
export const BATCH: i32 = 0;
export const SIZE: i32 = 1;
/** Packed weight: `[group][gate][depth][8]`. */
const WEIGHT: i32 = 2;
const GATES: i32 = 3;
const DEPTH: i32 = 4;
/** Packed left side of this step and of the next: `[panel][depth][4]`. */
const PACKED: i32 = 5;
const NEXT: i32 = 6;
const PANEL_BYTES: i32 = 7;
const GROUP_TASKS: i32 = 8;
const GROUPS_EACH: i32 = 9;
const PANELS_EACH: i32 = 10;
const OWN: i32 = 16;

// Addresses of a step, of what both cells have; those of one cell start at OWN_FORWARD.
export const GATES_IN: i32 = OWN;
/** What the cell carries on: an LSTM's cell, a GRU's hidden state. */
export const STATE_IN: i32 = OWN + 1;
export const GATES_OUT: i32 = OWN + 2;
export const HIDDEN_OUT: i32 = OWN + 3;
export const OWN_FORWARD: i32 = OWN + 4;

// Addresses of a backward step, likewise; 0 for what is absent.
export const D_HIDDEN: i32 = OWN;
export const D_GATES: i32 = OWN + 1;
export const GATES_SAVED: i32 = OWN + 2;
export const STATE_BEFORE: i32 = OWN + 3;
/** Gradient of the state that goes from step to step. */
export const CARRIED: i32 = OWN + 4;
export const OWN_BACKWARD: i32 = OWN + 5;

/** Depth of a tile's product: 8 columns of it are half of the first-level cache. */
const DEPTH_LIMIT: i32 = 512;
const OPERATIONS: f32 = 30;

/** Bytes of a packed left side: of hidden states `[batch, depth]`, depth a multiple of 8. */
// @ts-ignore: decorator
@inline
export function packedStateBytes(batch: i32, depth: i32): usize {
  return (<usize>divideUp(batch, 4) * <usize>depth) << 4;
}

// @ts-ignore: decorator
@inline
export function padded(size: i32): i32 {
  return (size + 7) & ~7;
}

function packForward(from: i32, to: i32): void {
  const size = argument(SIZE),
    gates = argument(GATES),
    gateBytes = (<usize>size * <usize>size) << 2;
  let output = addressArgument(WEIGHT) + ((<usize>from * <usize>gates * <usize>size) << 5);
  for (let group = from; group < to; group++)
    for (let gate = 0; gate < gates; gate++) {
      const source = addressArgument(OWN) + <usize>gate * gateBytes;
      packMatrixB(source, <usize>size << 2, 1, size, 0, size, group, group + 1, output);
      output += <usize>size << 5;
    }
}

/** Packs a weight `[gates · size, size]` for `h · weightᵀ`: `gates · padded(size) · size` floats. */
export function packForwardWeight(weight: usize, output: usize, gates: i32, size: i32): void {
  setArgument(SIZE, size);
  setArgument(GATES, gates);
  setArgument(DEPTH, size);
  setArgument(WEIGHT, output);
  setArgument(OWN, weight);
  forRange(packForward, padded(size) >> 3, 1, 4 * <f32>gates * <f32>size);
}

function packBackward(from: i32, to: i32): void {
  const size = argument(SIZE),
    gates = argument(GATES),
    depth = padded(size),
    gateBytes = (<usize>size * <usize>size) << 2,
    missing = <usize>(depth - size) << 5;
  let output = addressArgument(WEIGHT) + ((<usize>from * <usize>gates * <usize>depth) << 5);
  for (let group = from; group < to; group++)
    for (let gate = 0; gate < gates; gate++) {
      const source = addressArgument(OWN) + <usize>gate * gateBytes;
      packMatrixB(source, <usize>size << 2, 0, size, 0, size, group, group + 1, output);
      output += <usize>size << 5;
      memory.fill(output, 0, missing);
      output += missing;
    }
}

/** Packs the same weight for `dGates · weight`, the steps of each gate padded: `gates · padded(size)²` floats. */
export function packBackwardWeight(weight: usize, output: usize, gates: i32, size: i32): void {
  setArgument(SIZE, size);
  setArgument(GATES, gates);
  setArgument(WEIGHT, output);
  setArgument(OWN, weight);
  forRange(packBackward, padded(size) >> 3, 1, 4 * <f32>gates * <f32>size);
  // as the product sees it: one gate of a greater depth
  setArgument(GATES, 1);
  setArgument(DEPTH, gates * padded(size));
}

/** Packs the first hidden states `[batch, size]` into panels of `depth` steps. */
export function packFirstState(state: usize, batch: i32, size: i32, depth: i32, output: usize): void {
  const bytes = <usize>size << 2;
  memory.fill(output, 0, packedStateBytes(batch, depth));
  for (let row = 0; row < batch; row += 4) {
    const rows = batch - row;
    interleaveRows(
      state,
      rows > 1 ? state + bytes : state,
      rows > 2 ? state + 2 * bytes : state,
      rows > 3 ? state + 3 * bytes : state,
      size,
      output,
    );
    state += bytes << 2;
    output += <usize>depth << 4;
  }
}

/** Adds what the loss sees of a value itself, if it sees it. */
// @ts-ignore: decorator
@inline
export function addOptional(value: v128, address: usize, offset: usize, left: i32): v128 {
  return address ? f32x4.add(value, loadPart(address + offset, left)) : value;
}

/** The packed sides of this step and of the next. */
export function setStates(packed: usize, next: usize, panelDepth: i32): void {
  setArgument(PACKED, packed);
  setArgument(NEXT, next);
  setArgument(PANEL_BYTES, <usize>panelDepth << 4);
}

/**
 * Nanoseconds of a step on one thread: the product and `unitNanoseconds` for each hidden unit of each row. The cells
 * are arithmetic on whole tiles, whatever the cut is.
 */
export function runStep(body: (task: i32, end: i32) => void, columns: i32, unitNanoseconds: f32): void {
  const batch = argument(BATCH),
    size = argument(SIZE),
    groups = padded(size) >> 3,
    panels = divideUp(batch, 4);
  const product = (<f32>panels * <f32>columns * <f32>argument(DEPTH) * 8) / OPERATIONS,
    cost = product + <f32>batch * <f32>size * unitNanoseconds;
  const useful = usefulThreads(cost),
    wanted = useful == 1 ? 1 : useful * 4;
  // groups first: they part the weight, which is what is large
  const groupsEach = divideUp(groups, min(groups, wanted)),
    groupTasks = divideUp(groups, groupsEach),
    panelsEach = divideUp(panels, min(panels, divideUp(wanted, groupTasks)));
  setArgument(GROUP_TASKS, groupTasks);
  setArgument(GROUPS_EACH, groupsEach);
  setArgument(PANELS_EACH, panelsEach);
  forTasks(body, groupTasks * divideUp(panels, panelsEach), cost);
}

/** Applies a cell to the tiles of a task: `cell(group, panel, tiles)`; `gates` tiles of 4×8 lie side by side at `tiles`. */
// @ts-ignore: decorator
@inline
export function forTiles(task: i32, cell: (group: i32, panel: i32, tiles: usize) => void, hasProduct: bool): void {
  const groups = padded(argument(SIZE)) >> 3,
    panels = divideUp(argument(BATCH), 4),
    groupTasks = argument(GROUP_TASKS),
    firstGroup = (task % groupTasks) * argument(GROUPS_EACH),
    lastGroup = min(groups, firstGroup + argument(GROUPS_EACH)),
    firstPanel = (task / groupTasks) * argument(PANELS_EACH),
    lastPanel = min(panels, firstPanel + argument(PANELS_EACH)),
    tileBytes = <usize>argument(GATES) << 7;
  const tiles = scratch();
  // a panel's rows are read and written from end to end; going down the columns instead loses what is prefetched
  for (let panel = firstPanel; panel < lastPanel; panel++)
    for (let group = firstGroup; group < lastGroup; group++) {
      if (hasProduct) multiplyGroup(group, panel, tiles);
      else memory.fill(tiles, 0, tileBytes);
      cell(group, panel, tiles);
    }
}

function multiplyGroup(group: i32, panel: i32, tiles: usize): void {
  const gates = argument(GATES),
    depth = argument(DEPTH),
    a = addressArgument(PACKED) + <usize>panel * addressArgument(PANEL_BYTES),
    weight = addressArgument(WEIGHT) + ((<usize>group * <usize>gates * <usize>depth) << 5);
  for (let step = 0; step < depth; step += DEPTH_LIMIT) {
    const steps = min(DEPTH_LIMIT, depth - step),
      mode = step > 0 ? ACCUMULATE : 0;
    let b = weight + (<usize>step << 5),
      c = tiles;
    for (let gate = 0; gate < gates; gate++) {
      multiplyTile(steps, a + (<usize>step << 4), b, c, 32, mode, 0);
      b += <usize>depth << 5;
      c += 128;
    }
  }
}

/** Packs a 4×8 tile as part of the next step's left side, from its `step` on; `left` ≤ 8 columns of it count. */
export function packTile(tile: usize, panel: i32, step: i32, left: i32): void {
  let output = addressArgument(NEXT) + <usize>panel * addressArgument(PANEL_BYTES) + (<usize>step << 4);
  if (left >= 8) {
    transposeBlock(tile, tile + 32, tile + 64, tile + 96, output, 16);
    transposeBlock(tile + 16, tile + 48, tile + 80, tile + 112, output + 64, 16);
    return;
  }
  for (let column = 0; column < left; column++) {
    store<f32>(output, load<f32>(tile));
    store<f32>(output, load<f32>(tile, 32), 4);
    store<f32>(output, load<f32>(tile, 64), 8);
    store<f32>(output, load<f32>(tile, 96), 12);
    tile += 4;
    output += 16;
  }
}
