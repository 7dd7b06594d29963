import { mkdir, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { formatWithOptions } from "node:util";
import { afterEach, describe, expect, it, vi } from "vitest";

const root = new URL("../../", import.meta.url);
/** Ignored by git; inside the workspace, so that the packages are found. */
const scratch = new URL(".vitest/", import.meta.url);

describe("code of the READMEs", () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it.each([
    "README.md",
    "README.zh-CN.md",
    "packages/tensor/README.md",
    "packages/layers/README.md",
    "packages/vision/README.md",
  ])("%s prints what its last comment says", async (path) => {
    const code = /```ts\n([\s\S]*?)```/.exec(await readFile(new URL(path, root), "utf8"))?.[1] ?? "";
    const expected = /console\.log\(.*\); \/\/ (.*)\n$/.exec(code)?.[1];
    expect(expected).toBeDefined();
    const name = path.replace(/\W/g, "-");
    await mkdir(scratch, { recursive: true });
    await writeFile(new URL(`${name}.ts`, scratch), code);
    const lines: string[] = [];
    vi.spyOn(console, "log").mockImplementation((...values) => {
      lines.push(formatWithOptions({ colors: false }, ...values));
    });
    await import(/* @vite-ignore */ fileURLToPath(new URL(`${name}.ts`, scratch)));
    expect(lines).toEqual([expected]);
  });
});
