import { findBackend } from "@tensorflow/tfjs-core";
import type { WasmBackend } from "../backends/wasm/backend.js";
import type { DeviceOptions } from "../device.js";

declare const __AI_TEST_ENGINE__: string;

/** How the run starts `wasm`. Without a name, as for users: plain SIMD, a thread a core. */
const ENGINES: Readonly<
  Record<string, { device: DeviceOptions; shared?: boolean; cutEveryJob?: boolean } | undefined>
> = {
  "one-thread": { device: { threads: 1 } },
  threads: { device: { threads: 3 }, cutEveryJob: true },
  relaxed: { device: { relaxedSimd: true, threads: 3 }, cutEveryJob: true },
  unshared: { device: {}, shared: false },
};

/** Starts the engine that the run names before any test does. */
async function startTestEngine(): Promise<void> {
  if (__AI_TEST_ENGINE__ === "") return;
  const engine = ENGINES[__AI_TEST_ENGINE__];
  if (engine === undefined)
    throw new Error(`engine: expected one of ${Object.keys(ENGINES).join(", ")}, got ${__AI_TEST_ENGINE__}`);
  const { startWasm } = await import("../backends/wasm/start.js");
  const { shared, cutEveryJob = false } = engine;
  const { backend, features, threads } = await startWasm(engine.device, { shared });
  const asNamed =
    features.includes("relaxed-simd") === (engine.device.relaxedSimd ?? false) &&
    features.includes("shared-memory") === (shared ?? true) &&
    threads === (engine.device.threads ?? 1);
  if (!asNamed)
    throw new Error(
      `engine: expected ${__AI_TEST_ENGINE__}, got ${threads} threads and ${features.join(", ")}`,
    );
  if (!cutEveryJob) return;
  const { runtime } = findBackend(backend) as unknown as WasmBackend;
  runtime.pool.setCosts({ serialBelow: 0, wakeAbove: 0 });
}
/** Whoever uses `wasm` in a test awaits this first. */
export const testEngineStarted: Promise<void> = startTestEngine();
