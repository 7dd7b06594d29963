import type { Tensor } from "@tensorflow/tfjs-core";
import { assertOptions } from "../arguments.js";
import { argExtremumOnHost, prodOnHost } from "../backends/host/reduce.js";
import { argExtremeWasm, prodWasm } from "../backends/wasm/ops/rows.js";
import { argReduceWebgpu, reduceWebgpu } from "../backends/webgpu/kernels/reduce.js";
import type { DType } from "../dtype.js";
import { InputError } from "../errors.js";
import * as gradients from "../gradients/reduce.js";
import { defineKernel, type Kernel } from "../kernels/define-kernel.js";
import { tidy } from "../memory.js";
import { formatShape, normalizeAxes, normalizeAxis, type Shape } from "../shape.js";
import { alias, assertTensor, constantKernel, countAlong, toDType, type UnaryInputs } from "./broadcast.js";
import { reshape } from "./shape-ops.js";

/** Which axes a reduction removes, and whether they stay with size 1. */
export interface ReduceOptions {
  /** Axes to reduce, negative ones counted from the end; all when left out. */
  readonly axes?: number | readonly number[];
  /** Keep the reduced axes with size 1. Default false. */
  readonly keepDims?: boolean;
}

/** The axis along which an index is looked for. */
export interface ArgOptions {
  /** Negative ones count from the end; when left out the flattened tensor is searched. */
  readonly axis?: number;
  /** Keep the axis with size 1. Default false. */
  readonly keepDims?: boolean;
}

export type ReduceAttributes = { axis: number[] };
type Reduction = Kernel<UnaryInputs, ReduceAttributes>;

const sumKernel = /* @__PURE__ */ defineKernel<UnaryInputs, ReduceAttributes>({
  name: "Sum",
  implementations: { webgpu: (call) => reduceWebgpu(call, "Sum") },
  stock: { kernel: "Sum", attrs: ({ axis }) => ({ axis, keepDims: false }) },
  gradient: gradients.sumGradient,
});

const meanKernel = /* @__PURE__ */ defineKernel<UnaryInputs, ReduceAttributes>({
  name: "Mean",
  implementations: { webgpu: (call) => reduceWebgpu(call, "Mean") },
  stock: { kernel: "Mean", attrs: ({ axis }) => ({ axis, keepDims: false }) },
  gradient: gradients.meanGradient,
});

const maxKernel = /* @__PURE__ */ defineKernel<UnaryInputs, ReduceAttributes>({
  name: "Max",
  implementations: { webgpu: (call) => reduceWebgpu(call, "Max") },
  stock: { kernel: "Max", attrs: ({ axis }) => ({ reductionIndices: axis, keepDims: false }) },
  saves: ["x", "output"],
  gradient: gradients.extremumGradient,
});

const minKernel = /* @__PURE__ */ defineKernel<UnaryInputs, ReduceAttributes>({
  name: "Min",
  implementations: { webgpu: (call) => reduceWebgpu(call, "Min") },
  stock: { kernel: "Min", attrs: ({ axis }) => ({ axis, keepDims: false }) },
  saves: ["x", "output"],
  gradient: gradients.extremumGradient,
});

const prodKernel = /* @__PURE__ */ defineKernel<UnaryInputs, ReduceAttributes>({
  name: "Prod",
  stock: { kernel: "Prod", attrs: ({ axis }) => ({ axis, keepDims: false }) },
  // tfjs multiplies integers as doubles: not exact beyond 2⁵³
  implementations: {
    cpu: (call) => prodOnHost(call),
    wasm: (call) => prodWasm(call) ?? prodOnHost(call),
    webgpu: (call) => reduceWebgpu(call, "Prod"),
  },
  saves: ["x"],
  gradient: gradients.prodGradient,
});

const anyKernel = /* @__PURE__ */ defineKernel<UnaryInputs, ReduceAttributes>({
  name: "Any",
  implementations: { webgpu: (call) => reduceWebgpu(call, "Any") },
  stock: { kernel: "Any", attrs: ({ axis }) => ({ axis, keepDims: false }) },
});

