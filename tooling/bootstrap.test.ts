import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { nodeProblem, pnpmCommand, pnpmVersion } from "./bootstrap.mjs";
import { browserEntries, browserModule, bundleWorkers } from "./bundle-browser.mjs";
import { findChromium } from "./chromium.mjs";
import { closingLine, countReport } from "./test.mjs";

describe("bootstrap", () => {
  it("refuses a Node that is too old, in words", () => {
    expect(nodeProblem("20.19.0")).toBeUndefined();
    expect(nodeProblem("24.1.0")).toBeUndefined();
    expect(nodeProblem("20.18.3")).toMatch(/Node 20\.19 or later is needed, this is Node 20\.18\.3/);
    expect(nodeProblem("18.20.0")).toBeDefined();
  });

  it("takes pnpm's version from the manifest", () => {
    expect(pnpmVersion({ packageManager: "pnpm@10.34.9+sha512.abc" })).toBe("10.34.9");
    expect(() => pnpmVersion({ packageManager: "yarn@4.0.0" })).toThrow(/packageManager must read/);
  });

  it("starts pnpm by npm's own script, else by npx", () => {
    expect(pnpmCommand("1.2.3", "npm/bin/npm-cli.js", "linux")).toEqual({
      file: process.execPath,
      args: ["npm/bin/npm-cli.js", "exec", "--yes", "--package=pnpm@1.2.3", "--", "pnpm"],
      shell: false,
    });
    expect(pnpmCommand("1.2.3", undefined, "win32")).toEqual({
      file: "npx",
      args: ["--yes", "pnpm@1.2.3"],
      shell: true,
    });
    expect(pnpmCommand("1.2.3", "pnpm.cjs", "linux").shell).toBe(false);
  });
});

describe("browser bundle", () => {
  it("holds every entry but test helpers, itself and the manifest", () => {
    const manifest = {
      exports: {
        ".": { default: "./dist/index.js" },
        "./training": { default: "./dist/training/index.js" },
        "./testing": { default: "./dist/testing/index.js" },
        "./browser": { default: "./dist/browser.js" },
        "./package.json": "./package.json",
      },
    };
    expect(browserModule(browserEntries(manifest))).toBe(
      'export * from "./index.js";\nexport * from "./training/index.js";\n',
    );
  });

  it("puts each worker beside the bundle, with all that it imports", async () => {
    const folder = await mkdtemp(join(tmpdir(), "bundle-"));
    try {
      await mkdir(join(folder, "dist/tasks"), { recursive: true });
      await writeFile(join(folder, "dist/tasks/part.js"), "export const answer = 6 * 7;");
      await writeFile(
        join(folder, "dist/tasks/tasks.worker.js"),
        'const { answer } = await import("./part.js"); globalThis.answered = answer;',
      );
      expect((await bundleWorkers(folder)).map(({ name }) => name)).toEqual(["tasks.worker.js"]);
      expect((await bundleWorkers(folder)).length).toBe(1); // not its own output
      await rm(join(folder, "dist/tasks"), { recursive: true });
      await import(pathToFileURL(join(folder, "dist/tasks.worker.js")).href);
      expect((globalThis as { answered?: number }).answered).toBe(42);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

describe("findChromium", () => {
  it("believes AI_CHROMIUM only when that file exists", () => {
    expect(findChromium({ AI_CHROMIUM: process.execPath })).toBe(process.execPath);
    expect(findChromium({ AI_CHROMIUM: "nowhere/chromium" })).not.toBe("nowhere/chromium");
  });
});

describe("counting", () => {
  const test = (status: string, group: string, title: string) => ({
    status,
    fullName: `${group} ${title}`,
    ancestorTitles: [group],
  });
  it("counts tests, files that do not load, and skipped groups", () => {
    const counts = countReport({
      testResults: [
        {
          name: "a",
          status: "failed",
          assertionResults: [
            test("passed", "add", "x"),
            test("failed", "add", "y"),
            test("skipped", "add (webgpu absent)", "z"),
          ],
        },
        { name: "b", status: "failed", message: "cannot load\nstack", assertionResults: [] },
        { name: "c", status: "passed", assertionResults: [test("passed", "sub", "x")] },
      ],
    });
    expect(counts).toMatchObject({ passed: 2, failed: 2, skipped: 1, failures: ["add y", "b: cannot load"] });
    expect([...counts.absences]).toEqual([["add (webgpu absent)", 1]]);
  });

  it("ends with the counts", () => {
    expect(closingLine({ passed: 3, failed: 0, skipped: 0 })).toBe("3 passed, 0 failed");
    expect(closingLine({ passed: 3, failed: 1, skipped: 2 })).toBe("3 passed, 1 failed, 2 skipped");
  });
});
