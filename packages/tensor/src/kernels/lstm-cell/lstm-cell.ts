import type { Tensor } from "@tensorflow/tfjs-core";
import { asDType } from "../../dtype.js";
import { DTypeError, ShapeError } from "../../errors.js";
import { formatShape, sameShape } from "../../shape.js";
import { defineKernel } from "../define-kernel.js";
import { lstmCellGradient } from "./lstm-cell.gradient.js";
import { lstmCellReference } from "./lstm-cell.reference.js";
import { lstmCellWasm } from "./lstm-cell.wasm.js";
import { lstmCellWebgpu } from "./lstm-cell.webgpu.js";

/** `gates` `[batch, 4·hidden]`, `cell` `[batch, hidden]` */
export type LstmCellInputs = { gates: Tensor; cell: Tensor };

/** Outputs: new hidden state and new cell state, each `[batch, hidden]`. */
export const lstmCellKernel = /* @__PURE__ */ defineKernel<LstmCellInputs>({
  name: "LSTMCell",
  reference: lstmCellReference,
  implementations: { wasm: lstmCellWasm, webgpu: lstmCellWebgpu },
  saves: ["gates", "cell"],
  gradient: lstmCellGradient,
});

/**
 * The elementwise part of an LSTM step, after the two matrix products:
 * `c′ = σ(f)·c + σ(i)·tanh(g)`, `h′ = σ(o)·tanh(c′)`.
 * @param gates `[batch, 4·hidden]`: `i`, `f`, `g`, `o` side by side, PyTorch's order, biases included.
 * @param cell `[batch, hidden]`
 * @returns `hidden` `[batch, hidden]` and `cell` `[batch, hidden]`
 * @throws ShapeError when the shapes do not fit together.
 * @throws DTypeError when a tensor is not float32.
 * @see Hochreiter, Schmidhuber (1997), https://doi.org/10.1162/neco.1997.9.8.1735
 * @example
 * const step = lstmCell(add(linear(x, wIh, bIh), linear(h, wHh, bHh)), c);
 */
export function lstmCell(gates: Tensor, cell: Tensor): { hidden: Tensor; cell: Tensor } {
  for (const [name, value] of Object.entries({ gates, cell }))
    if (asDType("lstmCell", value?.dtype) !== "float32")
      throw new DTypeError(`lstmCell: expected float32 for ${name}, got ${value.dtype}; cast it first`);
  const [batch, hidden] = cell.shape;
  if (cell.shape.length !== 2 || !sameShape(gates.shape, [batch, 4 * hidden]))
    throw new ShapeError(
      `lstmCell: expected gates [batch, 4·hidden] and cell [batch, hidden], got ${formatShape(gates.shape)} and ${formatShape(cell.shape)}`,
    );
  const [newHidden, newCell] = lstmCellKernel.multiple({ gates, cell }, {});
  return { hidden: newHidden, cell: newCell };
}
