import type { Tensor } from "@tensorflow/tfjs-core";
import { defineKernel, type GradientContext } from "../define-kernel.js";
import { selectiveScanGradientWebgpu } from "./selective-scan.gradient.webgpu.js";
import type { SelectiveScanInputs } from "./selective-scan.js";
import {
  type SelectiveScanGradientInputs,
  selectiveScanGradientReference,
} from "./selective-scan.reference.js";
import { selectiveScanGradientWasm } from "./selective-scan.wasm.js";

/** Without a gradient of its own: second derivatives go through the reference. */
export const selectiveScanGradientKernel = /* @__PURE__ */ defineKernel<SelectiveScanGradientInputs>({
  name: "SelectiveScanGradient",
  reference: selectiveScanGradientReference,
  implementations: { wasm: selectiveScanGradientWasm, webgpu: selectiveScanGradientWebgpu },
});

export function selectiveScanGradient({
  dys,
  given,
  saved,
  outputs,
}: GradientContext<SelectiveScanInputs, Record<never, never>>) {
  let computed: Tensor[] | undefined;
  const gradients = (): Tensor[] => {
    const { x, step, a, b, c, d } = saved;
    computed ??= selectiveScanGradientKernel.multiple(
      { dOutput: dys[0], dStates: given[1] ? dys[1] : undefined, x, step, a, b, c, d, states: outputs[1] },
      {},
    );
    return computed;
  };
  return {
    x: () => gradients()[0],
    step: () => gradients()[1],
    a: () => gradients()[2],
    b: () => gradients()[3],
    c: () => gradients()[4],
    d: () => gradients()[5],
  };
}
