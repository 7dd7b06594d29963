import type { Tensor } from "@tensorflow/tfjs-core";
import { assertOptions } from "../../arguments.js";
import { asDType } from "../../dtype.js";
import { DTypeError, ShapeError } from "../../errors.js";
import { formatShape, sameShape } from "../../shape.js";
import { defineKernel } from "../define-kernel.js";
import { gruSequenceGradient } from "./gru-sequence.gradient.js";
import { gruSequenceReference } from "./gru-sequence.reference.js";
import { gruSequenceWasm } from "./gru-sequence.wasm.js";
import { gruSequenceWebgpu } from "./gru-sequence.webgpu.js";

/** `inputGates` `[length, batch, 3·hidden]`, `hiddenWeight` `[3·hidden, hidden]`, `hiddenBias` `[3·hidden]`, `hidden` `[batch, hidden]` */
export type GruSequenceInputs = {
  inputGates: Tensor;
  hiddenWeight: Tensor;
  hiddenBias?: Tensor;
  hidden: Tensor;
};

export type GruSequenceAttributes = { reverse: boolean };

/** Outputs: hidden states `[length, batch, hidden]`, and for the gradient `r`, `z`, `n`, `Wₕₙ·h + bₕₙ` `[length, batch, 4·hidden]`. */
export const gruSequenceKernel = /* @__PURE__ */ defineKernel<GruSequenceInputs, GruSequenceAttributes>({
  name: "GRUSequence",
  reference: gruSequenceReference,
  implementations: { wasm: gruSequenceWasm, webgpu: gruSequenceWebgpu },
  saves: ["hiddenWeight", "hidden", "output"],
  gradient: gruSequenceGradient,
});

/** Options of {@link gruSequence}. */
export interface GruSequenceOptions {
  /** State before the first step, `[batch, hidden]`. */
  readonly hidden: Tensor;
  /** Bias of the hidden state's gates, `[3·hidden]`. Default none. */
  readonly hiddenBias?: Tensor;
  /** Read from the last step to the first. Default false. */
  readonly reverse?: boolean;
}

/**
 * A chain of GRU steps over whole sequences. Step `t`, with `u = h·hiddenWeightᵀ + hiddenBias`:
 * `r = σ(xᵣ + uᵣ)`, `z = σ(x_z + u_z)`, `n = tanh(xₙ + r·uₙ)`, `h = (1 − z)·n + z·h`, where `x = inputGates[t]`.
 * The backward pass sums the weight's gradient in one product.
 * @param inputGates `[length, batch, 3·hidden]`: what the input and its bias give, in PyTorch's order `r, z, n`.
 * @param hiddenWeight `[3·hidden, hidden]`
 * @returns the hidden state after every step, `[length, batch, hidden]`, in the order of the input.
 * @throws ShapeError when the shapes do not fit together; DTypeError when a tensor is not float32.
 * @see Cho et al. (2014), https://arxiv.org/abs/1406.1078; the reset gate acts after the product, as in PyTorch and cuDNN
 * @example
 * const states = gruSequence(linear(x, wIh, bIh), wHh, { hidden: h0, hiddenBias: bHh }); // x [length, batch, dim]
 */
export function gruSequence(inputGates: Tensor, hiddenWeight: Tensor, options: GruSequenceOptions): Tensor {
  assertOptions("gruSequence", options, ["hidden", "hiddenBias", "reverse?"]);
  const { hidden, hiddenBias, reverse = false } = options;
  for (const [name, value] of Object.entries({ inputGates, hiddenWeight, hidden, hiddenBias }))
    if ((name !== "hiddenBias" || value !== undefined) && asDType("gruSequence", value?.dtype) !== "float32")
      throw new DTypeError(`gruSequence: expected float32 for ${name}, got ${value?.dtype}; cast it first`);
  const [batch, size] = hidden.shape;
  if (
    hidden.shape.length !== 2 ||
    !sameShape(hiddenWeight.shape, [3 * size, size]) ||
    (hiddenBias !== undefined && !sameShape(hiddenBias.shape, [3 * size])) ||
    inputGates.shape.length !== 3 ||
    !sameShape(inputGates.shape.slice(1), [batch, 3 * size])
  )
    throw new ShapeError(
      `gruSequence: expected inputGates [length, batch, 3·hidden], hiddenWeight [3·hidden, hidden], hidden [batch, hidden] and hiddenBias [3·hidden], ` +
        `got ${[inputGates, hiddenWeight, hidden, ...(hiddenBias === undefined ? [] : [hiddenBias])].map(({ shape }) => formatShape(shape)).join(", ")}`,
    );
  const [hiddens, gates] = gruSequenceKernel.multiple(
    { inputGates, hiddenWeight, hiddenBias, hidden },
    { reverse },
  );
  gates.dispose();
  return hiddens;
}
