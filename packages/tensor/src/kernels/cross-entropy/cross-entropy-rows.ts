import type { Tensor } from "@tensorflow/tfjs-core";
import { defineKernel, type GradientContext } from "../define-kernel.js";
import { crossEntropyRowsGradientReference, crossEntropyRowsReference } from "./cross-entropy.reference.js";
import { crossEntropyRowsGradientWasm, crossEntropyRowsWasm } from "./cross-entropy.wasm.js";
import { crossEntropyRowsGradientWebgpu, crossEntropyRowsWebgpu } from "./cross-entropy.webgpu.js";

/** `logits` `[rows, classes]`, `targets` `[rows]` int32 */
export type CrossEntropyRowsInputs = { logits: Tensor; targets: Tensor };
export type CrossEntropyRowsAttributes = { ignoreIndex: number };

/**
 * `−log softmax(logits)[target]` of each row, 0 where the target is `ignoreIndex`.
 * Outputs: the losses `[rows]`, and `log Σ exp(logits)` `[rows]` for the gradient, itself without one.
 */
export const crossEntropyRowsKernel = /* @__PURE__ */ defineKernel<
  CrossEntropyRowsInputs,
  CrossEntropyRowsAttributes
>({
  name: "CrossEntropy",
  reference: crossEntropyRowsReference,
  implementations: { wasm: crossEntropyRowsWasm, webgpu: crossEntropyRowsWebgpu },
  saves: ["logits", "targets", "output"],
  gradient: ({
    dy,
    saved,
    outputs,
    attrs,
  }: GradientContext<CrossEntropyRowsInputs, CrossEntropyRowsAttributes>) => ({
    logits: () =>
      crossEntropyRowsGradientKernel(
        { dy, logits: saved.logits, targets: saved.targets, logSums: outputs[1] },
        attrs,
      ),
  }),
});

/** Without a gradient of its own: second derivatives go through the reference. */
export const crossEntropyRowsGradientKernel = /* @__PURE__ */ defineKernel<
  CrossEntropyRowsInputs & { dy: Tensor; logSums: Tensor },
  CrossEntropyRowsAttributes
>({
  name: "CrossEntropyGradient",
  reference: crossEntropyRowsGradientReference,
  implementations: { wasm: crossEntropyRowsGradientWasm, webgpu: crossEntropyRowsGradientWebgpu },
});
