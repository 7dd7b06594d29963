import type { Tensor } from "@tensorflow/tfjs-core";
import { KernelError } from "../../errors.js";
import { defineKernel, type GradientContext } from "../define-kernel.js";
import { ctcLossGradientReference, ctcLossReference } from "./ctc-loss.reference.js";
import { ctcLossGradientWasm, ctcLossWasm } from "./ctc-loss.wasm.js";
import { ctcLossGradientWebgpu, ctcLossWebgpu } from "./ctc-loss.webgpu.js";

/**
 * `logProbabilities` `[batch, time, classes]`, `targets` `[batch, labels]` int32, `inputLengths` and `targetLengths`
 * `[batch]` int32, at most `time` and `labels`
 */
export type CtcLossInputs = {
  logProbabilities: Tensor;
  targets: Tensor;
  inputLengths: Tensor;
  targetLengths: Tensor;
};
export type CtcLossAttributes = { blank: number; zeroInfinity: boolean };

/** What the gradient reads besides: `dy` and `losses` `[batch]`, `alphas` `[batch, time, 2 · labels + 1]`. */
export type CtcLossGradientInputs = CtcLossInputs & { dy: Tensor; losses: Tensor; alphas: Tensor };

/**
 * The loss of each item. Outputs: the losses `[batch]`, infinite ones included, and the forward variables
 * `[batch, time, 2 · labels + 1]` for the gradient, themselves without one.
 */
export const ctcLossKernel = /* @__PURE__ */ defineKernel<CtcLossInputs, CtcLossAttributes>({
  name: "CtcLoss",
  reference: ctcLossReference,
  implementations: { wasm: ctcLossWasm, webgpu: ctcLossWebgpu },
  saves: ["logProbabilities", "targets", "inputLengths", "targetLengths", "output"],
  gradient: ({ dy, saved, outputs, attrs }: GradientContext<CtcLossInputs, CtcLossAttributes>) => ({
    logProbabilities: () =>
      ctcLossGradientKernel({ ...saved, dy, losses: outputs[0], alphas: outputs[1] }, attrs),
  }),
});

/** `(e^logProbabilities − p(class at this step | targets)) · dy`, PyTorch's; it has no derivative there either. */
export const ctcLossGradientKernel = /* @__PURE__ */ defineKernel<CtcLossGradientInputs, CtcLossAttributes>({
  name: "CtcLossGradient",
  reference: ctcLossGradientReference,
  implementations: { wasm: ctcLossGradientWasm, webgpu: ctcLossGradientWebgpu },
  gradient: () => {
    const refuse = (): never => {
      throw new KernelError(
        "ctcLoss: expected first derivatives, got a second one, which it does not have; take gradients of the loss only",
      );
    };
    return { dy: refuse, logProbabilities: refuse };
  },
});
