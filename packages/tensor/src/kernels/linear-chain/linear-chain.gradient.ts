import type { Tensor } from "@tensorflow/tfjs-core";
import { sum } from "../../ops/reduce.js";
import { squeeze } from "../../ops/shape-ops.js";
import { narrow } from "../../ops/slice.js";
import { zeros } from "../../tensor.js";
import { defineKernel, type GradientContext } from "../define-kernel.js";
import type { LinearChainInputs } from "./linear-chain.js";
import { type LinearChainGradientInputs, linearChainGradientReference } from "./linear-chain.reference.js";
import { linearChainGradientWasm } from "./linear-chain.wasm.js";
import { linearChainGradientWebgpu } from "./linear-chain.webgpu.js";

/** Without a gradient of its own: second derivatives go through the reference. */
export const linearChainGradientKernel = /* @__PURE__ */ defineKernel<LinearChainGradientInputs, object>({
  name: "LinearChainGradient",
  reference: linearChainGradientReference,
  implementations: { wasm: linearChainGradientWasm, webgpu: linearChainGradientWebgpu },
});

export function linearChainGradient({ dy, saved }: GradientContext<LinearChainInputs, object>) {
  let computed: Tensor[] | undefined;
  const items = (): Tensor[] => {
    computed ??= linearChainGradientKernel.multiple({ dy, ...saved }, {});
    return computed;
  };
  return {
    emissions: () => items()[0],
    transitions: () => sum(items()[1], { axes: 0 }), // [tags, tags]
    start: () => {
      const [, length, tags]: readonly number[] = saved.emissions.shape;
      if (length === 0) return zeros([tags]);
      return sum(squeeze(narrow(items()[0], { axis: 1, start: 0, length: 1 }), { axes: 1 }), { axes: 0 }); // [tags]
    },
    end: () => sum(items()[2], { axes: 0 }), // [tags]
  };
}
