import type { Tensor } from "@tensorflow/tfjs-core";
import { defineKernel, type GradientContext } from "../define-kernel.js";
import type { GruCellInputs } from "./gru-cell.js";
import { gruCellGradientReference } from "./gru-cell.reference.js";
import { gruCellGradientWasm } from "./gru-cell.wasm.js";
import { gruCellGradientWebgpu } from "./gru-cell.webgpu.js";

/** Without a gradient of its own: second derivatives go through the reference. */
export const gruCellGradientKernel = /* @__PURE__ */ defineKernel<GruCellInputs & { dy: Tensor }>({
  name: "GRUCellGradient",
  reference: gruCellGradientReference,
  implementations: { wasm: gruCellGradientWasm, webgpu: gruCellGradientWebgpu },
});

export function gruCellGradient({ dy, saved }: GradientContext<GruCellInputs, object>) {
  let computed: Tensor[] | undefined;
  const gradients = (): Tensor[] => {
    computed ??= gruCellGradientKernel.multiple({ dy, ...saved }, {});
    return computed;
  };
  return {
    inputGates: () => gradients()[0],
    hiddenGates: () => gradients()[1],
    hidden: () => gradients()[2],
  };
}
