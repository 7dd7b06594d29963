import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import ts from "typescript";
import { beforeAll, describe, expect, it } from "vitest";
import { runCommand } from "../checks/commands.mjs";
import { copyWorkspace } from "../checks/workspace-copy.mjs";
import { namesOf } from "./names.mjs";
import { addToRegistry } from "./templates/model.mjs";
import { addToWorker } from "./templates/task.mjs";

describe("namesOf", () => {
  it("spells a name for files, classes and functions", () => {
    expect(namesOf("rms-norm")).toEqual({
      kebab: "rms-norm",
      pascal: "RmsNorm",
      camel: "rmsNorm",
      title: "rms norm",
    });
    expect(namesOf("RMSNorm")).toMatchObject({ kebab: "rms-norm", pascal: "RMSNorm", camel: "rmsNorm" });
    expect(() => namesOf("../escape")).toThrow(/expected a name like/);
  });
});

describe("addToRegistry", () => {
  it("adds a row to an empty and to a filled registry, and refuses a file without one", () => {
    const names = namesOf("res-net");
    const one = addToRegistry("export const models = {} as const;\n", names, "text");
    expect(one).toMatch(/^export const models = \{\n {2}resNet: \/\* @__PURE__ \*\/ entry\(\{\n/);
    expect(one).toMatch(
      /import\("\.\/res-net\/res-net\.config\.js"\)[^}]*\}\),\n[\s\S]*\}\),\n\} as const;\n$/,
    );
    const two = addToRegistry(one, namesOf("vgg"), "vision");
    expect(two).toContain("resNet: /*");
    expect(two).toMatch(/vgg: \/\*[\s\S]*ViTImageProcessor[\s\S]*\}\),\n\} as const;/);
    expect(() => addToRegistry("export const other = 1;", names, "text")).toThrow(
      /has no `export const models/,
    );
  });
});

describe("addToWorker", () => {
  it("adds a task to an empty and to a filled worker, and refuses a file without one", () => {
    const one = addToWorker("void serveTasks({});\n", namesOf("tell-digits"));
    expect(one).toBe(
      'void serveTasks({\n  "tell-digits": async () => (await import("./tell-digits.js")).tellDigits,\n});\n',
    );
    expect(addToWorker(one, namesOf("read"))).toContain(
      '"read": async () => (await import("./read.js")).read,\n});',
    );
    expect(() => addToWorker("serve();", namesOf("read"))).toThrow(/has no `void serveTasks/);
  });
});

/** A domain package as the first one will be: manifest, configuration, four rooms. */
async function makeDomainPackage(copy: string): Promise<void> {
  const folder = join(copy, "packages", "speech");
  const layers = JSON.parse(await readFile(join(copy, "packages/layers/package.json"), "utf8"));
  for (const room of ["preprocess", "models", "postprocess", "tasks"])
    await mkdir(join(folder, "src", room), { recursive: true });
  const manifest = {
    ...layers,
    name: "@ai/speech",
    dependencies: { "@ai/layers": "workspace:*", "@ai/tensor": "workspace:*" },
  };
  manifest.exports = { ".": layers.exports["."], "./browser": layers.exports["./browser"] };
  const references = [{ path: "../tensor/tsconfig.build.json" }, { path: "../layers/tsconfig.build.json" }];
  await writeFile(join(folder, "package.json"), JSON.stringify(manifest));
  await writeFile(
    join(folder, "tsconfig.json"),
    JSON.stringify({ extends: "../../tooling/configs/tsconfig.check.json", include: ["src"], references }),
  );
  await writeFile(join(folder, "src/index.ts"), 'export { models } from "./models/registry.js";\n');
  await mkdir(join(folder, "node_modules/@ai"), { recursive: true });
  const { symlink } = await import("node:fs/promises");
  for (const name of ["tensor", "layers"])
    await symlink(join(copy, "packages", name), join(folder, "node_modules/@ai", name), "junction");
}

/**
 * What TypeScript says of the files with `sample` in their path and of the indices that export them, as the packages
 * are built and checked. Everything else was checked by "types" and is read only as far as these files need it.
 */
