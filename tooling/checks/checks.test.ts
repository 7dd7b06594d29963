import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { problemsOfCommand } from "./commands.mjs";
import { describedParameter, problemsOf as docstringProblems } from "./docstring-shapes.mjs";
import { problemsOf as lengthProblems } from "./file-length.mjs";
import { listFiles, listPackages } from "./files.mjs";
import { sizeOfImport, problemsOf as sizeProblems } from "./import-size.mjs";
import { problemsOf as pathProblems } from "./machine-paths.mjs";
import { problemsOf as directionProblems, importsOf } from "./package-directions.mjs";
import { runChecks } from "./run.mjs";
import { SkippedCheck } from "./skipped-check.mjs";
import { problemsOf as errorProblems } from "./thrown-errors.mjs";

const folders: string[] = [];

async function folderWith(files: Record<string, string>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "checks-"));
  folders.push(folder);
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  return folder;
}

afterEach(async () => {
  vi.restoreAllMocks();
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
});

describe("files", () => {
  it("lists what is ours and leaves out what is installed, built or hidden by runs", async () => {
    const folder = await folderWith({
      "packages/a/src/x.ts": "",
      "node_modules/b/y.ts": "",
      "packages/a/dist/z.js": "",
    });
    expect(await listFiles(folder)).toEqual(["packages/a/src/x.ts"]);
  });

  it("finds packages by their manifests", async () => {
    const folder = await folderWith({
      "packages/a/package.json": '{"name":"@ai/a"}',
      "packages/b/notes.md": "",
    });
    expect((await listPackages(folder)).map(({ name }) => name)).toEqual(["a"]);
  });
});

describe("package directions", () => {
  const exports = {
    tensor: ["@ai/tensor", "@ai/tensor/testing"],
    layers: ["@ai/layers"],
    text: ["@ai/text"],
    vision: ["@ai/vision"],
  };
  const problems = (path: string, text: string) => directionProblems({ path, text }, exports);

  it("sees every way to import", () => {
    expect(
      importsOf('import a from "a"; export * from "b"; const c = import("c"); type D = import("d").D;'),
    ).toEqual(["a", "b", "c", "d"]);
  });

  it.each([
    ["packages/layers/src/linear.ts", 'import { matMul } from "@ai/tensor";'],
    ["packages/layers/src/linear.ts", 'const fs = await import(/* webpackIgnore: true */ "node:fs");'],
    ["packages/tensor/src/engine.ts", 'import { engine } from "@tensorflow/tfjs-core";'],
    ["packages/vision/src/models/clip/clip.ts", 'import { load } from "@ai/text";'],
    ["apps/quickstart/src/main.ts", 'import { Trainer } from "@ai/layers";'],
  ])("accepts %s: %s", (path, text) => {
    expect(problems(path, text)).toEqual([]);
  });

  it.each([
    ["packages/tensor/src/add.ts", 'import { Linear } from "@ai/layers";', /may not import @ai\/layers/],
    ["packages/tensor/src/add.ts", 'const fs = await import("node:fs");', /webpackIgnore: true/],
    [
      "packages/layers/src/linear.ts",
      'import { tensor } from "@tensorflow/tfjs-core";',
      /only @ai\/tensor may import tfjs/,
    ],
    ["packages/tensor/src/add.ts", 'import "@tensorflow/tfjs-core/dist/ops/add";', /root exports/],
    [
      "packages/layers/src/linear.ts",
      'import { add } from "@ai/tensor/src/ops/arithmetic.js";',
      /not a public entry/,
    ],
    [
      "packages/layers/src/linear.ts",
      'import { add } from "../../tensor/src/index.js";',
      /another package's files/,
    ],
    [
      "packages/layers/src/linear.ts",
      'import { helper } from "../../../tooling/helper.mjs";',
      /leaves the package/,
    ],
    ["packages/layers/src/linear.ts", 'import { add } from "@ai/nowhere";', /no such package/],
    ["packages/layers/src/linear.ts", 'import { Module } from "@ai/layers";', /relative path/],
    [
      "packages/vision/src/models/resnet/resnet.ts",
      'import { load } from "@ai/text";',
      /only files that match/,
    ],
    [
      "apps/quickstart/src/main.ts",
      'import { x } from "../../../packages/tensor/src/x.js";',
      /another package's files/,
    ],
  ])("refuses %s: %s", (path, text, reason) => {
    expect(problems(path, text)).toEqual([expect.stringMatching(reason)]);
  });
});

