import type { Tensor } from "@tensorflow/tfjs-core";
import { assertOptions } from "../../arguments.js";
import { asDType } from "../../dtype.js";
import { DTypeError, InputError } from "../../errors.js";
import { defineKernel } from "../define-kernel.js";
import { geluGradient } from "./gelu.gradient.js";
import { geluReference } from "./gelu.reference.js";
import { geluWasm } from "./gelu.wasm.js";
import { geluWebgpu } from "./gelu.webgpu.js";

/** Options of {@link gelu}. */
export interface GeluOptions {
  /** `"none"` (default) is exact, by the error function; `"tanh"` is the approximation that GPT-2 uses. */
  readonly approximate?: "none" | "tanh";
}

export type GeluInputs = { x: Tensor };
export type GeluAttributes = { approximate: "none" | "tanh" };

export const geluKernel = /* @__PURE__ */ defineKernel<GeluInputs, GeluAttributes>({
  name: "Gelu",
  reference: geluReference,
  implementations: { wasm: geluWasm, webgpu: geluWebgpu },
  saves: ["x"],
  gradient: geluGradient,
});

/**
 * Gaussian error linear unit: `x·Φ(x) = x·(1 + erf(x/√2))/2`, or `x·(1 + tanh(√(2/π)(x + 0.044715x³)))/2`.
 * @param x `[...]` @returns `[...]`
 * @throws DTypeError when `x` is not float32.
 * @throws InputError for another `approximate`.
 * @see Hendrycks, Gimpel (2016), "Gaussian error linear units", https://arxiv.org/abs/1606.08415
 */
export function gelu(x: Tensor, options: GeluOptions = {}): Tensor {
  assertOptions("gelu", options, ["approximate"]);
  const { approximate = "none" } = options;
  if (asDType("gelu", x?.dtype) !== "float32")
    throw new DTypeError(`gelu: expected float32, got ${x.dtype}; cast it first`);
  if (approximate !== "none" && approximate !== "tanh")
    throw new InputError(`gelu: expected approximate "none" or "tanh", got ${String(approximate)}`);
  return geluKernel({ x }, { approximate });
}
