import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { useDevice } from "@ai/tensor";
import { expect, it } from "vitest";
import { readText } from "./text.js";
import { DEFAULT_RUN, trainLanguageModel } from "./train.js";

const sharedData =
  process.env.AI_SHARED_DATA ?? fileURLToPath(new URL("../../../../shared/data", import.meta.url));
const path = join(sharedData, "text/tinyshakespeare.txt");

/** Nats a character of whoever knows how often each character occurs in `train`, and nothing else. */
function unigramLoss(train: Int32Array, validation: Int32Array, vocabSize: number): number {
  const counts = new Float64Array(vocabSize).fill(1);
  for (const id of train) counts[id]++;
  const total = train.length + vocabSize;
  return validation.reduce((sum, id) => sum - Math.log(counts[id] / total), 0) / validation.length;
}

it.skipIf(!existsSync(path))("learns what follows what in Shakespeare in a few steps", async () => {
  await useDevice("wasm");
  const folder = await mkdtemp(join(tmpdir(), "tiny-shakespeare-"));
  try {
    const text = await readText(path, 20_000);
    const steps = 80;
    const { validationLoss } = await trainLanguageModel(
      {
        ...DEFAULT_RUN,
        dim: 32,
        numLayers: 1,
        numHeads: 2,
        contextLength: 32,
        batchSize: 8,
        steps,
        warmUpSteps: 10,
        learningRate: 1e-2,
        stepsPerEpoch: steps,
      },
      text,
      { folder },
    );
    const guess = unigramLoss(text.train, text.validation, text.vocabulary.length);
    console.log(guess, validationLoss);
    expect(validationLoss).toBeLessThan(guess - 0.5);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