const allKernel = /* @__PURE__ */ defineKernel<UnaryInputs, ReduceAttributes>({
  name: "All",
  implementations: { webgpu: (call) => reduceWebgpu(call, "All") },
  stock: { kernel: "All", attrs: ({ axis }) => ({ axis, keepDims: false }) },
});

const argMaxKernel = /* @__PURE__ */ defineKernel<UnaryInputs, { axis: number }>({
  name: "ArgMax",
  stock: "ArgMax",
  // tfjs never finds a NaN
  implementations: {
    cpu: (call) => argExtremumOnHost(call, 1),
    wasm: (call) => argExtremeWasm(call, "largest") ?? argExtremumOnHost(call, 1),
    webgpu: (call) => argReduceWebgpu(call, "ArgMax"),
  },
});

const argMinKernel = /* @__PURE__ */ defineKernel<UnaryInputs, { axis: number }>({
  name: "ArgMin",
  stock: "ArgMin",
  implementations: {
    cpu: (call) => argExtremumOnHost(call, -1),
    wasm: (call) => argExtremeWasm(call, "smallest") ?? argExtremumOnHost(call, -1),
    webgpu: (call) => argReduceWebgpu(call, "ArgMin"),
  },
});

/** The shape with the named axes dropped, or kept with size 1. */
export function reducedShape(shape: Shape, axis: readonly number[], keepDims: boolean): number[] {
  if (keepDims) return shape.map((length, index) => (axis.includes(index) ? 1 : length));
  return shape.filter((_, index) => !axis.includes(index));
}

/** Runs a reduction over at least one element; over nothing it gives `empty`, or throws when there is no such value. */
function reduce(
  operation: string,
  kernel: Reduction,
  x: Tensor,
  options: ReduceOptions,
  dtype: DType,
  empty?: number,
): Tensor {
  assertOptions(operation, options, ["axes", "keepDims?"]);
  const { axes, keepDims = false } = options;
  const axis = normalizeAxes(operation, axes, x.shape.length);
  if (axis.length === 0) return x.dtype === dtype ? alias(x) : tidy(() => toDType(x, dtype));
  if (countAlong(x.shape, axis) === 0) {
    if (empty === undefined)
      throw new InputError(
        `${operation}: expected at least one element to choose from, got ${formatShape(x.shape)}; check the size first`,
      );
    return constantKernel({ x }, { shape: reducedShape(x.shape, axis, keepDims), value: empty, dtype });
  }
  if (x.dtype === dtype && !keepDims) return kernel({ x }, { axis });
  return tidy(() => {
    const reduced = kernel({ x: toDType(x, dtype) }, { axis });
    return keepDims ? reshape(reduced, reducedShape(x.shape, axis, true)) : reduced;
  });
}

const numeric = (x: Tensor): DType => (x.dtype === "float32" ? "float32" : "int32");

/**
 * Sum over axes; bool counts. int32 wraps around. The sum of nothing is 0.
 * @param x `[...]` @returns `[...]` without the reduced axes (size 1 with `keepDims`); int32 for int32 and bool.
 * @throws InputError for an axis out of range or named twice.
 * @example
 * const totals = sum(x, { axes: -1 }); // [2, 3] → [2]
 */
export function sum(x: Tensor, options: ReduceOptions = {}): Tensor {
  assertTensor("sum", x);
  return reduce("sum", sumKernel, x, options, numeric(x), 0);
}

/**
 * Arithmetic mean over axes, in float32 for every dtype. The mean of nothing is NaN.
 * @param x `[...]` @returns `[...]` without the reduced axes (size 1 with `keepDims`), float32.
 * @throws InputError for an axis out of range or named twice.
 */
export function mean(x: Tensor, options: ReduceOptions = {}): Tensor {
  assertTensor("mean", x);
  return reduce("mean", meanKernel, x, options, "float32", Number.NaN);
}

/**
 * Largest value over axes; NaN if one is NaN. Equal largest values share the gradient evenly, as in `torch.amax`.
 * @param x `[...]` @returns `[...]` without the reduced axes (size 1 with `keepDims`), same dtype.
 * @throws InputError when there is nothing to choose from, or for an axis out of range or named twice.
 */
