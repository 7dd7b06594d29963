import { defineKernel, type GradientContext } from "../define-kernel.js";
import type { AttentionAttributes, AttentionInputs } from "./attention.js";
import {
  type AttentionGradientInputs,
  attentionDropoutGradient,
  attentionGradientReference,
  attentionMaskGradient,
} from "./attention.reference.js";
import { attentionGradientWasm } from "./attention.wasm.js";

/** Without a gradient of its own: second derivatives go through the reference. */
export const attentionGradientKernel = /* @__PURE__ */ defineKernel<
  AttentionGradientInputs,
  AttentionAttributes
>({
  name: "AttentionGradient",
  reference: attentionGradientReference,
  implementations: { wasm: attentionGradientWasm },
});

export function attentionGradient({
  dys,
  given,
  saved,
  outputs,
  attrs,
}: GradientContext<AttentionInputs, AttentionAttributes>) {
  const inputs = (): AttentionGradientInputs => ({
    ...saved,
    output: outputs[0],
    logSums: outputs[1],
    dOutput: dys[0],
    dLogSums: given[1] ? dys[1] : undefined,
  });
  let computed: ReturnType<typeof attentionGradientKernel.multiple> | undefined;
  const gradients = () => {
    computed ??= attentionGradientKernel.multiple(inputs(), attrs);
    return computed;
  };
  return {
    query: () => gradients()[0],
    key: () => gradients()[1],
    value: () => gradients()[2],
    mask: () => attentionMaskGradient(inputs(), attrs),
    dropout: () => attentionDropoutGradient(inputs(), attrs),
  };
}
