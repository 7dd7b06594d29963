import type { Tensor } from "@tensorflow/tfjs-core";
import { defineKernel, type GradientContext } from "../define-kernel.js";
import type { GeluAttributes, GeluInputs } from "./gelu.js";
import { geluGradientReference } from "./gelu.reference.js";
import { geluGradientWasm } from "./gelu.wasm.js";
import { geluGradientWebgpu } from "./gelu.webgpu.js";

/** Without a gradient of its own: second derivatives go through the reference. */
export const geluGradientKernel = /* @__PURE__ */ defineKernel<{ dy: Tensor; x: Tensor }, GeluAttributes>({
  name: "GeluGradient",
  reference: geluGradientReference,
  implementations: { wasm: geluGradientWasm, webgpu: geluGradientWebgpu },
});

export function geluGradient({ dy, saved, attrs }: GradientContext<GeluInputs, GeluAttributes>) {
  return { x: () => geluGradientKernel({ dy, x: saved.x }, attrs) };
}
