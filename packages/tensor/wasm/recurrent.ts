// The elementwise part of a step of LSTM and GRU. Gates lie side by side in a row: PyTorch's order.
import { hyperbolicTangent, logistic } from "./math";
import { loadPart, storePart } from "./partial";

// @ts-ignore: decorator
@inline
function slopeOfLogistic(gate: v128): v128 {
  return f32x4.mul(gate, f32x4.sub(f32x4.splat(1), gate));
}

// @ts-ignore: decorator
@inline
function slopeOfTangent(value: v128): v128 {
  return f32x4.sub(f32x4.splat(1), f32x4.mul(value, value));
}

/** `c' = σ(f) c + σ(i) tanh(g)`, `h' = σ(o) tanh(c')`; gates `[batch, 4 · size]` are i, f, g, o. */
export function lstmCell(gates: usize, cell: usize, newHidden: usize, newCell: usize, batch: i32, size: i32): void {
  const bytes = <usize>size << 2;
  for (let row = 0; row < batch; row++) {
    lstmRow(gates, cell, newHidden, newCell, size, bytes);
    gates += bytes << 2;
    cell += bytes;
    newHidden += bytes;
    newCell += bytes;
  }
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
  const bytes = <usize>size << 2;
  for (let row = 0; row < batch; row++) {
    lstmRowGradient(dHidden, dNewCell, gates, cell, dGates, dCell, size, bytes);
    dHidden += bytes;
    dNewCell += bytes;
    gates += bytes << 2;
    cell += bytes;
    dGates += bytes << 2;
    dCell += bytes;
  }
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

/** `r = σ(ri + rh)`, `z = σ(zi + zh)`, `n = tanh(ni + r nh)`, `h' = (1 − z) n + z h`; gates `[batch, 3 · size]` are r, z, n. */
export function gruCell(
  inputGates: usize,
  hiddenGates: usize,
  hidden: usize,
  output: usize,
  batch: i32,
  size: i32,
): void {
  const bytes = <usize>size << 2;
  for (let row = 0; row < batch; row++) {
    gruRow(inputGates, hiddenGates, hidden, output, size, bytes);
    inputGates += 3 * bytes;
    hiddenGates += 3 * bytes;
    hidden += bytes;
    output += bytes;
  }
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
  const bytes = <usize>size << 2;
  for (let row = 0; row < batch; row++) {
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
