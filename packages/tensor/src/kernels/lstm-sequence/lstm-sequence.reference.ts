import type { Tensor } from "@tensorflow/tfjs-core";
import { add } from "../../ops/arithmetic.js";
import { stack, unstack } from "../../ops/concat.js";
import { matMul } from "../../ops/matmul.js";
import { zeros } from "../../tensor.js";
import { lstmCellGradientKernel } from "../lstm-cell/lstm-cell.gradient.js";
import { lstmCell } from "../lstm-cell/lstm-cell.js";
import type { LstmSequenceAttributes, LstmSequenceInputs } from "./lstm-sequence.js";

/** Indices of the steps in the order in which the chain takes them. */
export function stepOrder(length: number, reverse: boolean): number[] {
  return Array.from({ length }, (_, step) => (reverse ? length - 1 - step : step));
}

/** The chain by plain ops. @returns hidden states, cell states `[length, batch, hidden]`, gates `[length, batch, 4·hidden]` */
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
    gates[step] = add(steps[step], matMul(hidden, hiddenWeight, { transposeB: true })); // [batch, 4·hidden]
    ({ hidden, cell } = lstmCell(gates[step], cell));
    hiddens[step] = hidden;
    cells[step] = cell;
  }
  return [stack(hiddens), stack(cells), stack(gates)];
}

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
    const fromStep = lstmCellGradientKernel.multiple(
      {
        dHidden: nextHidden === undefined ? dHidden[step] : add(dHidden[step], nextHidden),
        dCell: dCell === undefined ? nextCell : add(dCell[step], nextCell),
        gates: gate[step],
        cell: position === 0 ? cell : cellAt[order[position - 1]],
      },
      {},
    );
    gradients[step] = dGate === undefined ? fromStep[0] : add(fromStep[0], dGate[step]);
    nextHidden = matMul(gradients[step], hiddenWeight); // [batch, hidden]
    nextCell = fromStep[1];
  }
  return [stack(gradients), nextHidden!, nextCell];
}
