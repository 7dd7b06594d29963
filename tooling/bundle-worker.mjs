/**
 * For tests: a module and everything that it imports as one file. Workers need it, because Node runs no TypeScript in
 * them; what runs long needs a quarter less time than as Vitest's many modules. The packages are taken from their sources.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { build } from "esbuild";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** `@ai/layers/tasks` → `packages/layers/src/tasks/index.ts` */
export const sources = {
  name: "sources",
  setup({ onResolve }) {
    onResolve({ filter: /^@ai\/\w+(\/\w+)?$/ }, ({ path }) => {
      const [, name, entry] = path.split("/");
      return { path: join(ROOT, "packages", name, "src", entry ?? "", "index.ts") };
    });
  },
};

/**
 * @param {string | URL} module A module of a package's sources.
 * @returns the address of the one file that it and everything that it imports is put into.
 */
export async function bundleModule(module) {
  const folder = join(ROOT, "node_modules/.ai-tests");
  mkdirSync(folder, { recursive: true });
  const outfile = join(folder, `${crypto.randomUUID()}.mjs`);
  await build({
    entryPoints: [fileURLToPath(module)],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    plugins: [sources],
    external: ["webgpu", "@tensorflow/tfjs-node", "@tensorflow/tfjs-node-gpu"],
    banner: {
      js: 'import { createRequire as makeRequire } from "node:module"; const require = makeRequire(import.meta.url);',
    },
    logLevel: "error",
  });
  return pathToFileURL(outfile);
}

/**
 * @param {string | URL} module The worker's module.
 * @returns a function that starts a worker of it.
 */
export async function bundleWorker(module) {
  const file = await bundleModule(module);
  return () => new Worker(file);
}
