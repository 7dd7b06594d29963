import { rm } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { bundleModule } from "../../../../tooling/bundle-worker.mjs";
import { mutate, randomNumbers } from "../testing/mutations.js";

/** Mutated files for each reader; `node tooling/fuzz-weights.mjs` takes many more. */
const FILES = Number(process.env.AI_FUZZ_FILES ?? 1000);
/** Where to begin: another number gives other files. */
const FIRST_SEED = Number(process.env.AI_FUZZ_SEED ?? 0);

const bundle = await bundleModule(new URL("../testing/fuzz-weights.ts", import.meta.url));
const { fuzz, fuzzTargets } = (await import(bundle.href)) as typeof import("../testing/fuzz-weights.js");
await rm(bundle);
const targets = await fuzzTargets(new URL("../../fixtures/weights/", import.meta.url));

describe("damaged and hostile files", () => {
  it.each(Object.entries(targets))(
    `of %s, ${FILES} of them, are read or refused: no other error, no hang, no memory, no prototype`,
    async (_, target) => {
      const refused = await fuzz(target, { files: FILES, firstSeed: FIRST_SEED });
      // mutations that only hit values are read, most others are refused
      expect(refused).toBeGreaterThan(FILES / 5);
      expect(refused).toBeLessThan(FILES);
    },
    Math.max(300_000, FILES * 20),
  );

  it("come again from their seed, and differ from each other", () => {
    const original = Uint8Array.from({ length: 300 }, (_, index) => index);
    const files = new Set(Array.from({ length: 100 }, (_, seed) => mutate(original, seed).join()));
    expect(files.size).toBeGreaterThan(80);
    expect(mutate(original, 7)).toEqual(mutate(original, 7));
    const random = randomNumbers(3);
    expect(Array.from({ length: 100 }, () => random(10)).every((value) => value >= 0 && value < 10)).toBe(
      true,
    );
  });
});
