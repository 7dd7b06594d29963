import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { KernelCall } from "../../../kernels/define-kernel.js";
import type { CumulativeAttributes } from "../../../ops/cumulative.js";
import type { WasmBackend } from "../backend.js";
import { cumulative } from "../kernels/cumulative.js";

/** `ai/Cumprod` in WebAssembly. */
export function cumprodWasm({
  inputs: { x },
  attrs,
  backend,
}: KernelCall<CumulativeAttributes>): TensorInfo | null {
  return cumulative(backend as WasmBackend, "product", x, attrs.axis, attrs);
}
