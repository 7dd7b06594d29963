// The elementwise part of a step of LSTM and GRU. Gates lie side by side in a row: PyTorch's order.
import { hyperbolicTangent, logistic, slopeOfLogistic, slopeOfTangent } from "./math";
import { loadPart, storePart } from "./partial";
import { addressArgument, argument, forRange, setArgument } from "./threads";

/** Time of one hidden unit on one thread. */
const NANOSECONDS: f32 = 12;

function lstmRows(from: i32, to: i32): void {
  const size = argument(4),
    bytes = <usize>size << 2,
    offset = <usize>from * bytes;
  let gates = addressArgument(0) + (offset << 2),
    cell = addressArgument(1) + offset,
    newHidden = addressArgument(2) + offset,
    newCell = addressArgument(3) + offset;
  for (let row = from; row < to; row++) {
    lstmRow(gates, cell, newHidden, newCell, size, bytes);
    gates += bytes << 2;
    cell += bytes;
    newHidden += bytes;
    newCell += bytes;
  }
}

/** `c' = σ(f) c + σ(i) tanh(g)`, `h' = σ(o) tanh(c')`; gates `[batch, 4 · size]` are i, f, g, o. */
export function lstmCell(gates: usize, cell: usize, newHidden: usize, newCell: usize, batch: i32, size: i32): void {
  setArgument(0, gates);
  setArgument(1, cell);
  setArgument(2, newHidden);
  setArgument(3, newCell);
  setArgument(4, size);
  forRange(lstmRows, batch, 1, <f32>size * NANOSECONDS);
}

function lstmRow(gates: usize, cell: usize, newHidden: usize, newCell: usize, size: i32, bytes: usize): void {
  for (let i = 0; i < size; i += 4) {
    const left = size - i,
      f = <usize>i << 2,
      g = gates + f;
    const input = logistic(loadPart(g, left)),
      forget = logistic(loadPart(g + bytes, left)),
      candidate = hyperbolicTangent(loadPart(g + 2 * bytes, left)),
      output = logistic(loadPart(g + 3 * bytes, left));
    const c = f32x4.add(f32x4.mul(forget, loadPart(cell + f, left)), f32x4.mul(input, candidate));
    storePart(newCell + f, c, left);
    storePart(newHidden + f, f32x4.mul(output, hyperbolicTangent(c)), left);
  }
}

function lstmGradientRows(from: i32, to: i32): void {
  const size = argument(6),
    bytes = <usize>size << 2,
    offset = <usize>from * bytes;
  let dHidden = addressArgument(0) + offset,
    dNewCell = addressArgument(1) + offset,
    gates = addressArgument(2) + (offset << 2),
    cell = addressArgument(3) + offset,
    dGates = addressArgument(4) + (offset << 2),
    dCell = addressArgument(5) + offset;
  for (let row = from; row < to; row++) {
    lstmRowGradient(dHidden, dNewCell, gates, cell, dGates, dCell, size, bytes);
    dHidden += bytes;
    dNewCell += bytes;
    gates += bytes << 2;
    cell += bytes;
    dGates += bytes << 2;
    dCell += bytes;
  }
}

/** Gradients of gates and cell from those of the two outputs. */
export function lstmCellGradient(
  dHidden: usize,
  dNewCell: usize,
  gates: usize,
  cell: usize,
  dGates: usize,
  dCell: usize,
  batch: i32,
  size: i32,
): void {
  setArgument(0, dHidden);
  setArgument(1, dNewCell);
  setArgument(2, gates);
  setArgument(3, cell);
  setArgument(4, dGates);
  setArgument(5, dCell);
  setArgument(6, size);
  forRange(lstmGradientRows, batch, 1, <f32>size * NANOSECONDS);
}

function lstmRowGradient(
  dHidden: usize,
  dNewCell: usize,
  gates: usize,
  cell: usize,
  dGates: usize,
  dCell: usize,
  size: i32,
  bytes: usize,
): void {
  for (let i = 0; i < size; i += 4) {
    const left = size - i,
      f = <usize>i << 2,
      g = gates + f,
      d = dGates + f;
    const input = logistic(loadPart(g, left)),
      forget = logistic(loadPart(g + bytes, left)),
      candidate = hyperbolicTangent(loadPart(g + 2 * bytes, left)),
      output = logistic(loadPart(g + 3 * bytes, left)),
      old = loadPart(cell + f, left),
      dh = loadPart(dHidden + f, left);
    const squashed = hyperbolicTangent(f32x4.add(f32x4.mul(forget, old), f32x4.mul(input, candidate)));
    const dc = f32x4.add(loadPart(dNewCell + f, left), f32x4.mul(f32x4.mul(dh, output), slopeOfTangent(squashed)));
    storePart(d, f32x4.mul(f32x4.mul(dc, candidate), slopeOfLogistic(input)), left);
    storePart(d + bytes, f32x4.mul(f32x4.mul(dc, old), slopeOfLogistic(forget)), left);
    storePart(d + 2 * bytes, f32x4.mul(f32x4.mul(dc, input), slopeOfTangent(candidate)), left);
    storePart(d + 3 * bytes, f32x4.mul(f32x4.mul(dh, squashed), slopeOfLogistic(output)), left);
    storePart(dCell + f, f32x4.mul(dc, forget), left);
  }
}

