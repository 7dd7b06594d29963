// Runs the test suite that @tensorflow/tfjs-core publishes on the wasm engine, with tfjs's own gradients:
//   node packages/tensor/conformance/run.mjs [one-thread | threads | relaxed | unshared]
// Without a name: as users have it, a thread a core. Prints one line of JSON: { engine, specs, failed, skipped, seconds,
// tensorBytes, failures }.
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const ENGINES = {
  cores: { threads: Math.min(8, availableParallelism()) },
  "one-thread": { threads: 1 },
  threads: { threads: 3, cutEveryJob: true },
  relaxed: { relaxedSimd: true, threads: 3, cutEveryJob: true },
  unshared: { shared: false, threads: 1 },
};
const name = process.argv[2] ?? "cores";
if (!(name in ENGINES)) {
  console.error(`expected one of ${Object.keys(ENGINES).join(", ")}, got ${name}`);
  process.exit(2);
}
process.env.CONFORMANCE_ENGINE = JSON.stringify({
  shared: true,
  relaxedSimd: false,
  cutEveryJob: false,
  ...ENGINES[name],
});

const Jasmine = createRequire(import.meta.url)("jasmine");
const folder = await mkdtemp(join(tmpdir(), "conformance-"));
const bundle = join(folder, "suite.mjs");
await build({
  entryPoints: [fileURLToPath(new URL("entry.ts", import.meta.url))],
  outfile: bundle,
  bundle: true,
  // tfjs marks its registrations and test files as free of side effects
  ignoreAnnotations: true,
  platform: "node",
  format: "esm",
  mainFields: ["module", "main"],
  logLevel: "error",
  banner: {
    js: 'import { createRequire } from "node:module"; import { fileURLToPath } from "node:url"; import { dirname } from "node:path"; const require = createRequire(import.meta.url), __filename = fileURLToPath(import.meta.url), __dirname = dirname(__filename);',
  },
});

const runner = new Jasmine();
runner.exitOnCompletion = false;
runner.clearReporters();
const failures = [];
let specs = 0;
let skipped = 0;
runner.addReporter({
  specDone({ status, fullName, failedExpectations }) {
    specs++;
    if (status === "failed") failures.push(`${fullName}: ${failedExpectations[0]?.message?.slice(0, 300)}`);
    if (status === "pending" || status === "excluded") skipped++;
  },
});
runner.env.configure({ random: false });
jasmine.DEFAULT_TIMEOUT_INTERVAL = 60_000;

const start = performance.now();
const suite = await import(pathToFileURL(bundle).href);
await runner.execute();
await rm(folder, { recursive: true });
const seconds = Math.round((performance.now() - start) / 100) / 10;
console.log(
  JSON.stringify({
    engine: suite.engine,
    specs,
    failed: failures.length,
    skipped,
    seconds,
    tensorBytes: suite.tensorBytes(),
    failures,
  }),
);
process.exit(0);
