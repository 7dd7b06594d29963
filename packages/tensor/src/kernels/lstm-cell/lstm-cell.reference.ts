import type { Tensor } from "@tensorflow/tfjs-core";
import { add, mul, sub } from "../../ops/arithmetic.js";
import { concat } from "../../ops/concat.js";
import { narrow } from "../../ops/slice.js";
import { sigmoid, square, tanh } from "../../ops/unary.js";
import type { LstmCellInputs } from "./lstm-cell.js";

/** The four gates after their activations, each `[batch, hidden]`. */
function activate(
  gates: Tensor,
  cell: Tensor,
): { input: Tensor; forget: Tensor; candidate: Tensor; output: Tensor } {
  const [, hidden]: readonly number[] = cell.shape;
  const part = (index: number): Tensor => narrow(gates, { axis: 1, start: index * hidden, length: hidden });
  return {
    input: sigmoid(part(0)),
    forget: sigmoid(part(1)),
    candidate: tanh(part(2)),
    output: sigmoid(part(3)),
  };
}

/** The cell by plain ops. @returns new hidden and cell state, each `[batch, hidden]` */
export function lstmCellReference({ gates, cell }: LstmCellInputs): Tensor[] {
  const { input, forget, candidate, output } = activate(gates, cell);
  const newCell = add(mul(forget, cell), mul(input, candidate));
  return [mul(output, tanh(newCell)), newCell];
}

/**
 * @param inputs `dHidden` and `dCell` `[batch, hidden]`: gradients of the two outputs; `gates`, `cell` as in the forward pass.
 * @returns gradients of gates `[batch, 4·hidden]` and cell `[batch, hidden]`
 */
export function lstmCellGradientReference(inputs: {
  dHidden: Tensor;
  dCell: Tensor;
  gates: Tensor;
  cell: Tensor;
}): Tensor[] {
  const { dHidden, dCell, gates, cell } = inputs;
  const { input, forget, candidate, output } = activate(gates, cell);
  const squashed = tanh(add(mul(forget, cell), mul(input, candidate)));
  const dNewCell = add(dCell, mul(mul(dHidden, output), sub(1, square(squashed))));
  const sigmoidSlope = (gate: Tensor): Tensor => mul(gate, sub(1, gate));
  const dGates = [
    mul(mul(dNewCell, candidate), sigmoidSlope(input)),
    mul(mul(dNewCell, cell), sigmoidSlope(forget)),
    mul(mul(dNewCell, input), sub(1, square(candidate))),
    mul(mul(dHidden, squashed), sigmoidSlope(output)),
  ];
  return [concat(dGates, { axis: 1 }), mul(dNewCell, forget)];
}
