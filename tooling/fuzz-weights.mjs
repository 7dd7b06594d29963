/**
 * Reads mutated files of weights with every reader of @ai/tensor, many more than the tests do.
 *
 * Run: `node tooling/fuzz-weights.mjs [FILES] [FIRST_SEED] [READER…]`; FILES is 1,000,000 for each reader by default.
 * It stops at the first file that gives another error than WeightsError, hangs, takes too much memory or changes a
 * prototype, and names its seed: `AI_FUZZ_SEED=SEED AI_FUZZ_FILES=1` runs the test on that file alone.
 */
import { rm } from "node:fs/promises";
import { bundleModule } from "./bundle-worker.mjs";

const PACKAGE = new URL("../packages/tensor/", import.meta.url);
const [files = "1000000", firstSeed = "0", ...readers] = process.argv.slice(2);
const bundle = await bundleModule(new URL("src/testing/fuzz-weights.ts", PACKAGE));
try {
  const { fuzz, fuzzTargets } = await import(bundle.href);
  const targets = await fuzzTargets(new URL("fixtures/weights/", PACKAGE));
  for (const [name, target] of Object.entries(targets)) {
    if (readers.length > 0 && !readers.includes(name)) continue;
    const start = performance.now();
    const refused = await fuzz(target, { files: Number(files), firstSeed: Number(firstSeed) });
    const seconds = (performance.now() - start) / 1000;
    console.log(
      `${name}: ${files} files in ${seconds.toFixed(1)} s, ${refused} refused, ${files - refused} read whole`,
    );
  }
} finally {
  await rm(bundle);
}
