import type { Tensor } from "@tensorflow/tfjs-core";
import { unaryOnHost } from "../backends/host/elementwise.js";
import { hostResult, valuesOf } from "../backends/host/values.js";
import { castWebgpu } from "../backends/webgpu/kernels/elementwise.js";
import { asDType, type DType } from "../dtype.js";
import { defineKernel, type KernelCall } from "../kernels/define-kernel.js";
import { alias, assertTensor } from "./broadcast.js";

/** No gradient: a cast from or to integers ends every path. */
export const castKernel = /* @__PURE__ */ defineKernel<{ x: Tensor }, { dtype: DType }>({
  name: "Cast",
  stock: "Cast",
  implementations: { cpu: (call) => castOnHost(call), webgpu: (call) => castWebgpu(call) },
});

/** tfjs's own shares the integers' memory, so that large ones would never be rounded to float32. */
function castOnHost(call: KernelCall<{ dtype: DType }>) {
  const { dtype } = call.attrs;
  if (dtype === "bool") return unaryOnHost(call, (x) => (x === 0 ? 0 : 1), "bool");
  const { x } = call.inputs;
  const values = valuesOf(call.backend, x);
  const converted = dtype === "float32" ? Float32Array.from(values) : Int32Array.from(values);
  return hostResult(call.backend, x.shape, dtype, converted);
}

/**
 * The same values in another dtype. To int32 floats are cut off towards zero (NaN gives 0, values beyond int32 are
 * undefined); to bool everything but 0 is true, NaN included; int32 beyond 2²⁴ is rounded to float32.
 * No gradient flows through a change of dtype.
 * @param x `[...]` of any dtype @returns `[...]` of `dtype`, a new tensor even where `x` has that dtype already.
 * @throws DTypeError for a dtype of tfjs that this library does not compute with.
 * @example
 * const ids = cast(tensor([1.7, -1.7]), "int32"); // [1, -1]
 */
export function cast(x: Tensor, dtype: DType): Tensor {
  assertTensor("cast", x);
  asDType("cast", dtype);
  return x.dtype === dtype ? alias(x) : castKernel({ x }, { dtype });
}