function gruRows(from: i32, to: i32): void {
  const size = argument(4),
    bytes = <usize>size << 2,
    offset = <usize>from * bytes;
  let inputGates = addressArgument(0) + 3 * offset,
    hiddenGates = addressArgument(1) + 3 * offset,
    hidden = addressArgument(2) + offset,
    output = addressArgument(3) + offset;
  for (let row = from; row < to; row++) {
    gruRow(inputGates, hiddenGates, hidden, output, size, bytes);
    inputGates += 3 * bytes;
    hiddenGates += 3 * bytes;
    hidden += bytes;
    output += bytes;
  }
}

/** `r = σ(ri + rh)`, `z = σ(zi + zh)`, `n = tanh(ni + r nh)`, `h' = (1 − z) n + z h`; gates `[batch, 3 · size]` are r, z, n. */
export function gruCell(
  inputGates: usize,
  hiddenGates: usize,
  hidden: usize,
  output: usize,
  batch: i32,
  size: i32,
): void {
  setArgument(0, inputGates);
  setArgument(1, hiddenGates);
  setArgument(2, hidden);
  setArgument(3, output);
  setArgument(4, size);
  forRange(gruRows, batch, 1, <f32>size * NANOSECONDS);
}

function gruRow(inputGates: usize, hiddenGates: usize, hidden: usize, output: usize, size: i32, bytes: usize): void {
  for (let i = 0; i < size; i += 4) {
    const left = size - i,
      f = <usize>i << 2,
      x = inputGates + f,
      h = hiddenGates + f;
    const reset = logistic(f32x4.add(loadPart(x, left), loadPart(h, left))),
      update = logistic(f32x4.add(loadPart(x + bytes, left), loadPart(h + bytes, left))),
      recalled = f32x4.mul(reset, loadPart(h + 2 * bytes, left)),
      candidate = hyperbolicTangent(f32x4.add(loadPart(x + 2 * bytes, left), recalled));
    const fresh = f32x4.mul(f32x4.sub(f32x4.splat(1), update), candidate);
    storePart(output + f, f32x4.add(fresh, f32x4.mul(update, loadPart(hidden + f, left))), left);
  }
}

function gruGradientRows(from: i32, to: i32): void {
  const size = argument(7),
    bytes = <usize>size << 2,
    offset = <usize>from * bytes;
  let dy = addressArgument(0) + offset,
    inputGates = addressArgument(1) + 3 * offset,
    hiddenGates = addressArgument(2) + 3 * offset,
    hidden = addressArgument(3) + offset,
    dInputGates = addressArgument(4) + 3 * offset,
    dHiddenGates = addressArgument(5) + 3 * offset,
    dHidden = addressArgument(6) + offset;
  for (let row = from; row < to; row++) {
    gruRowGradient(dy, inputGates, hiddenGates, hidden, dInputGates, dHiddenGates, dHidden, size, bytes);
    dy += bytes;
    inputGates += 3 * bytes;
    hiddenGates += 3 * bytes;
    hidden += bytes;
    dInputGates += 3 * bytes;
    dHiddenGates += 3 * bytes;
    dHidden += bytes;
  }
}

/** Gradients of input gates, hidden gates and hidden state. */
export function gruCellGradient(
  dy: usize,
  inputGates: usize,
  hiddenGates: usize,
  hidden: usize,
  dInputGates: usize,
  dHiddenGates: usize,
  dHidden: usize,
  batch: i32,
  size: i32,
): void {
  setArgument(0, dy);
  setArgument(1, inputGates);
  setArgument(2, hiddenGates);
  setArgument(3, hidden);
  setArgument(4, dInputGates);
  setArgument(5, dHiddenGates);
  setArgument(6, dHidden);
  setArgument(7, size);
  forRange(gruGradientRows, batch, 1, <f32>size * NANOSECONDS);
}

function gruRowGradient(
  dy: usize,
  inputGates: usize,
  hiddenGates: usize,
  hidden: usize,
  dInputGates: usize,
  dHiddenGates: usize,
  dHidden: usize,
  size: i32,
  bytes: usize,
): void {
  for (let i = 0; i < size; i += 4) {
    const left = size - i,
      f = <usize>i << 2,
      x = inputGates + f,
      h = hiddenGates + f,
      gradient = loadPart(dy + f, left);
    const reset = logistic(f32x4.add(loadPart(x, left), loadPart(h, left))),
      update = logistic(f32x4.add(loadPart(x + bytes, left), loadPart(h + bytes, left))),
      recalled = loadPart(h + 2 * bytes, left),
      candidate = hyperbolicTangent(f32x4.add(loadPart(x + 2 * bytes, left), f32x4.mul(reset, recalled)));
    const dUpdate = f32x4.mul(
      f32x4.mul(gradient, f32x4.sub(loadPart(hidden + f, left), candidate)),
      slopeOfLogistic(update),
    );
    const dCandidate = f32x4.mul(
      f32x4.mul(gradient, f32x4.sub(f32x4.splat(1), update)),
      slopeOfTangent(candidate),
    );
    const dReset = f32x4.mul(f32x4.mul(dCandidate, recalled), slopeOfLogistic(reset));
    storePart(dInputGates + f, dReset, left);
    storePart(dInputGates + bytes + f, dUpdate, left);
    storePart(dInputGates + 2 * bytes + f, dCandidate, left);
    storePart(dHiddenGates + f, dReset, left);
    storePart(dHiddenGates + bytes + f, dUpdate, left);
    storePart(dHiddenGates + 2 * bytes + f, f32x4.mul(dCandidate, reset), left);
    storePart(dHidden + f, f32x4.mul(gradient, update), left);
  }
}
