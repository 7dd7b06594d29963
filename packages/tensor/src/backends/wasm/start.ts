import { findBackendFactory, removeBackend } from "@tensorflow/tfjs-core";
import type { DeviceOptions, StartedDevice } from "../../device.js";
import { DeviceError } from "../../errors.js";
import type { WasmBackend } from "./backend.js";
import type { RuntimeOptions } from "./runtime.js";
import { assertThreads, defaultThreads } from "./threads.js";

/** The engine, once for all callers: two that start it at the same time get the same one. */
let starting: Promise<WasmBackend> | undefined;

/**
 * Changes the number of threads of the running engine.
 * @returns the threads that compute now
 * @throws DeviceError before {@link startWasm}, or for a count out of range.
 */
export async function resizeWasm(count: number): Promise<number> {
  assertThreads("setThreads", count);
  if (starting === undefined)
    throw new DeviceError(
      'setThreads: expected a running CPU engine, got none; await useDevice("wasm") first',
    );
  return (await starting).runtime.pool.resize(count);
}

/**
 * Starts the CPU engine: tensors in one WebAssembly memory, SIMD kernels, as many threads as there are cores. Once
 * started it is kept; a later call may change the number of threads.
 * @param engineOptions What no user chooses: tests start engines without shared memory.
 * @throws DeviceError where WebAssembly SIMD is missing, or when `relaxedSimd` asks a running engine to change.
 */
export async function startWasm(
  { relaxedSimd, threads }: DeviceOptions = {},
  engineOptions: RuntimeOptions = {},
): Promise<StartedDevice> {
  if (threads !== undefined) assertThreads("useDevice", threads);
  const { BACKEND_NAME } = await import("./install.js");
  let engine = starting;
  if (engine !== undefined) {
    await engine;
    // the user may have called tfjs's removeBackend
    if (engine === starting && findBackendFactory(BACKEND_NAME) == null) engine = undefined;
    else engine = starting;
  }
  const isNew = engine === undefined;
  if (engine === undefined) {
    engine = installWithThreads({ ...engineOptions, relaxedSimd }, threads);
    starting = engine;
    engine.catch(() => {
      starting = undefined;
    });
  }
  const { runtime } = await engine;
  const wanted = runtime.options.relaxedSimd ?? false;
  if (relaxedSimd !== undefined && relaxedSimd !== wanted)
    throw new DeviceError(
      `useDevice: expected relaxedSimd ${wanted}, as wasm was started, got ${relaxedSimd}; set it at the first useDevice("wasm")`,
    );
  if (!isNew && threads !== undefined) await runtime.pool.resize(threads);
  const features = ["simd"];
  if (runtime.relaxedSimd) features.push("relaxed-simd");
  if (runtime.shared) features.push("shared-memory");
  return { backend: BACKEND_NAME, hardware: "WebAssembly", threads: runtime.pool.threads, features };
}

/** The engine once its threads are there: whoever waits for it finds all of them. */
async function installWithThreads(options: RuntimeOptions, threads?: number): Promise<WasmBackend> {
  const { BACKEND_NAME, installWasm } = await import("./install.js");
  const backend = await installWasm(options);
  try {
    await backend.runtime.pool.resize(threads ?? (await defaultThreads()));
    return backend;
  } catch (error) {
    // the next start must find no engine whose memory its kernels do not know
    removeBackend(BACKEND_NAME);
    throw error;
  }
}
