import { describe, expect, it } from "vitest";
import { createRuntime, type RuntimeOptions, type WasmRuntime } from "./runtime.js";

/** A runtime whose every job is cut, with `threads` threads where memory can be shared. */
async function runtimeWith(threads: number, options: RuntimeOptions = {}): Promise<WasmRuntime> {
  const runtime = await createRuntime(options);
  runtime.pool.setCosts({ serialBelow: 0, wakeAbove: 0 });
  await runtime.pool.resize(threads);
  return runtime;
}

/** GELU of a ramp, as bits. */
function ramp(runtime: WasmRuntime, count: number): Int32Array {
  const x = runtime.allocator.allocate(count * 4);
  const output = runtime.allocator.allocate(count * 4);
  const values = runtime.float32;
  for (let i = 0; i < count; i++) values[x / 4 + i] = (i - count / 2) / 100;
  runtime.exports.gelu(x, output, count, 0);
  const bits = runtime.int32.slice(output / 4, output / 4 + count);
  runtime.allocator.release(x);
  runtime.allocator.release(output);
  return bits;
}

describe("WorkerPool", () => {
  it("gives the same bits for any number of threads, again and again", async () => {
    const single = await runtimeWith(1);
    const expected = ramp(single, 5003);
    const runtime = await runtimeWith(4);
    if (!runtime.shared) return expect(runtime.pool.threads).toBe(1);
    expect(runtime.pool.threads).toBe(4);
    for (let i = 0; i < 50; i++) expect(ramp(runtime, 5003)).toEqual(expected);
    expect(await runtime.pool.resize(3)).toBe(3);
    expect(ramp(runtime, 5003)).toEqual(expected);
    expect(await runtime.pool.resize(1)).toBe(1);
    expect(ramp(runtime, 5003)).toEqual(expected);
    expect(runtime.tensorBytes).toBe(0);
  });
});
