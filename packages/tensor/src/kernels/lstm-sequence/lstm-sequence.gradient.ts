import type { Tensor } from "@tensorflow/tfjs-core";
import { concat } from "../../ops/concat.js";
import { matMul } from "../../ops/matmul.js";
import { expandDims, reshape } from "../../ops/shape-ops.js";
import { narrow } from "../../ops/slice.js";
import { defineKernel, type GradientContext } from "../define-kernel.js";
import type { LstmSequenceAttributes, LstmSequenceInputs } from "./lstm-sequence.js";
import { type LstmSequenceGradientInputs, lstmSequenceGradientReference } from "./lstm-sequence.reference.js";
import { lstmSequenceGradientWasm } from "./lstm-sequence.wasm.js";
import { lstmSequenceGradientWebgpu } from "./lstm-sequence.webgpu.js";

/** Without a gradient of its own: second derivatives go through the reference. */
export const lstmSequenceGradientKernel = /* @__PURE__ */ defineKernel<
  LstmSequenceGradientInputs,
  LstmSequenceAttributes
>({
  name: "LSTMSequenceGradient",
  reference: lstmSequenceGradientReference,
  implementations: { wasm: lstmSequenceGradientWasm, webgpu: lstmSequenceGradientWebgpu },
});

/** Hidden states before each step. @returns `[length, batch, hidden]` */
export function statesBefore(first: Tensor, states: Tensor, reverse: boolean): Tensor {
  const length = states.shape[0] - 1;
  const rest = narrow(states, { axis: 0, start: reverse ? 1 : 0, length });
  return concat(reverse ? [rest, expandDims(first, 0)] : [expandDims(first, 0), rest]);
}

export function lstmSequenceGradient({
  dys,
  given,
  saved,
  outputs,
  attrs,
}: GradientContext<LstmSequenceInputs, LstmSequenceAttributes>) {
  let computed: Tensor[] | undefined;
  const chain = (): Tensor[] => {
    computed ??= lstmSequenceGradientKernel.multiple(
      {
        dHiddens: dys[0],
        dCells: given[1] ? dys[1] : undefined,
        dGates: given[2] ? dys[2] : undefined,
        gates: outputs[2],
        cells: outputs[1],
        cell: saved.cell,
        hiddenWeight: saved.hiddenWeight,
      },
      attrs,
    );
    return computed;
  };
  return {
    inputGates: () => chain()[0],
    hiddenWeight: () => {
      const [length, batch, size]: readonly number[] = outputs[0].shape;
      const rows = length * batch;
      const gradients = reshape(chain()[0], [rows, 4 * size]);
      if (length === 0) return matMul(gradients, reshape(outputs[0], [rows, size]), { transposeA: true });
      const before = reshape(statesBefore(saved.hidden, outputs[0], attrs.reverse), [rows, size]);
      return matMul(gradients, before, { transposeA: true }); // [4·hidden, hidden]
    },
    hidden: () => chain()[1],
    cell: () => chain()[2],
  };
}
