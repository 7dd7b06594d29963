import type { Tensor } from "@tensorflow/tfjs-core";
import { add, mul, sub } from "../../ops/arithmetic.js";
import { concat, stack, unstack } from "../../ops/concat.js";
import { linear, matMul } from "../../ops/matmul.js";
import { narrow } from "../../ops/slice.js";
import { sigmoid, square, tanh } from "../../ops/unary.js";
import { zeros } from "../../tensor.js";
import { gruCell } from "../gru-cell/gru-cell.js";
import { stepOrder } from "../lstm-sequence/lstm-sequence.reference.js";
import type { GruSequenceAttributes, GruSequenceInputs } from "./gru-sequence.js";

/** Part `index` of gates that lie side by side on the last of three axes. */
function part(gates: Tensor, index: number, size: number): Tensor {
  return narrow(gates, { axis: 2, start: index * size, length: size });
}

/**
 * The chain by plain ops.
 * @returns hidden states `[length, batch, hidden]`, and `[length, batch, 4·hidden]`: reset and update gate, candidate,
 * and the candidate's part from the hidden state
 */
export function gruSequenceReference(
  { inputGates, hiddenWeight, hiddenBias, hidden: first }: GruSequenceInputs,
  { reverse }: GruSequenceAttributes,
): Tensor[] {
  const [length, batch, width]: readonly number[] = inputGates.shape;
  const size = width / 3;
  if (length === 0) return [zeros([0, batch, size]), zeros([0, batch, 4 * size])];
  const steps = unstack(inputGates);
  const hiddens = new Array<Tensor>(length);
  const products = new Array<Tensor>(length);
  let hidden = first;
  for (const step of stepOrder(length, reverse)) {
    products[step] = linear(hidden, hiddenWeight, hiddenBias); // [batch, 3·hidden]
    hidden = gruCell(steps[step], products[step], hidden);
    hiddens[step] = hidden;
  }
  const hiddenGates = stack(products);
  const reset = sigmoid(add(part(inputGates, 0, size), part(hiddenGates, 0, size)));
  const update = sigmoid(add(part(inputGates, 1, size), part(hiddenGates, 1, size)));
  const recalled = part(hiddenGates, 2, size);
  const candidate = tanh(add(part(inputGates, 2, size), mul(reset, recalled)));
  return [stack(hiddens), concat([reset, update, candidate, recalled], { axis: 2 })];
}

/** What the backward chain needs; all `[length, batch, …]` but the weight and the first state `[batch, hidden]`. */
export type GruSequenceGradientInputs = {
  dHiddens: Tensor;
  dGates: Tensor | undefined;
  gates: Tensor;
  hiddens: Tensor;
  hidden: Tensor;
  hiddenWeight: Tensor;
};

/**
 * The backward chain by plain ops: the slopes of all steps at once, then step by step what flows back.
 * @returns gradients of input gates and hidden gates `[length, batch, 3·hidden]`, and of the first state
 */
export function gruSequenceGradientReference(
  { dHiddens, dGates, gates, hiddens, hidden, hiddenWeight }: GruSequenceGradientInputs,
  { reverse }: GruSequenceAttributes,
): Tensor[] {
  const [length, batch, size]: readonly number[] = hiddens.shape;
  if (length === 0) return [zeros([0, batch, 3 * size]), zeros([0, batch, 3 * size]), zeros(hidden.shape)];
  const split = (tensor: Tensor): Tensor[][] =>
    [0, 1, 2, 3].map((index) => unstack(part(tensor, index, size)));
  const [resets, updates, candidates, recalls] = split(gates);
  const seen = dGates && split(dGates);
  const [states, dStates] = [hiddens, dHiddens].map((tensor) => unstack(tensor));
  const plus = (value: Tensor, index: number, step: number): Tensor =>
    seen === undefined ? value : add(value, seen[index][step]);
  const order = stepOrder(length, reverse);
  const [dInputs, dRecurrents] = [new Array<Tensor>(length), new Array<Tensor>(length)];
  let carried: Tensor | undefined;
  for (let position = length - 1; position >= 0; position--) {
    const step = order[position];
    const [reset, update, candidate] = [resets[step], updates[step], candidates[step]];
    const before = position === 0 ? hidden : states[order[position - 1]];
    const dHidden = carried === undefined ? dStates[step] : add(dStates[step], carried);
    const dUpdate = mul(plus(mul(dHidden, sub(before, candidate)), 1, step), mul(update, sub(1, update)));
    const dCandidate = mul(plus(mul(dHidden, sub(1, update)), 2, step), sub(1, square(candidate)));
    const dReset = mul(plus(mul(dCandidate, recalls[step]), 0, step), mul(reset, sub(1, reset)));
    dInputs[step] = concat([dReset, dUpdate, dCandidate], { axis: 1 }); // [batch, 3·hidden]
    dRecurrents[step] = concat([dReset, dUpdate, plus(mul(dCandidate, reset), 3, step)], { axis: 1 });
    carried = add(mul(dHidden, update), matMul(dRecurrents[step], hiddenWeight)); // [batch, hidden]
  }
  return [stack(dInputs), stack(dRecurrents), carried!];
}
