import { findBackendFactory } from "@tensorflow/tfjs-core";
import type { DeviceOptions, StartedDevice } from "../../device.js";
import { DeviceError } from "../../errors.js";
import type { WasmBackend } from "./backend.js";

/** The engine, once for all callers: two that start it at the same time get the same one. */
let starting: Promise<WasmBackend> | undefined;

/**
 * Starts the CPU engine: tensors in one WebAssembly memory, SIMD kernels, one thread. Once started it is kept.
 * @throws DeviceError where WebAssembly SIMD is missing, or when `relaxedSimd` asks a running engine to change.
 */
export async function startWasm({ relaxedSimd }: DeviceOptions = {}): Promise<StartedDevice> {
  const { BACKEND_NAME, installWasm } = await import("./install.js");
  let engine = starting;
  if (engine !== undefined) {
    await engine;
    // the user may have called tfjs's removeBackend
    if (engine === starting && findBackendFactory(BACKEND_NAME) == null) engine = undefined;
    else engine = starting;
  }
  if (engine === undefined) {
    engine = installWasm({ relaxedSimd });
    starting = engine;
    engine.catch(() => {
      starting = undefined;
    });
  }
  const { runtime } = await engine;
  const wanted = runtime.options.relaxedSimd;
  if (relaxedSimd !== undefined && relaxedSimd !== wanted)
    throw new DeviceError(
      `useDevice: expected relaxedSimd ${wanted}, as wasm was started, got ${relaxedSimd}; set it at the first useDevice("wasm")`,
    );
  return {
    backend: BACKEND_NAME,
    hardware: "WebAssembly",
    threads: 1,
    features: runtime.relaxedSimd ? ["simd", "relaxed-simd"] : ["simd"],
  };
}
