import type { Tensor } from "@tensorflow/tfjs-core";
import { add, mul, sub } from "../../ops/arithmetic.js";
import { concat } from "../../ops/concat.js";
import { narrow } from "../../ops/slice.js";
import { sigmoid, square, tanh } from "../../ops/unary.js";
import type { GruCellInputs } from "./gru-cell.js";

/** Reset and update gate, candidate, and the candidate's part from the hidden state, each `[batch, hidden]`. */
function activate({ inputGates, hiddenGates, hidden }: GruCellInputs) {
  const [, size]: readonly number[] = hidden.shape;
  const part = (gates: Tensor, index: number): Tensor =>
    narrow(gates, { axis: 1, start: index * size, length: size });
  const reset = sigmoid(add(part(inputGates, 0), part(hiddenGates, 0)));
  const update = sigmoid(add(part(inputGates, 1), part(hiddenGates, 1)));
  const recalled = part(hiddenGates, 2);
  const candidate = tanh(add(part(inputGates, 2), mul(reset, recalled)));
  return { reset, update, candidate, recalled };
}

/** The cell by plain ops. @returns the new hidden state `[batch, hidden]` */
export function gruCellReference(inputs: GruCellInputs): Tensor {
  const { update, candidate } = activate(inputs);
  return add(mul(sub(1, update), candidate), mul(update, inputs.hidden));
}

/** @returns gradients of input gates `[batch, 3·hidden]`, hidden gates `[batch, 3·hidden]` and hidden state `[batch, hidden]` */
export function gruCellGradientReference({ dy, ...inputs }: GruCellInputs & { dy: Tensor }): Tensor[] {
  const { reset, update, candidate, recalled } = activate(inputs);
  const dUpdate = mul(mul(dy, sub(inputs.hidden, candidate)), mul(update, sub(1, update)));
  const dCandidate = mul(mul(dy, sub(1, update)), sub(1, square(candidate)));
  const dReset = mul(mul(dCandidate, recalled), mul(reset, sub(1, reset)));
  return [
    concat([dReset, dUpdate, dCandidate], { axis: 1 }),
    concat([dReset, dUpdate, mul(dCandidate, reset)], { axis: 1 }),
    mul(dy, update),
  ];
}
