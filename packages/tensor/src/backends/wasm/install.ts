import {
  getKernel,
  getKernelsForBackend,
  type KernelConfig,
  registerBackend,
  registerKernel,
  unregisterKernel,
} from "@tensorflow/tfjs-core";
import { WasmBackend } from "./backend.js";
import { WASM_KERNELS } from "./kernels/index.js";
import type { WasmCall, WasmKernels } from "./kernels/kernel.js";
import { createRuntime, type RuntimeOptions } from "./runtime.js";

/** tfjs's name of the engine. */
export const BACKEND_NAME = "ai-wasm";

/** Lower than every backend of tfjs, so that its own choice of a default is never ours. */
const PRIORITY = 0;

/**
 * Starts the engine and registers it with tfjs: our kernels where they take the inputs, tfjs's JavaScript kernels elsewhere.
 * @param kernels The table of our kernels; a test or a plug-in may pass another.
 */
export async function installWasm(
  options: RuntimeOptions = {},
  kernels: WasmKernels = WASM_KERNELS,
): Promise<WasmBackend> {
  const backend = new WasmBackend(await createRuntime(options));
  registerBackend(BACKEND_NAME, () => backend, PRIORITY);
  // kernels of ours that ran on the host before are not tfjs's: defineKernel registers the engine's own
  for (const fallback of getKernelsForBackend("cpu")) {
    const { kernelName } = fallback;
    if (kernelName.startsWith("ai/")) continue;
    // an engine that was removed leaves its kernels
    if (getKernel(kernelName, BACKEND_NAME) != null) unregisterKernel(kernelName, BACKEND_NAME);
    registerKernel(withFallback(backend, fallback, kernels));
  }
  return backend;
}

function withFallback(backend: WasmBackend, fallback: KernelConfig, kernels: WasmKernels): KernelConfig {
  const own = kernels[fallback.kernelName];
  const config = { ...fallback, backendName: BACKEND_NAME };
  if (own === undefined) return config;
  return {
    ...config,
    kernelFunc: (call) => backend.attempt(own, call as unknown as WasmCall) ?? fallback.kernelFunc(call),
  };
}
