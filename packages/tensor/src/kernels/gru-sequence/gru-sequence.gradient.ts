import type { Tensor } from "@tensorflow/tfjs-core";
import { matMul } from "../../ops/matmul.js";
import { sum } from "../../ops/reduce.js";
import { reshape } from "../../ops/shape-ops.js";
import { defineKernel, type GradientContext } from "../define-kernel.js";
import { statesBefore } from "../lstm-sequence/lstm-sequence.gradient.js";
import type { GruSequenceAttributes, GruSequenceInputs } from "./gru-sequence.js";
import { type GruSequenceGradientInputs, gruSequenceGradientReference } from "./gru-sequence.reference.js";
import { gruSequenceGradientWasm } from "./gru-sequence.wasm.js";
import { gruSequenceGradientWebgpu } from "./gru-sequence.webgpu.js";

/** Without a gradient of its own: second derivatives go through the reference. */
export const gruSequenceGradientKernel = /* @__PURE__ */ defineKernel<
  GruSequenceGradientInputs,
  GruSequenceAttributes
>({
  name: "GRUSequenceGradient",
  reference: gruSequenceGradientReference,
  implementations: { wasm: gruSequenceGradientWasm, webgpu: gruSequenceGradientWebgpu },
});

export function gruSequenceGradient({
  dys,
  given,
  saved,
  outputs,
  attrs,
}: GradientContext<GruSequenceInputs, GruSequenceAttributes>) {
  let computed: Tensor[] | undefined;
  const chain = (): Tensor[] => {
    computed ??= gruSequenceGradientKernel.multiple(
      {
        dHiddens: dys[0],
        dGates: given[1] ? dys[1] : undefined,
        gates: outputs[1],
        hiddens: outputs[0],
        hidden: saved.hidden,
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
      const gradients = reshape(chain()[1], [rows, 3 * size]);
      const before = length === 0 ? outputs[0] : statesBefore(saved.hidden, outputs[0], attrs.reverse);
      return matMul(gradients, reshape(before, [rows, size]), { transposeA: true }); // [3·hidden, hidden]
    },
    hiddenBias: () => sum(chain()[1], { axes: [0, 1] }), // [3·hidden]
    hidden: () => chain()[2],
  };
}
