import type { Tensor } from "@tensorflow/tfjs-core";
import { assertOptions } from "../../arguments.js";
import { asDType } from "../../dtype.js";
import { DTypeError, InputError, ShapeError } from "../../errors.js";
import { tidy } from "../../memory.js";
import { reshape } from "../../ops/shape-ops.js";
import { formatShape, sameShape, sizeOf } from "../../shape.js";
import { defineKernel } from "../define-kernel.js";
import { layerNormGradient } from "./layer-norm.gradient.js";
import { layerNormReference } from "./layer-norm.reference.js";
import { layerNormWasm } from "./layer-norm.wasm.js";
import { layerNormWebgpu } from "./layer-norm.webgpu.js";

/** Options of {@link layerNorm}. */
export interface LayerNormOptions {
  /** Scale, the shape of the normalized axes. */
  readonly weight?: Tensor;
  /** Shift, the shape of the normalized axes. */
  readonly bias?: Tensor;
  /** Added to the variance. Default 1e-5. */
  readonly epsilon?: number;
  /** How many of the last axes are normalized together. Default 1. */
  readonly numAxes?: number;
}

/** `x` `[rows, dim]`, `weight` and `bias` `[dim]` */
export type LayerNormInputs = { x: Tensor; weight?: Tensor; bias?: Tensor };
export type LayerNormAttributes = { epsilon: number };

export const layerNormKernel = /* @__PURE__ */ defineKernel<LayerNormInputs, LayerNormAttributes>({
  name: "LayerNorm",
  reference: layerNormReference,
  implementations: { wasm: layerNormWasm, webgpu: layerNormWebgpu },
  saves: ["x", "weight"],
  gradient: layerNormGradient,
});

/**
 * Layer normalization: `(x − mean) / √(variance + epsilon) · weight + bias` over the last axes, with the variance
 * divided by the number of elements.
 * @param x `[..., dim]`
 * @returns `[..., dim]`
 * @throws ShapeError when `weight` or `bias` has not the shape of the normalized axes.
 * @throws DTypeError when a tensor is not float32.
 * @throws InputError for `numAxes` or `epsilon` out of range.
 * @see Ba, Kiros, Hinton (2016), "Layer normalization", https://arxiv.org/abs/1607.06450
 * @example
 * const y = layerNorm(x, { weight, bias }); // x [batch, length, dim]
 */
export function layerNorm(x: Tensor, options: LayerNormOptions = {}): Tensor {
  assertOptions("layerNorm", options, ["weight", "bias", "epsilon", "numAxes"]);
  const { weight, bias, epsilon = 1e-5, numAxes = 1 } = options;
  asDType("layerNorm", x?.dtype);
  if (!Number.isInteger(numAxes) || numAxes < 1 || numAxes > x.shape.length)
    throw new InputError(`layerNorm: expected numAxes in [1, ${x.shape.length}], got ${numAxes}`);
  const normalized = x.shape.slice(x.shape.length - numAxes);
  assertNormalization("layerNorm", { x, weight, bias }, normalized, epsilon);
  const dim = sizeOf(normalized);
  const rows = sizeOf(x.shape.slice(0, x.shape.length - numAxes));
  const flat = (parameter: Tensor | undefined): Tensor | undefined => parameter && reshape(parameter, [dim]);
  return tidy(() =>
    reshape(
      layerNormKernel({ x: reshape(x, [rows, dim]), weight: flat(weight), bias: flat(bias) }, { epsilon }),
      x.shape,
    ),
  );
}

/** Checks that the parameters of a normalization fit `normalized`, the shape of what is normalized together. */
export function assertNormalization(
  operation: string,
  tensors: Readonly<Record<string, Tensor | undefined>>,
  normalized: readonly number[],
  epsilon: number,
): void {
  if (!(epsilon >= 0 && Number.isFinite(epsilon)))
    throw new InputError(`${operation}: expected a finite epsilon of at least 0, got ${epsilon}`);
  for (const [name, tensor] of Object.entries(tensors)) {
    if (tensor === undefined) continue;
    if (asDType(operation, tensor?.dtype) !== "float32")
      throw new DTypeError(`${operation}: expected float32 for ${name}, got ${tensor.dtype}; cast it first`);
    if (name !== "x" && !sameShape(tensor.shape, normalized))
      throw new ShapeError(
        `${operation}: expected ${name} of shape ${formatShape(normalized)}, got ${formatShape(tensor.shape)}`,
      );
  }
}
