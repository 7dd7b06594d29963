import type { Tensor } from "@tensorflow/tfjs-core";
import { assertOptions } from "../arguments.js";
import { normWasm } from "../backends/wasm/ops/rows.js";
import { InputError } from "../errors.js";
import {
  logSumExpGradient,
  normGradient,
  standardDeviationGradient,
  varianceGradient,
} from "../gradients/statistics.js";
import { defineKernel, type Kernel } from "../kernels/define-kernel.js";
import { tidy } from "../memory.js";
import { normalizeAxes } from "../shape.js";
import { add, mul, pow, sub } from "./arithmetic.js";
import { assertTensor, constantKernel, countAlong, toDType, type UnaryInputs } from "./broadcast.js";
import { cast } from "./cast.js";
import { notEqual, where } from "./compare.js";
import { max, mean, min, type ReduceAttributes, type ReduceOptions, reducedShape, sum } from "./reduce.js";
import { reshape } from "./shape-ops.js";
import { abs, exp, isFinite as finite, log, sqrt, square } from "./unary.js";

export type VarianceAttributes = ReduceAttributes & { correction: number };
export type NormAttributes = ReduceAttributes & { order: number };

const varianceKernel = /* @__PURE__ */ defineKernel<UnaryInputs, VarianceAttributes>({
  name: "Variance",
  reference: ({ x }, { axis, correction }) => {
    const deviation = sub(x, mean(x, { axes: axis, keepDims: true }));
    return mul(sum(square(deviation), { axes: axis }), 1 / degreesOfFreedom(x, axis, correction));
  },
  saves: ["x"],
  gradient: varianceGradient,
});

const standardDeviationKernel = /* @__PURE__ */ defineKernel<UnaryInputs, VarianceAttributes>({
  name: "StandardDeviation",
  reference: ({ x }, attrs) => sqrt(varianceKernel({ x }, attrs)),
  saves: ["x", "output"],
  gradient: standardDeviationGradient,
});

const logSumExpKernel = /* @__PURE__ */ defineKernel<UnaryInputs, ReduceAttributes>({
  name: "LogSumExp",
  reference: ({ x }, { axis }) => {
    const largest = max(x, { axes: axis, keepDims: true });
    // an infinite maximum must not be subtracted from itself
    const shiftBy = where(finite(largest), largest, 0);
    const total = sum(exp(sub(x, shiftBy)), { axes: axis });
    return add(log(total), reshape(shiftBy, total.shape));
  },
  saves: ["x", "output"],
  gradient: logSumExpGradient,
});

const normKernel = /* @__PURE__ */ defineKernel<UnaryInputs, NormAttributes>({
  name: "Norm",
  reference: ({ x }, { axis, order }) => {
    if (order === 0) return sum(cast(notEqual(x, 0), "float32"), { axes: axis });
    if (order === 2) return sqrt(sum(square(x), { axes: axis }));
    const magnitudes = abs(x);
    if (order === Number.POSITIVE_INFINITY) return max(magnitudes, { axes: axis });
    if (order === Number.NEGATIVE_INFINITY) return min(magnitudes, { axes: axis });
    if (order === 1) return sum(magnitudes, { axes: axis });
    return pow(sum(pow(magnitudes, order), { axes: axis }), 1 / order);
  },
  implementations: { wasm: normWasm },
  saves: ["x", "output"],
  gradient: normGradient,
});

/** What the squared deviations are divided by; never negative, so that too few elements give NaN or ∞ as in PyTorch. */
export function degreesOfFreedom(x: Tensor, axis: readonly number[], correction: number): number {
  return Math.max(0, countAlong(x.shape, axis) - correction);
}

/** Options of {@link variance} and {@link standardDeviation}. */
export interface VarianceOptions extends ReduceOptions {
  /** Subtracted from the number of elements: 1 (default) for a sample, 0 for a whole population. */
  readonly correction?: number;
}

/** Options of {@link norm}. */
export interface NormOptions extends ReduceOptions {
  /** The p of the p-norm: any number, ∞ for the largest magnitude, 0 for the count of elements that are not 0. Default 2. */
  readonly order?: number;
}

