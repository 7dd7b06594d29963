import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, it } from "vitest";
import { describeWorkerTraining } from "../../testing/worker-training-cases.js";
import { serveTraining } from "../index.js";

let folder: string;

/** One bundle a worker: Node does not run TypeScript. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "worker-training-"));
  await build({
    entryPoints: [fileURLToPath(new URL("../../testing/serve-training.worker.ts", import.meta.url))],
    outfile: join(folder, "tiny.mjs"),
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

describeWorkerTraining({
  tiny: () => new Worker(pathToFileURL(join(folder, "tiny.mjs"))),
  broken: () => new Worker("process.exit(3)", { eval: true }),
  device: "cpu",
  folder: (name) => join(folder, name),
});

it("serves from workers only", async () => {
  await expect(serveTraining(() => ({}) as never)).rejects.toThrow(/expected to run in a worker/);
  await expect(serveTraining(3 as never)).rejects.toThrow(/expected a function that makes the training/);
});