export function max(x: Tensor, options: ReduceOptions = {}): Tensor {
  assertTensor("max", x);
  if (x.dtype === "bool") return any(x, options);
  return reduce("max", maxKernel, x, options, x.dtype as DType);
}

/**
 * Smallest value over axes; NaN if one is NaN. Equal smallest values share the gradient evenly, as in `torch.amin`.
 * @param x `[...]` @returns `[...]` without the reduced axes (size 1 with `keepDims`), same dtype.
 * @throws InputError when there is nothing to choose from, or for an axis out of range or named twice.
 */
export function min(x: Tensor, options: ReduceOptions = {}): Tensor {
  assertTensor("min", x);
  if (x.dtype === "bool") return all(x, options);
  return reduce("min", minKernel, x, options, x.dtype as DType);
}

/**
 * Product over axes. int32 wraps around. The product of nothing is 1. The gradient is right where elements are 0.
 * @param x `[...]` @returns `[...]` without the reduced axes (size 1 with `keepDims`); int32 for int32 and bool.
 * @throws InputError for an axis out of range or named twice.
 */
export function prod(x: Tensor, options: ReduceOptions = {}): Tensor {
  assertTensor("prod", x);
  return reduce("prod", prodKernel, x, options, numeric(x), 1);
}

/**
 * Whether one element is true (not 0) over axes; false for nothing.
 * @param x `[...]` of any dtype @returns `[...]` without the reduced axes (size 1 with `keepDims`), bool.
 * @throws InputError for an axis out of range or named twice.
 */
export function any(x: Tensor, options: ReduceOptions = {}): Tensor {
  assertTensor("any", x);
  return reduce("any", anyKernel, x, options, "bool", 0);
}

/**
 * Whether every element is true (not 0) over axes; true for nothing.
 * @param x `[...]` of any dtype @returns `[...]` without the reduced axes (size 1 with `keepDims`), bool.
 * @throws InputError for an axis out of range or named twice.
 */
export function all(x: Tensor, options: ReduceOptions = {}): Tensor {
  assertTensor("all", x);
  return reduce("all", allKernel, x, options, "bool", 1);
}

function argExtremum(
  operation: string,
  kernel: Kernel<UnaryInputs, { axis: number }>,
  x: Tensor,
  options: ArgOptions,
): Tensor {
  assertTensor(operation, x);
  assertOptions(operation, options, ["axis", "keepDims?"]);
  const { axis, keepDims = false } = options;
  const along = axis === undefined ? undefined : normalizeAxis(operation, axis, Math.max(x.shape.length, 1));
  if (along === undefined ? x.size === 0 : x.shape[along] === 0)
    throw new InputError(
      `${operation}: expected at least one element to choose from, got ${formatShape(x.shape)}; check the size first`,
    );
  return tidy(() => {
    const numbers = toDType(x, numeric(x));
    if (along === undefined || x.shape.length === 0) {
      const index = kernel({ x: reshape(numbers, [x.size]) }, { axis: 0 });
      return reshape(index, keepDims ? x.shape.map(() => 1) : []);
    }
    const indices = kernel({ x: numbers }, { axis: along });
    return reshape(indices, reducedShape(x.shape, [along], keepDims));
  });
}

/**
 * Index of the largest value: the first one in a tie; a NaN counts as the largest, as in PyTorch.
 * @param x `[...]` of any dtype
 * @returns int32 `[...]` without `axis` (size 1 with `keepDims`); without an axis `[]`, an index into the flattened tensor.
 * @throws InputError when there is nothing to choose from, or for an axis out of range.
 */
export function argMax(x: Tensor, options: ArgOptions = {}): Tensor {
  return argExtremum("argMax", argMaxKernel, x, options);
}

/**
 * Index of the smallest value: the first one in a tie; a NaN counts as the smallest, as in PyTorch.
 * @param x `[...]` of any dtype
 * @returns int32 `[...]` without `axis` (size 1 with `keepDims`); without an axis `[]`, an index into the flattened tensor.
 * @throws InputError when there is nothing to choose from, or for an axis out of range.
 */
export function argMin(x: Tensor, options: ArgOptions = {}): Tensor {
  return argExtremum("argMin", argMinKernel, x, options);
}