async function typeProblems(copy: string): Promise<string[]> {
  const files: string[] = [];
  for (const name of ["tensor", "layers", "speech"]) {
    const source = join(copy, "packages", name, "src");
    const paths = await readdir(source, { recursive: true });
    files.push(
      ...paths.filter((path) => /sample.*\.ts$|^index\.ts$/.test(path)).map((path) => join(source, path)),
    );
  }
  expect(files.length).toBeGreaterThan(8);
  const host = { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => expect.fail("no configuration") };
  const base = join(copy, "tooling/configs/tsconfig.base.json");
  const options = ts.getParsedCommandLineOfConfigFile(
    base,
    { noEmit: true, composite: false },
    host,
  )?.options;
  const program = ts.createProgram(files, {
    ...options,
    paths: {
      "@ai/*/testing": [join(copy, "packages/*/src/testing/index.ts")],
      "@ai/*/tasks": [join(copy, "packages/*/src/tasks/index.ts")],
      "@ai/*/training": [join(copy, "packages/*/src/training/index.ts")],
      "@ai/*": [join(copy, "packages/*/src/index.ts")],
    },
  });
  return [
    ...program.getOptionsDiagnostics(),
    ...files.flatMap((path) => {
      const file = program.getSourceFile(path);
      return [
        ...program.getSyntacticDiagnostics(file),
        ...program.getSemanticDiagnostics(file),
        ...program.getDeclarationDiagnostics(file),
      ];
    }),
  ].map(
    ({ file, messageText }) => `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`,
  );
}

describe("pnpm new", () => {
  let copy: string;
  const node = (...args: string[]) => runCommand(process.execPath, args, { cwd: copy });
  const generate = (...args: string[]) => node("tooling/generators/new.mjs", ...args);
  const tool = (path: string, ...args: string[]) => node(join("node_modules", path), ...args);

  beforeAll(async () => {
    copy = await copyWorkspace("generators", [
      "package.json",
      "biome.json",
      ".gitignore",
      "vitest.config.ts",
      "tooling",
    ]);
    await makeDomainPackage(copy);
  });

  it("says clearly what it cannot do", async () => {
    expect(await generate("model", "nowhere", "resnet")).toMatchObject({
      code: 1,
      output: expect.stringContaining("there is no package packages/nowhere"),
    });
    expect(await generate("task", "tensor", "add")).toMatchObject({
      code: 1,
      output: expect.stringContaining("no src/preprocess"),
    });
    expect((await generate("layer", "Linear")).output).toContain(
      "packages/layers/src/linear.ts exists already",
    );
    expect((await generate("kernel")).code).toBe(1);
  });

  it("writes files that pass types, formatting, checks and their own tests", async () => {
    for (const args of [
      ["kernel", "sample-kernel"],
      ["layer", "SampleLayer"],
      ["model", "speech", "sample-model"],
      ["task", "speech", "sample-task"],
    ])
      expect(await generate(...args)).toMatchObject({ code: 0 });

    const folders = [
      "packages/tensor/src/kernels/sample-kernel",
      "packages/layers/src/sample-layer.ts",
      "packages/layers/src/sample-layer.test.ts",
      "packages/speech/src",
    ];
    expect(
      await tool(
        "@biomejs/biome/bin/biome",
        "ci",
        ...folders,
        "packages/tensor/src/index.ts",
        "packages/layers/src/index.ts",
      ),
    ).toMatchObject({ code: 0 });

    expect(await typeProblems(copy)).toEqual([]);

    for (const check of ["package-directions", "docstring-shapes", "thrown-errors", "file-length"]) {
      const script = `import { check } from "./tooling/checks/${check}.mjs"; console.log(JSON.stringify(await check(process.cwd() + "/")));`;
      const { output } = await node("--input-type=module", "--eval", script);
      expect(
        JSON.parse(output.trim().split("\n").at(-1)).filter((problem: string) => /sample/.test(problem)),
      ).toEqual([]);
    }

    process.env.AI_TEST_DEVICES = "cpu";
    const tests = await tool("vitest/vitest.mjs", "run", "--project", "node", "/sample-");
    expect(tests.output).toMatch(/Test Files\s+4 passed/);
    expect(tests.code).toBe(0);
  }, 900_000);
});