/** Runs a reduction kernel in float32; over nothing the result is `empty`. */
function reduceFloat<Attributes extends ReduceAttributes>(
  operation: string,
  kernel: Kernel<UnaryInputs, Attributes>,
  x: Tensor,
  options: ReduceOptions,
  rest: Omit<Attributes, "axis">,
  empty: number,
): Tensor {
  assertTensor(operation, x);
  assertOptions(operation, options, ["axes", "keepDims?", ...Object.keys(rest)]);
  const { axes, keepDims = false } = options;
  const axis = normalizeAxes(operation, axes, x.shape.length);
  const shape = reducedShape(x.shape, axis, keepDims);
  if (countAlong(x.shape, axis) === 0)
    return constantKernel({ x }, { shape, value: empty, dtype: "float32" });
  return tidy(() => {
    const reduced = kernel({ x: toDType(x, "float32") }, { ...rest, axis } as unknown as Attributes);
    return keepDims ? reshape(reduced, shape) : reduced;
  });
}

/**
 * Variance over axes: `Σ (x − mean)² / (n − correction)`. NaN for one element with correction 1.
 * @param x `[...]` @returns `[...]` without the reduced axes (size 1 with `keepDims`), float32.
 * @throws InputError for an axis out of range or named twice, or a correction that is not finite.
 */
export function variance(x: Tensor, { correction = 1, ...options }: VarianceOptions = {}): Tensor {
  assertCorrection("variance", correction);
  return reduceFloat("variance", varianceKernel, x, options, { correction }, Number.NaN);
}

/**
 * Standard deviation over axes, the root of {@link variance}. Its gradient is 0 where it is 0, as in PyTorch.
 * @param x `[...]` @returns `[...]` without the reduced axes (size 1 with `keepDims`), float32.
 * @throws InputError for an axis out of range or named twice, or a correction that is not finite.
 */
export function standardDeviation(x: Tensor, { correction = 1, ...options }: VarianceOptions = {}): Tensor {
  assertCorrection("standardDeviation", correction);
  return reduceFloat("standardDeviation", standardDeviationKernel, x, options, { correction }, Number.NaN);
}

function assertCorrection(operation: string, correction: number): void {
  if (!Number.isFinite(correction))
    throw new InputError(`${operation}: expected a finite correction, got ${correction}`);
}

/**
 * `ln Σ exp(x)` over axes, without overflow; −∞ for nothing and for −∞ alone (whose gradient is NaN, as in PyTorch).
 * @param x `[...]` @returns `[...]` without the reduced axes (size 1 with `keepDims`), float32.
 * @throws InputError for an axis out of range or named twice.
 */
export function logSumExp(x: Tensor, options: ReduceOptions = {}): Tensor {
  return reduceFloat("logSumExp", logSumExpKernel, x, options, {}, Number.NEGATIVE_INFINITY);
}

/**
 * The vector norm `(Σ |x|ᵖ)^(1/p)` over axes, `torch.linalg.vector_norm`. Where it is 0 its gradient is 0.
 * @param x `[...]` @returns `[...]` without the reduced axes (size 1 with `keepDims`), float32; 0 for nothing.
 * @throws InputError for an order that is NaN, for an order below 0 or ∞ of nothing, or for an axis out of range.
 * @example
 * const length = norm(gradient); // root of the sum of squares
 */
export function norm(x: Tensor, { order = 2, ...options }: NormOptions = {}): Tensor {
  assertTensor("norm", x);
  if (Number.isNaN(order)) throw new InputError("norm: expected an order, got NaN");
  const axis = normalizeAxes("norm", options.axes, x.shape.length);
  if ((order < 0 || order === Number.POSITIVE_INFINITY) && countAlong(x.shape, axis) === 0)
    throw new InputError(
      `norm: expected at least one element for order ${order}, got none; check the size first`,
    );
  return reduceFloat("norm", normKernel, x, options, { order }, 0);
}
