import { expect } from "vitest";
import { setThreads } from "../device.js";
import type { TypedArray } from "../dtype.js";
import { wasmBackend } from "./wasm-kernels.js";

/**
 * Fails unless a computation gives the same bits on one thread and, with every job cut however small, on two and three.
 * Needs `useDevice("wasm")`.
 */
export async function expectSameOnThreads(compute: () => Promise<readonly TypedArray[]>): Promise<void> {
  const { pool } = wasmBackend().runtime;
  const { costs, threads: before } = pool;
  const bits = async () =>
    (await compute()).map((values) => new Int32Array(values.buffer, values.byteOffset, values.length));
  try {
    await setThreads(1);
    const expected = await bits();
    pool.setCosts({ serialBelow: 0, wakeAbove: 0 });
    for (const threads of [2, 3]) {
      await setThreads(threads);
      (await bits()).forEach((actual, index) => {
        const at = actual.findIndex((value, position) => value !== expected[index][position]);
        expect({ threads, index, at }).toEqual({ threads, index, at: -1 });
      });
    }
  } finally {
    pool.setCosts(costs);
    await setThreads(before);
  }
}
