import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findChromium } from "../../chromium.mjs";
import { runCommand } from "../commands.mjs";
import { resultOfPage } from "./page.mjs";
import { problemsOfLosses, problemsOfTarball } from "./rehearsal.mjs";

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "release-"));
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

describe("losses", () => {
  it("must be five, finite and falling", () => {
    expect(problemsOfLosses("here", [5, 4, 3, 2, 1])).toEqual([]);
    expect(problemsOfLosses("here", [1, 1, 1, 1, 1])).toEqual([expect.stringContaining("falling")]);
    expect(problemsOfLosses("here", [5, 4, 3, 2, Number.NaN])).toHaveLength(1);
    expect(problemsOfLosses("here", "TypeError: x is not a function")).toHaveLength(1);
  });
});

describe("tarballs", () => {
  async function pack(name: string, files: Record<string, string>): Promise<string> {
    const source = join(folder, name, "package");
    for (const [path, text] of Object.entries(files)) {
      await mkdir(join(source, path, ".."), { recursive: true });
      await writeFile(join(source, path), text);
    }
    const tarball = join(folder, `${name}.tgz`);
    await runCommand("tar", ["-czf", tarball, "-C", join(folder, name), "package"]);
    return tarball;
  }
  const manifest = (types: string) =>
    JSON.stringify({
      name: "sample",
      version: "1.0.0",
      type: "module",
      license: "Apache-2.0",
      exports: { ".": { types, default: "./index.js" } },
    });

  it("pass when they are well-formed", async () => {
    const files = {
      "package.json": manifest("./index.d.ts"),
      "index.js": "export const a = 1;\n",
      "index.d.ts": "export declare const a: number;\n",
    };
    expect(await problemsOfTarball("good", await pack("good", files))).toEqual([]);
  });

  it("fail for missing types and unwanted files", async () => {
    const files = {
      "package.json": manifest("./missing.d.ts"),
      "index.js": "export const a = 1;\n",
      "index.test.js": "",
    };
    const problems = await problemsOfTarball("bad", await pack("bad", files));
    expect(problems).toContainEqual(expect.stringMatching(/publint: .*missing\.d\.ts/));
    expect(problems).toContainEqual(expect.stringContaining("index.test.js does not belong"));
  });

  it("fail for declarations that Node does not resolve", async () => {
    const files = {
      "package.json": manifest("./index.d.ts"),
      "index.js": "export const a = 1;\n",
      "index.d.ts": 'export * from "./other";\n',
      "other.d.ts": "export declare const a: number;\n",
    };
    expect(await problemsOfTarball("types", await pack("types", files))).toContainEqual(
      expect.stringMatching(/attw[\s\S]*exit code/),
    );
  });
});

describe.skipIf(findChromium() === undefined)("pages (Chromium; skipped where it is absent)", () => {
  it("give their result and their errors", async () => {
    const page = join(folder, "page");
    await mkdir(page);
    await writeFile(
      join(page, "index.html"),
      '<script type="module">globalThis.result = [1]; throw new Error("broken page");</script>',
    );
    const { result, errors } = await resultOfPage(page);
    expect(result).toEqual([1]);
    expect(errors).toContainEqual(expect.stringContaining("broken page"));
  });
});
