import type { Tensor } from "@tensorflow/tfjs-core";
import { defineKernel, type GradientContext } from "../define-kernel.js";
import type { LstmCellInputs } from "./lstm-cell.js";
import { lstmCellGradientReference } from "./lstm-cell.reference.js";
import { lstmCellGradientWasm } from "./lstm-cell.wasm.js";
import { lstmCellGradientWebgpu } from "./lstm-cell.webgpu.js";

/** Without a gradient of its own: second derivatives go through the reference. */
export const lstmCellGradientKernel = /* @__PURE__ */ defineKernel<{
  dHidden: Tensor;
  dCell: Tensor;
  gates: Tensor;
  cell: Tensor;
}>({
  name: "LSTMCellGradient",
  reference: lstmCellGradientReference,
  implementations: { wasm: lstmCellGradientWasm, webgpu: lstmCellGradientWebgpu },
});

export function lstmCellGradient({ dys, saved }: GradientContext<LstmCellInputs, object>) {
  let computed: Tensor[] | undefined;
  const gradients = (): Tensor[] => {
    computed ??= lstmCellGradientKernel.multiple({ dHidden: dys[0], dCell: dys[1], ...saved }, {});
    return computed;
  };
  return { gates: () => gradients()[0], cell: () => gradients()[1] };
}