describe("docstrings with shapes", () => {
  const problems = (text: string) =>
    docstringProblems(["/virtual/index.ts"], "/virtual", new Map([["/virtual/index.ts", text]]));

  it("reads a parameter's text up to the next tag, on one line too", () => {
    expect(
      describedParameter("/** Adds. @param a `[...]` @param b `[batch]` @returns `[...]` */", "b"),
    ).toContain("`[batch]`");
    expect(describedParameter("/** Adds. @param ab `[...]` */", "a")).toBeUndefined();
  });

  it("accepts tensors with shapes, whatever else there is without", () => {
    expect(
      problems(
        "/** Doubles. @param x `[batch, dim]` float32. @param count times. */\nexport function double(x: Tensor, count: number) {}\n",
      ),
    ).toEqual([]);
  });

  it.each([
    [
      "a function without a docstring",
      "export function double(x: number) {}",
      /double: public, but has no docstring/,
    ],
    ["an interface without a docstring", "export interface Options { a: number }", /Options: public/],
    ["a constant without a docstring", "export const LIMIT = 3;", /LIMIT: public/],
    [
      "a tensor without @param",
      "/** Doubles. */\nexport function double(x: Tensor) {}",
      /index\.ts:2: double: tensor parameter x needs its shape/,
    ],
    [
      "a tensor without a shape",
      "/** Doubles. @param x the input */\nexport function double(x: Tensor) {}",
      /parameter x needs its shape/,
    ],
    [
      "a list of tensors",
      "/** Joins. @param list parts */\nexport function join(list: readonly Tensor[]) {}",
      /parameter list/,
    ],
    [
      "a forward that nobody describes",
      "/** A layer. */\nexport class Layer {\n  protected forward(x: Tensor) {}\n}",
      /Layer\.forward: tensor parameter x/,
    ],
    [
      "a documented method",
      "/** A layer. */\nexport class Layer {\n  /** Runs. @param x input */\n  call(x: Tensor) {}\n  private hidden(x: Tensor) {}\n}",
      /Layer\.call: tensor parameter x/,
    ],
  ])("refuses %s", (_, text, reason) => {
    expect(problems(text)).toEqual([expect.stringMatching(reason)]);
  });
});

describe("errors of our kinds", () => {
  it("refuses plain errors and names the line", () => {
    expect(errorProblems({ path: "a.ts", text: 'const a = 1;\n  throw new Error("no");\n' })).toEqual([
      expect.stringContaining("a.ts:2"),
    ]);
    expect(errorProblems({ path: "a.ts", text: "throw TypeError(message);" })).toHaveLength(1);
    expect(errorProblems({ path: "a.ts", text: 'throw new ShapeError("no");' })).toEqual([]);
  });
});

describe("file length", () => {
  const file = (path: string, lines: number) => ({ path, text: "x\n".repeat(lines) });
  it("refuses 401 lines unless there is a reason, and a reason that nobody needs", () => {
    expect(lengthProblems([file("a.ts", 400)], {})).toEqual([]);
    expect(lengthProblems([file("a.ts", 401)], {})).toEqual([expect.stringContaining("a.ts: 401 lines")]);
    expect(lengthProblems([file("a.ts", 401)], { "a.ts": "one table" })).toEqual([]);
    expect(lengthProblems([file("a.ts", 10)], { "a.ts": "one table" })).toEqual([
      expect.stringContaining("remove its line"),
    ]);
  });
});

