import { spawn } from "node:child_process";
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** How a run of the command line ended. */
export interface FinishedRun {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command line of this package, built from its sources as the package holds it. */
export class CommandLine {
  /** An empty folder, in which it runs. */
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async build(): Promise<CommandLine> {
    const folder = await mkdtemp(join(tmpdir(), "vision-cli-"));
    const entry = (name: string, file: string): [string, string] => [
      name,
      here(`../../../${name.split("/")[1]}/src/${file}`),
    ];
    await build({
      entryPoints: { main: here("../cli/main.ts") },
      outdir: join(folder, "package/dist/cli"),
      bundle: true,
      splitting: true,
      platform: "node",
      format: "esm",
      target: "node20",
      alias: Object.fromEntries([
        entry("@ai/layers/tasks", "tasks/index.ts"),
        entry("@ai/layers/training", "training/index.ts"),
        entry("@ai/layers", "index.ts"),
        entry("@ai/tensor", "index.ts"),
      ]),
      external: ["webgpu", "@tensorflow/tfjs-node", "@tensorflow/tfjs-node-gpu"],
      banner: {
        js: 'import { createRequire as makeRequire } from "node:module"; const require = makeRequire(import.meta.url);',
      },
      logLevel: "error",
    });
    await copyFile(here("../../package.json"), join(folder, "package/package.json"));
    return new CommandLine(folder);
  }

  run(...words: readonly string[]): Promise<FinishedRun> {
    return this.runAfter("", ...words);
  }

  /** @param preload A module that Node runs before the program. */
  runAfter(preload: string, ...words: readonly string[]): Promise<FinishedRun> {
    const script = join(this.folder, "package/dist/cli/main.js");
    const first = preload === "" ? [] : ["--import", `data:text/javascript,${encodeURIComponent(preload)}`];
    const child = spawn(process.execPath, [...first, script, ...words], {
      cwd: this.folder,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (text) => {
      stdout += text;
    });
    child.stderr.on("data", (text) => {
      stderr += text;
    });
    return new Promise((resolve) => child.once("close", (code) => resolve({ code, stdout, stderr })));
  }

  async dispose(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}
