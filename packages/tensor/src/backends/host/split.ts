import type { TensorInfo } from "@tensorflow/tfjs-core";
import { allocate, type DType } from "../../dtype.js";
import type { KernelCall } from "../../kernels/define-kernel.js";
import { hostResult } from "./values.js";

/** Parts of a tensor without elements, which tfjs's kernel cannot split; null for any other. */
export function splitNothingOnHost({
  inputs: { x },
  attrs: { sizes, axis },
  backend,
}: KernelCall<{ sizes: number[]; axis: number }>): TensorInfo[] | null {
  if (x.size > 0) return null;
  return sizes.map((size) => {
    const shape = x.shape.map((length, index) => (index === axis ? size : length));
    return hostResult(backend, shape, x.dtype, allocate(x.dtype as DType, 0));
  });
}
