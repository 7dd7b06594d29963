import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describeTaskInWorker } from "@ai/layers/testing";
import { expect, it } from "vitest";
import { bundleWorker } from "../../../../tooling/bundle-worker.mjs";
import { openDataFiles } from "../datasets/data-files.js";
import { LPRNET_SYMBOLS } from "../models/lprnet/lprnet-symbols.js";
import { readerCase } from "../testing/reader-case.js";
import { loadTextRecognizer } from "./text-recognition.js";

const makeWorker = await bundleWorker(new URL("./tasks.worker.ts", import.meta.url));

describeTaskInWorker("loadTextRecognizer", await readerCase(), makeWorker);

const DATA =
  process.env.AI_SHARED_DATA ?? fileURLToPath(new URL("../../../../../shared/data", import.meta.url));
const FOLDER = join(DATA, "vision");
const absent = existsSync(FOLDER) ? "" : ` (skipped: ${FOLDER} is absent)`;

it.skipIf(absent !== "")(
  `LPRNet reads at least 85 of 100 plates exactly, by beams no fewer${absent}`,
  { timeout: 300_000 },
  async () => {
    const readText = await loadTextRecognizer(join(FOLDER, "lprnet.pth"), {
      device: "wasm",
      config: { model_type: "lprnet" },
      labels: LPRNET_SYMBOLS,
    });
    const files = await openDataFiles(join(FOLDER, "lprnet-plates.tar"));
    const paths = files.paths.filter((path) => path.endsWith(".jpg"));
    const plates = await Promise.all(paths.map((path) => files.read(path)));
    const right: number[] = [];
    for (const beamSize of [1, 10]) {
      const answers = await readText(plates, { beamSize, batchSize: 50 });
      right.push(answers.filter(({ text }, index) => paths[index].endsWith(`/${text}.jpg`)).length);
    }
    expect(paths).toHaveLength(300);
    expect(right[0] / paths.length).toBeGreaterThanOrEqual(0.85);
    expect(right[1]).toBeGreaterThanOrEqual(right[0]);
    await readText.dispose();
  },
);
