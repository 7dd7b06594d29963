import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

const RUNNER = fileURLToPath(new URL("../../../conformance/run.mjs", import.meta.url));

describe("tfjs-core's published suite on wasm, with tfjs's own gradients", () => {
  it("passes whole", { timeout: 300_000 }, async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [RUNNER], { maxBuffer: 2 ** 26 });
    const result = JSON.parse(stdout.trim().split("\n").at(-1)!);
    console.log(
      `conformance: ${result.specs} specs, ${result.failed} failed, ${result.skipped} skipped by the suite, ${result.seconds} s`,
    );
    expect(result.failures).toEqual([]);
    expect(result.specs).toBe(4230);
    expect(result.skipped).toBe(5);
    // the suite's own optimizers and variables leave ten scalars behind
    expect(result.tensorBytes).toBeLessThanOrEqual(1024);
  });
});
