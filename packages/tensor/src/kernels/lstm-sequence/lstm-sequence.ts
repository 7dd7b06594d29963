import type { Tensor } from "@tensorflow/tfjs-core";
import { assertOptions } from "../../arguments.js";
import { asDType } from "../../dtype.js";
import { DTypeError, ShapeError } from "../../errors.js";
import { formatShape, sameShape } from "../../shape.js";
import { defineKernel } from "../define-kernel.js";
import { lstmSequenceGradient } from "./lstm-sequence.gradient.js";
import { lstmSequenceReference } from "./lstm-sequence.reference.js";
import { lstmSequenceWasm } from "./lstm-sequence.wasm.js";
import { lstmSequenceWebgpu } from "./lstm-sequence.webgpu.js";

/** `inputGates` `[length, batch, 4·hidden]`, `hiddenWeight` `[4·hidden, hidden]`, `hidden` and `cell` `[batch, hidden]` */
export type LstmSequenceInputs = { inputGates: Tensor; hiddenWeight: Tensor; hidden: Tensor; cell: Tensor };

export type LstmSequenceAttributes = { reverse: boolean };

/** Outputs: hidden states and cell states `[length, batch, hidden]`, and the gates after their activations. */
export const lstmSequenceKernel = /* @__PURE__ */ defineKernel<LstmSequenceInputs, LstmSequenceAttributes>({
  name: "LSTMSequence",
  reference: lstmSequenceReference,
  implementations: { wasm: lstmSequenceWasm, webgpu: lstmSequenceWebgpu },
  saves: ["hiddenWeight", "hidden", "cell", "output"],
  gradient: lstmSequenceGradient,
});

/** Options of {@link lstmSequence}. */
export interface LstmSequenceOptions {
  /** State before the first step, `[batch, hidden]`. */
  readonly hidden: Tensor;
  /** Cell before the first step, `[batch, hidden]`. */
  readonly cell: Tensor;
  /** Read from the last step to the first. Default false. */
  readonly reverse?: boolean;
}

/**
 * A chain of LSTM steps over whole sequences. Step `t`: `i, f, g, o = inputGates[t] + h·hiddenWeightᵀ`,
 * `c = σ(f)·c + σ(i)·tanh(g)`, `h = σ(o)·tanh(c)`. The backward pass sums the weight's gradient in one product.
 * @param inputGates `[length, batch, 4·hidden]`: what the input and the biases give, in PyTorch's order `i, f, g, o`.
 * @param hiddenWeight `[4·hidden, hidden]`
 * @returns `hidden` and `cell` after every step, `[length, batch, hidden]` each, in the order of the input.
 * @throws ShapeError when the shapes do not fit together; DTypeError when a tensor is not float32.
 * @see Hochreiter, Schmidhuber (1997), https://doi.org/10.1162/neco.1997.9.8.1735
 * @example
 * const { hidden } = lstmSequence(linear(x, wIh, bias), wHh, { hidden: h0, cell: c0 }); // x [length, batch, dim]
 */
export function lstmSequence(
  inputGates: Tensor,
  hiddenWeight: Tensor,
  options: LstmSequenceOptions,
): { hidden: Tensor; cell: Tensor } {
  assertOptions("lstmSequence", options, ["hidden", "cell", "reverse?"]);
  const { hidden, cell, reverse = false } = options;
  for (const [name, value] of Object.entries({ inputGates, hiddenWeight, hidden, cell }))
    if (asDType("lstmSequence", value?.dtype) !== "float32")
      throw new DTypeError(`lstmSequence: expected float32 for ${name}, got ${value.dtype}; cast it first`);
  const [batch, size] = hidden.shape;
  if (
    hidden.shape.length !== 2 ||
    !sameShape(cell.shape, hidden.shape) ||
    !sameShape(hiddenWeight.shape, [4 * size, size]) ||
    inputGates.shape.length !== 3 ||
    !sameShape(inputGates.shape.slice(1), [batch, 4 * size])
  )
    throw new ShapeError(
      `lstmSequence: expected inputGates [length, batch, 4·hidden], hiddenWeight [4·hidden, hidden], hidden and cell [batch, hidden], ` +
        `got ${[inputGates, hiddenWeight, hidden, cell].map(({ shape }) => formatShape(shape)).join(", ")}`,
    );
  const [hiddens, cells, gates] = lstmSequenceKernel.multiple(
    { inputGates, hiddenWeight, hidden, cell },
    { reverse },
  );
  gates.dispose();
  return { hidden: hiddens, cell: cells };
}
