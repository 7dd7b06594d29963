import { CONVOLUTION_KERNELS } from "./convolution.js";
import type { WasmKernels } from "./kernel.js";
import { MATMUL_KERNELS } from "./matmul.js";

/** Every tfjs kernel that the engine computes itself; the rest run in JavaScript on the same memory. */
export const WASM_KERNELS: WasmKernels = { ...MATMUL_KERNELS, ...CONVOLUTION_KERNELS };
