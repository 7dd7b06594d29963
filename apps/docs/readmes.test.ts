import { mkdir, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { formatWithOptions } from "node:util";
import { afterEach, describe, expect, it, vi } from "vitest";

const root = new URL("../../", import.meta.url);
/** Ignored by git; inside the workspace, so that the packages are found. */
const scratch = new URL(".vitest/", import.meta.url);

const readmes = [
  "README.md",
  "README.zh-CN.md",
  "packages/tensor/README.md",
  "packages/layers/README.md",
  "packages/vision/README.md",
];

/** Every block of TypeScript, with the file and its number there. */
const blocks: [path: string, number: number, code: string][] = [];
for (const path of readmes) {
  const found = [...(await readFile(new URL(path, root), "utf8")).matchAll(/```ts\n([\s\S]*?)```/g)];
  blocks.push(...found.map(([, code], index): [string, number, string] => [path, index + 1, code]));
}

describe("code of the READMEs", () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it("is in every README", () => {
    expect(new Set(blocks.map(([path]) => path))).toEqual(new Set(readmes));
  });

  it.each(blocks)("%s, block %i, prints what its last comment says", async (path, number, code) => {
    const expected = /console\.log\(.*\); \/\/ (.*)\n$/.exec(code)?.[1];
    expect(expected).toBeDefined();
    const name = `${path.replace(/\W/g, "-")}-${number}`;
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
