import { type TensorInfo, util } from "@tensorflow/tfjs-core";
import { sizeOf } from "../../../shape.js";
import type { WasmBackend } from "../backend.js";
import type { WasmKernel, WasmKernels } from "./kernel.js";
import { isPlain } from "./layout.js";

/** Running sums or products along an axis of floats or int32; null for other dtypes and for nothing. */
export function cumulative(
  backend: WasmBackend,
  kind: "sum" | "product",
  x: TensorInfo,
  axis: number,
  { exclusive, reverse }: { readonly exclusive?: boolean; readonly reverse?: boolean },
): TensorInfo | null {
  const { shape, dtype } = x;
  if (!isPlain(backend, x) || dtype === "bool" || sizeOf(shape) === 0 || shape.length === 0) return null;
  const source = backend.pointer(x);
  const output = backend.allocateOutput(shape, dtype as "float32" | "int32");
  backend.exports.cumulative(
    source,
    backend.pointer(output),
    sizeOf(shape.slice(0, axis)),
    shape[axis],
    sizeOf(shape.slice(axis + 1)),
    Number(dtype === "int32"),
    Number(kind === "product"),
    Number(exclusive ?? false),
    Number(reverse ?? false),
  );
  return output;
}

const cumulativeKernel =
  (kind: "sum" | "product"): WasmKernel =>
  ({ inputs: { x }, attrs, backend }) => {
    const axis = util.parseAxisParam((attrs.axis ?? 0) as number, x.shape)[0];
    return cumulative(backend, kind, x, axis, attrs);
  };

export const CUMULATIVE_KERNELS: WasmKernels = {
  Cumsum: cumulativeKernel("sum"),
  Cumprod: cumulativeKernel("product"),
};
