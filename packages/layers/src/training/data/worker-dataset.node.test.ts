import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, it } from "vitest";
import { describeWorkerDatasets } from "../../testing/worker-data-cases.js";
import { serveDataset } from "./index.js";

let folder: string;
const sources = {
  numbers: (path: string) => `import { serveNumbers } from ${path}; await serveNumbers();`,
  nothing: (path: string) => `import { serveNothing } from ${path}; await serveNothing();`,
  broken: () => "process.exit(3);",
};

/** One bundle a worker: Node does not run TypeScript. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "worker-dataset-"));
  const served = fileURLToPath(new URL("../../testing/served-dataset.ts", import.meta.url));
  for (const [name, source] of Object.entries(sources))
    await build({
      stdin: {
        contents: source(JSON.stringify(served)),
        resolveDir: fileURLToPath(new URL(".", import.meta.url)),
      },
      outfile: join(folder, `${name}.mjs`),
      bundle: true,
      platform: "node",
      format: "esm",
      target: "node20",
      alias: { "@ai/tensor": fileURLToPath(new URL("../../../../tensor/src/index.ts", import.meta.url)) },
      external: ["webgpu", "@tensorflow/tfjs-node", "@tensorflow/tfjs-node-gpu"],
      banner: {
        js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
      },
      logLevel: "error",
    });
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const start = (name: string) => (): Worker => new Worker(pathToFileURL(join(folder, `${name}.mjs`)));

describeWorkerDatasets({ numbers: start("numbers"), nothing: start("nothing"), broken: start("broken") });

it("serves from workers only", async () => {
  await expect(serveDataset(() => ({ length: 0, get: () => 0 }))).rejects.toThrow(
    /expected to run in a worker/,
  );
});
