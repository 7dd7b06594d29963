import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

const RUNNER = fileURLToPath(new URL("../../../conformance/run.mjs", import.meta.url));

describe("tfjs-core's published suite on wasm, with tfjs's own gradients", () => {
  it.each([
    ["one-thread", { threads: 1, shared: true, relaxedSimd: false }],
    ["cores", { shared: true, relaxedSimd: false }],
    ["threads", { threads: 3, shared: true, relaxedSimd: false }],
    ["relaxed", { threads: 3, shared: true, relaxedSimd: true }],
    ["unshared", { threads: 1, shared: false, relaxedSimd: false }],
  ])("passes whole on the engine's form %s", { timeout: 600_000 }, async (form, engine) => {
    const { stdout } = await promisify(execFile)(process.execPath, [RUNNER, form], { maxBuffer: 2 ** 26 });
    const result = JSON.parse(stdout.trim().split("\n").at(-1)!);
    console.log(
      `conformance, ${form}: ${result.specs} specs, ${result.failed} failed, ${result.skipped} skipped by the suite, ${result.seconds} s`,
    );
    expect(result.engine).toMatchObject(engine);
    expect(result.failures).toEqual([]);
    expect(result.specs).toBe(4230);
    expect(result.skipped).toBe(5);
    // the suite's own optimizers and variables leave ten scalars behind
    expect(result.tensorBytes).toBeLessThanOrEqual(1024);
  });
});
