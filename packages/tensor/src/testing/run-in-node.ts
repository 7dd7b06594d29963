import { spawn } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const packageFolder = fileURLToPath(new URL("../../", import.meta.url));

/** How a child process ended. */
export interface ChildResult {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Options of {@link runInNode}. */
export interface RunInNodeOptions {
  /** Milliseconds until the child is killed; it then ends with a signal. Default 240 000. */
  readonly timeoutMilliseconds?: number;
}

/**
 * Runs TypeScript in a Node process of its own, as a user's program: for what ends a process or changes one for good.
 * `code` may import from `@ai/tensor` (this source), from `@tensorflow/*`, and from an absolute path, which is bundled.
 */
export async function runInNode(
  code: string,
  { timeoutMilliseconds = 240_000 }: RunInNodeOptions = {},
): Promise<ChildResult> {
  // under node_modules, so that the bundle finds the packages that this one depends on
  const file = join(packageFolder, `node_modules/.ai-tests/${crypto.randomUUID()}.mjs`);
  mkdirSync(dirname(file), { recursive: true });
  await build({
    stdin: { contents: code, resolveDir: packageFolder, loader: "ts" },
    outfile: file,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    logLevel: "silent",
    alias: { "@ai/tensor": join(packageFolder, "src/index.ts") },
    external: ["@tensorflow/*", "webgpu"],
  });
  try {
    return await new Promise((resolve, reject) => {
      const child = spawn(process.execPath, [file], {
        timeout: timeoutMilliseconds,
        stdio: ["ignore", "pipe", "pipe"],
      });
      let stdout = "";
      let stderr = "";
      child.stdout.on("data", (chunk) => {
        stdout += chunk;
      });
      child.stderr.on("data", (chunk) => {
        stderr += chunk;
      });
      child.on("error", reject);
      child.on("close", (exitCode, signal) => resolve({ code: exitCode, signal, stdout, stderr }));
    });
  } finally {
    rmSync(file);
  }
}
