import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const BUILD = fileURLToPath(new URL("../../../wasm/build.mjs", import.meta.url));

it("the committed binaries are what the sources give", { timeout: 180_000 }, async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [BUILD, "--check"]);
  expect(stdout).toMatch(/^wasm kernels: \d+ bytes plain, \d+ relaxed, unchanged/);
});
