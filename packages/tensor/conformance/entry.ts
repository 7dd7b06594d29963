// Bundled by run.mjs: tfjs-core with its own gradients and chained ops, the engine, then tfjs-core's published test suite.
import "@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops";
import "@tensorflow/tfjs-core/dist/register_all_gradients";
import { setBackend } from "@tensorflow/tfjs-core";
import { setTestEnvs } from "@tensorflow/tfjs-core/dist/jasmine_util";
import { BACKEND_NAME, installWasm } from "../src/backends/wasm/install.js";

/** The form of the engine, from run.mjs. */
const { threads, cutEveryJob, ...options } = JSON.parse(process.env.CONFORMANCE_ENGINE!) as {
  threads: number;
  cutEveryJob: boolean;
  shared: boolean;
  relaxedSimd: boolean;
};
const backend = await installWasm(options);
const { pool, shared, relaxedSimd } = backend.runtime;
await pool.resize(threads);
if (cutEveryJob) pool.setCosts({ serialBelow: 0, wakeAbove: 0 });
/** What the engine says it is. */
export const engine = { threads: pool.threads, shared, relaxedSimd };
await setBackend(BACKEND_NAME);
setTestEnvs([{ name: BACKEND_NAME, backendName: BACKEND_NAME, isDataSync: true }]);
await import("@tensorflow/tfjs-core/dist/tests");

/** Bytes that tensors hold in the heap: 0 when the suite freed what it made. */
export const tensorBytes = (): number => backend.runtime.tensorBytes;
