import type { Tensor } from "@tensorflow/tfjs-core";
import { sumGradient } from "../gradients/reduce.js";
import { defineKernel } from "../kernels/define-kernel.js";
import { tidy } from "../memory.js";
import { normalizeAxes } from "../shape.js";
import { cast } from "./cast.js";
import { reshape } from "./shape-ops.js";

/** Which axes a reduction removes, and whether they stay with size 1. */
export interface ReduceOptions {
  /** Axes to reduce, negative ones counted from the end; all when left out. */
  readonly axes?: number | readonly number[];
  /** Keep the reduced axes with size 1. Default false. */
  readonly keepDims?: boolean;
}

export type ReduceInputs = { x: Tensor };
export type ReduceAttributes = { axis: number[] };

/** Sums over the named axes; the axes are dropped. */
const sumKernel = /* @__PURE__ */ defineKernel<ReduceInputs, ReduceAttributes>({
  name: "Sum",
  stock: { kernel: "Sum", attrs: ({ axis }) => ({ axis, keepDims: false }) },
  gradient: sumGradient,
});

/**
 * Sum over axes; bool and int32 give int32. The sum of nothing is 0.
 * @param x `[...]` @returns `[...]` without the reduced axes (size 1 with `keepDims`).
 */
export function sum(x: Tensor, { axes, keepDims = false }: ReduceOptions = {}): Tensor {
  return tidy(() => {
    const axis = normalizeAxes("sum", axes, x.shape.length);
    const reduced = sumKernel({ x: x.dtype === "bool" ? cast(x, "int32") : x }, { axis });
    return keepDims ? reshape(reduced, x.shape.map((length, index) => (axis.includes(index) ? 1 : length))) : reduced;
  });
}
