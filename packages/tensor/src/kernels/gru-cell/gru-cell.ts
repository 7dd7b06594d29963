import type { Tensor } from "@tensorflow/tfjs-core";
import { asDType } from "../../dtype.js";
import { DTypeError, ShapeError } from "../../errors.js";
import { formatShape, sameShape } from "../../shape.js";
import { defineKernel } from "../define-kernel.js";
import { gruCellGradient } from "./gru-cell.gradient.js";
import { gruCellReference } from "./gru-cell.reference.js";
import { gruCellWasm } from "./gru-cell.wasm.js";
import { gruCellWebgpu } from "./gru-cell.webgpu.js";

/** `inputGates` and `hiddenGates` `[batch, 3·hidden]`, `hidden` `[batch, hidden]` */
export type GruCellInputs = { inputGates: Tensor; hiddenGates: Tensor; hidden: Tensor };

export const gruCellKernel = /* @__PURE__ */ defineKernel<GruCellInputs>({
  name: "GRUCell",
  reference: gruCellReference,
  implementations: { wasm: gruCellWasm, webgpu: gruCellWebgpu },
  saves: ["inputGates", "hiddenGates", "hidden"],
  gradient: gruCellGradient,
});

/**
 * The elementwise part of a GRU step, after the two matrix products:
 * `r = σ(rᵢ + rₕ)`, `z = σ(zᵢ + zₕ)`, `n = tanh(nᵢ + r·nₕ)`, `h′ = (1 − z)·n + z·h`.
 * @param inputGates `[batch, 3·hidden]`: `r`, `z`, `n` of the input side by side, PyTorch's order, bias included.
 * @param hiddenGates `[batch, 3·hidden]`: the same of the hidden state.
 * @param hidden `[batch, hidden]`
 * @returns `[batch, hidden]`, the new hidden state
 * @throws ShapeError when the shapes do not fit together.
 * @throws DTypeError when a tensor is not float32.
 * @see Cho et al. (2014), https://arxiv.org/abs/1406.1078; the reset gate acts after the product, as in PyTorch and cuDNN
 * @example
 * const next = gruCell(linear(x, wIh, bIh), linear(h, wHh, bHh), h);
 */
export function gruCell(inputGates: Tensor, hiddenGates: Tensor, hidden: Tensor): Tensor {
  for (const [name, value] of Object.entries({ inputGates, hiddenGates, hidden }))
    if (asDType("gruCell", value?.dtype) !== "float32")
      throw new DTypeError(`gruCell: expected float32 for ${name}, got ${value.dtype}; cast it first`);
  const [batch, size]: readonly number[] = hidden.shape;
  const wide = [batch, 3 * size];
  if (hidden.shape.length !== 2 || !sameShape(inputGates.shape, wide) || !sameShape(hiddenGates.shape, wide))
    throw new ShapeError(
      `gruCell: expected gates [batch, 3·hidden] twice and hidden [batch, hidden], got ${formatShape(inputGates.shape)}, ${formatShape(hiddenGates.shape)} and ${formatShape(hidden.shape)}`,
    );
  return gruCellKernel({ inputGates, hiddenGates, hidden }, {});
}