describe("no paths of a machine", () => {
  it("finds homes and scratch folders", () => {
    const home = ["", "home", "someone", "models"].join("/");
    const scratch = ["", "tmp", "out.json"].join("/");
    expect(pathProblems({ path: "a.md", text: `see\n"${home}"\n` })).toEqual([
      expect.stringContaining("a.md:2"),
    ]);
    expect(pathProblems({ path: "a.sh", text: `cat ${scratch}` })).toHaveLength(1);
    expect(
      pathProblems({ path: "a.ts", text: 'import "../home/x.js"; // https://example.com/home/x' }),
    ).toEqual([]);
  });
});

describe("size of one import", () => {
  it("counts what loads at once, not what loads on demand", async () => {
    const noise = (name: string) =>
      `export const ${name} = ${JSON.stringify(Array.from({ length: 400 }, (_, i) => Math.sin(i)))};`;
    const folder = await folderWith({
      "node_modules/sample/package.json":
        '{"name":"sample","type":"module","sideEffects":false,"exports":"./index.js"}',
      "node_modules/sample/index.js": `${noise("unused")}\nexport const small = () => 1;\nexport const big = () => unused;\nexport const lazy = () => import("./late.js");`,
      "node_modules/sample/late.js": noise("late"),
    });
    const [small, big, lazy] = [
      await sizeOfImport("sample", "small", folder),
      await sizeOfImport("sample", "big", folder),
      await sizeOfImport("sample", "lazy", folder),
    ];
    expect(small).toBeGreaterThan(0);
    expect(small).toBeLessThan(200);
    expect(big).toBeGreaterThan(2000);
    expect(lazy).toBeLessThan(500);
  });

  it("refuses what is over its budget or has none", () => {
    expect(sizeProblems({ a: 100 }, { a: { function: "f", maxBytes: 100 } })).toEqual([]);
    expect(sizeProblems({ a: 101 }, { a: { function: "f", maxBytes: 100 } })).toEqual([
      expect.stringContaining("101 bytes"),
    ]);
    expect(sizeProblems({ a: 1 }, {})).toEqual([expect.stringContaining("has no row")]);
  });
});

describe("running", () => {
  it("makes a command's output the problem when it fails", async () => {
    expect(await problemsOfCommand(process.execPath, ["-e", ""])).toEqual([]);
    expect(
      await problemsOfCommand(process.execPath, ["-e", "console.log('bad sample'); process.exit(3)"]),
    ).toEqual([expect.stringMatching(/exit code 3[\s\S]*bad sample/)]);
  });

  it("tells passed, failed, crashed and skipped apart", async () => {
    vi.spyOn(console, "log").mockImplementation(() => {});
    const results = await runChecks([
      { name: "good", run: async () => [] },
      { name: "bad", run: async () => ["a problem"] },
      {
        name: "crash",
        run: async () => {
          throw new Error("broken check");
        },
      },
      {
        name: "absent",
        run: async () => {
          throw new SkippedCheck("no browser");
        },
      },
    ]);
    expect(results.map(({ status }) => status)).toEqual(["passed", "failed", "failed", "skipped"]);
    expect(results[3].detail).toBe("no browser");
  });

  it("runs two at once, and a check once the one it waits for has ended", async () => {
    vi.spyOn(console, "log").mockImplementation(() => {});
    const events: string[] = [];
    const check = (name: string, after?: string) => ({
      name,
      after,
      run: async () => {
        events.push(`${name} starts`);
        await new Promise((resolve) => setTimeout(resolve, 20));
        events.push(`${name} ends`);
        return [];
      },
    });
    const checks = [check("build"), check("reader", "build"), check("other"), check("named", "not run")];
    expect((await runChecks(checks)).map(({ name }) => name)).toEqual(checks.map(({ name }) => name));
    expect(events.slice(0, 2)).toEqual(["build starts", "other starts"]);
    expect(events.indexOf("reader starts")).toBeGreaterThan(events.indexOf("build ends"));
  });
});
