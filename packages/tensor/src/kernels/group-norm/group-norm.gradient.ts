import type { Tensor } from "@tensorflow/tfjs-core";
import { defineKernel, type GradientContext } from "../define-kernel.js";
import type { GroupNormAttributes, GroupNormInputs } from "./group-norm.js";
import { groupNormGradientReference } from "./group-norm.reference.js";
import { groupNormGradientWasm } from "./group-norm.wasm.js";

/** Without a gradient of its own: second derivatives go through the reference. */
export const groupNormGradientKernel = /* @__PURE__ */ defineKernel<
  { dy: Tensor; x: Tensor; weight?: Tensor },
  GroupNormAttributes
>({
  name: "GroupNormGradient",
  reference: groupNormGradientReference,
  implementations: { wasm: groupNormGradientWasm },
});

export function groupNormGradient({
  dy,
  saved,
  attrs,
}: GradientContext<GroupNormInputs, GroupNormAttributes>) {
  let computed: Tensor[] | undefined;
  const gradients = (): Tensor[] => {
    computed ??= groupNormGradientKernel.multiple({ dy, x: saved.x, weight: saved.weight }, attrs);
    return computed;
  };
  return { x: () => gradients()[0], weight: () => gradients()[1], bias: () => gradients()[2] };
}
