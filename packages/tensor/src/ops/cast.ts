import type { Tensor } from "@tensorflow/tfjs-core";
import { asDType, type DType } from "../dtype.js";
import { defineKernel } from "../kernels/define-kernel.js";
import { castGradient } from "../gradients/cast.js";

const castKernel = /* @__PURE__ */ defineKernel<{ x: Tensor }, { dtype: DType }>({ name: "Cast", stock: "Cast", gradient: castGradient });

/**
 * The same values in another dtype: floats are truncated towards zero to int32, anything but 0 is true as bool.
 * @param x `[...]` @returns `[...]`; `x` itself when it has that dtype already.
 */
export function cast(x: Tensor, dtype: DType): Tensor {
  asDType("cast", x.dtype);
  return x.dtype === dtype ? x : castKernel({ x }, { dtype });
}
