import type { Tensor } from "@tensorflow/tfjs-core";
import { assertOptions } from "../../arguments.js";
import { asDType } from "../../dtype.js";
import { DTypeError, ShapeError } from "../../errors.js";
import { formatShape, sameShape } from "../../shape.js";
import { defineKernel } from "../define-kernel.js";
import { linearScanGradient } from "./linear-scan.gradient.js";
import { linearScanReference } from "./linear-scan.reference.js";
import { linearScanWasm } from "./linear-scan.wasm.js";
import { linearScanWebgpu } from "./linear-scan.webgpu.js";

/** `[batch, length, ...]` both */
export type LinearScanInputs = { factors: Tensor; increments: Tensor };
export type LinearScanAttributes = { reverse: boolean };

export const linearScanKernel = /* @__PURE__ */ defineKernel<LinearScanInputs, LinearScanAttributes>({
  name: "LinearScan",
  reference: linearScanReference,
  implementations: { wasm: linearScanWasm, webgpu: linearScanWebgpu },
  saves: ["factors", "output"],
  gradient: linearScanGradient,
});

/** Options of {@link linearScan}. */
export interface LinearScanOptions {
  /** Run from the last step to the first. Default false. */
  readonly reverse?: boolean;
}

/**
 * A linear recurrence over time, every channel on its own: `h[t] = factors[t] · h[t − 1] + increments[t]`, `h[−1] = 0`.
 * On `cpu` it is a parallel scan of log₂(length) steps, on `wasm` one pass on all threads, on `webgpu` one kernel, whose
 * threads share long sequences of few channels. The gradient is the same recurrence backwards.
 * @param factors `[batch, length, ...]`
 * @param increments the shape of `factors`
 * @returns `h`, the same shape
 * @throws ShapeError when the shapes differ or have no length. @throws DTypeError when a tensor is not float32.
 * @see Blelloch (1990), "Prefix sums and their applications"; Martin, Cundy (2017), "Parallelizing linear recurrent neural nets over sequence length", https://arxiv.org/abs/1709.04057
 * @example
 * const state = linearScan(decay, update); // both [batch, length, channels]
 */
export function linearScan(factors: Tensor, increments: Tensor, options: LinearScanOptions = {}): Tensor {
  assertOptions("linearScan", options, ["reverse?"]);
  for (const [name, value] of Object.entries({ factors, increments }))
    if (asDType("linearScan", value?.dtype) !== "float32")
      throw new DTypeError(`linearScan: expected float32 for ${name}, got ${value.dtype}; cast it first`);
  if (factors.shape.length < 2 || !sameShape(factors.shape, increments.shape))
    throw new ShapeError(
      `linearScan: expected factors and increments of one shape [batch, length, ...], got ${formatShape(factors.shape)} and ${formatShape(increments.shape)}`,
    );
  return linearScanKernel({ factors, increments }, { reverse: options.reverse ?? false });
}
