import type { Tensor } from "@tensorflow/tfjs-core";
import { add, mul, sub } from "../../ops/arithmetic.js";
import { concat, split, stack, unstack } from "../../ops/concat.js";
import { matMul } from "../../ops/matmul.js";
import { sigmoid, tanh } from "../../ops/unary.js";
import { zeros } from "../../tensor.js";
import type { LstmSequenceAttributes, LstmSequenceInputs } from "./lstm-sequence.js";

/** Indices of the steps in the order in which the chain takes them. */
export function stepOrder(length: number, reverse: boolean): number[] {
  return Array.from({ length }, (_, step) => (reverse ? length - 1 - step : step));
}

/** The chain by plain ops. @returns hidden states, cell states `[length, batch, hidden]`, activated gates `[length, batch, 4·hidden]` */
export function lstmSequenceReference(
  inputs: LstmSequenceInputs,
  { reverse }: LstmSequenceAttributes,
): Tensor[] {
  const { inputGates, hiddenWeight } = inputs;
  const [length, batch, width] = inputGates.shape;
  if (length === 0)
    return [zeros([0, batch, width / 4]), zeros([0, batch, width / 4]), zeros([0, batch, width])];
  const steps = unstack(inputGates);
  const hiddens = new Array<Tensor>(length);
  const cells = new Array<Tensor>(length);
  const gates = new Array<Tensor>(length);
  let { hidden, cell } = inputs;
  for (const step of stepOrder(length, reverse)) {
    const [input, forget, candidate, output] = split(
      add(steps[step], matMul(hidden, hiddenWeight, { transposeB: true })),
      4,
      { axis: 1 },
    ); // [batch, hidden] each
    const activated = [sigmoid(input), sigmoid(forget), tanh(candidate), sigmoid(output)];
    gates[step] = concat(activated, { axis: 1 }); // [batch, 4·hidden]
    cell = add(mul(activated[1], cell), mul(activated[0], activated[2]));
    hidden = mul(activated[3], tanh(cell));
    hiddens[step] = hidden;
    cells[step] = cell;
  }
  return [stack(hiddens), stack(cells), stack(gates)];
}

/** Derivative of tanh, from its value. */
const slopeOfTangent = (value: Tensor): Tensor => sub(1, mul(value, value));

/** Derivative of σ, from its value. */
const slopeOfLogistic = (value: Tensor): Tensor => mul(value, sub(1, value));

/** What the backward chain needs; all `[length, batch, …]` but the weight and the first cell `[batch, hidden]`. */
export type LstmSequenceGradientInputs = {
  dHiddens: Tensor;
  dCells: Tensor | undefined;
  dGates: Tensor | undefined;
  gates: Tensor;
  cells: Tensor;
  cell: Tensor;
  hiddenWeight: Tensor;
};

/** The backward chain by plain ops. @returns gradients of the gates of every step `[length, batch, 4·hidden]`, of the first hidden state and of the first cell */
export function lstmSequenceGradientReference(
  { dHiddens, dCells, dGates, gates, cells, cell, hiddenWeight }: LstmSequenceGradientInputs,
  { reverse }: LstmSequenceAttributes,
): Tensor[] {
  const [length, batch, width] = gates.shape;
  if (length === 0) return [zeros([0, batch, width]), zeros(cell.shape), zeros(cell.shape)];
  const [dHidden, gate, cellAt] = [dHiddens, gates, cells].map((tensor) => unstack(tensor));
  const dCell = dCells && unstack(dCells);
  const dGate = dGates && unstack(dGates);
  const order = stepOrder(length, reverse);
  const gradients = new Array<Tensor>(length);
  let nextHidden: Tensor | undefined;
  let nextCell = zeros(cell.shape);
  for (let position = length - 1; position >= 0; position--) {
    const step = order[position];
    const [input, forget, candidate, output] = split(gate[step], 4, { axis: 1 }); // [batch, hidden] each
    const squashed = tanh(cellAt[step]);
    const dh = nextHidden === undefined ? dHidden[step] : add(dHidden[step], nextHidden);
    const carried = dCell === undefined ? nextCell : add(dCell[step], nextCell);
    const dc = add(carried, mul(mul(dh, output), slopeOfTangent(squashed)));
    const before = position === 0 ? cell : cellAt[order[position - 1]];
    const activated = [mul(dc, candidate), mul(dc, before), mul(dc, input), mul(dh, squashed)];
    const slopes = [input, forget, candidate, output].map((value, kind) =>
      kind === 2 ? slopeOfTangent(value) : slopeOfLogistic(value),
    );
    const reached = concat(activated, { axis: 1 }); // [batch, 4·hidden]
    const all = dGate === undefined ? reached : add(reached, dGate[step]);
    gradients[step] = mul(all, concat(slopes, { axis: 1 }));
    nextHidden = matMul(gradients[step], hiddenWeight); // [batch, hidden]
    nextCell = mul(dc, forget);
  }
  return [stack(gradients), nextHidden!, nextCell];
}
