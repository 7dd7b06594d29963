import { CONVOLUTION_KERNELS } from "./convolution.js";
import { CUMULATIVE_KERNELS } from "./cumulative.js";
import { ELEMENTWISE_KERNELS } from "./elementwise-table.js";
import { INTEGER_KERNELS } from "./integers.js";
import type { WasmKernels } from "./kernel.js";
import { LAYOUT_KERNELS } from "./layout.js";
import { MATMUL_KERNELS } from "./matmul.js";
import { POOL_KERNELS } from "./pool.js";
import { REDUCE_KERNELS } from "./reduce.js";
import { RESIZE_KERNELS } from "./resize.js";

/** Every tfjs kernel that the engine computes itself; the rest run in JavaScript on the same memory. */
export const WASM_KERNELS: WasmKernels = {
  ...MATMUL_KERNELS,
  ...CONVOLUTION_KERNELS,
  ...ELEMENTWISE_KERNELS,
  ...REDUCE_KERNELS,
  ...POOL_KERNELS,
  ...LAYOUT_KERNELS,
  ...CUMULATIVE_KERNELS,
  ...INTEGER_KERNELS,
  ...RESIZE_KERNELS,
};
