import type { StartedDevice } from "../../device.js";

/**
 * Starts the CPU engine: tensors in one WebAssembly memory, SIMD kernels, one thread.
 * @throws DeviceError where WebAssembly SIMD is missing.
 */
export async function startWasm(): Promise<StartedDevice> {
  const { BACKEND_NAME, installWasm } = await import("./install.js");
  const { runtime } = await installWasm();
  return {
    backend: BACKEND_NAME,
    hardware: "WebAssembly",
    threads: 1,
    features: runtime.relaxedSimd ? ["simd", "relaxed-simd"] : ["simd"],
  };
}
