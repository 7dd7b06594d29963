import type { Tensor } from "@tensorflow/tfjs-core";
import { assertOptions } from "../../arguments.js";
import { asDType } from "../../dtype.js";
import { InputError } from "../../errors.js";
import { tidy } from "../../memory.js";
import { reshape } from "../../ops/shape-ops.js";
import { sizeOf } from "../../shape.js";
import { defineKernel } from "../define-kernel.js";
import { assertNormalization } from "../layer-norm/layer-norm.js";
import { rmsNormGradient } from "./rms-norm.gradient.js";
import { rmsNormReference } from "./rms-norm.reference.js";
import { rmsNormWasm } from "./rms-norm.wasm.js";
import { rmsNormWebgpu } from "./rms-norm.webgpu.js";

/** Options of {@link rmsNorm}. */
export interface RmsNormOptions {
  /** Scale `[dim]`. */
  readonly weight?: Tensor;
  /** Added to the mean square. Default 2⁻²³, PyTorch's for float32; models state their own, often 1e-5 or 1e-6. */
  readonly epsilon?: number;
}

/** `x` `[rows, dim]`, `weight` `[dim]` */
export type RmsNormInputs = { x: Tensor; weight?: Tensor };
export type RmsNormAttributes = { epsilon: number };

export const rmsNormKernel = /* @__PURE__ */ defineKernel<RmsNormInputs, RmsNormAttributes>({
  name: "RMSNorm",
  reference: rmsNormReference,
  implementations: { wasm: rmsNormWasm, webgpu: rmsNormWebgpu },
  saves: ["x", "weight"],
  gradient: rmsNormGradient,
});

/**
 * Root-mean-square normalization of the last axis: `x / √(mean(x²) + epsilon) · weight`.
 * @param x `[..., dim]`
 * @returns `[..., dim]`
 * @throws ShapeError when `weight` is not `[dim]`.
 * @throws DTypeError when a tensor is not float32.
 * @throws InputError for a scalar `x`, or an `epsilon` out of range.
 * @see Zhang, Sennrich (2019), "Root mean square layer normalization", https://arxiv.org/abs/1910.07467
 */
export function rmsNorm(x: Tensor, options: RmsNormOptions = {}): Tensor {
  assertOptions("rmsNorm", options, ["weight", "epsilon"]);
  const { weight, epsilon = 2 ** -23 } = options;
  asDType("rmsNorm", x?.dtype);
  if (x.shape.length === 0) throw new InputError("rmsNorm: expected at least one axis, got a scalar");
  const dim = x.shape[x.shape.length - 1];
  assertNormalization("rmsNorm", { x, weight }, [dim], epsilon);
  const rows = sizeOf(x.shape.slice(0, -1));
  return tidy(() => reshape(rmsNormKernel({ x: reshape(x, [rows, dim]), weight }, { epsilon }), x.shape));
}
