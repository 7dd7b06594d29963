import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describeTaskInWorker } from "@ai/layers/testing";
import { expect, it } from "vitest";
import { bundleWorker } from "../../../../tooling/bundle-worker.mjs";
import { noisyPicture, recognizerCase } from "../testing/recognizer-case.js";
import { loadImageRecognizer } from "./image-recognition.js";

const makeWorker = await bundleWorker(new URL("./tasks.worker.ts", import.meta.url));
const given = await recognizerCase();

describeTaskInWorker("loadImageRecognizer", given, makeWorker);

it("is taught and calibrated in a worker, and saves its gallery there", async () => {
  const folder = await mkdtemp(join(tmpdir(), "recognizer-"));
  const path = join(folder, "gallery.safetensors");
  const recognize = await given.load({ device: "cpu", worker: makeWorker });
  await recognize.add({ label: "new", pictures: [noisyPicture(5, 1), noisyPicture(5, 2)] });
  await recognize.calibrate({ method: "prototype" });
  await recognize.save(path);
  const answer = await recognize(noisyPicture(5, 3));
  expect(answer.label).toBe("new");
  await recognize.dispose();
  const again = await given.load({ device: "cpu", gallery: path });
  expect(await again(noisyPicture(5, 3))).toEqual(answer);
  await again.dispose();
  await rm(folder, { recursive: true });
});

const DATA =
  process.env.AI_SHARED_DATA ?? fileURLToPath(new URL("../../../../../shared/data", import.meta.url));
const FOLDER = join(DATA, "vision");
const absent = existsSync(FOLDER) ? "" : ` (skipped: ${FOLDER} is absent)`;

it.skipIf(absent !== "")(
  `ResNet-20's vectors and five examples of each class recognise CIFAR-10's pictures far better than chance${absent}`,
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "cifar10-"));
    try {
      execFileSync("tar", ["-xf", join(FOLDER, "cifar10-jpeg.tar"), "-C", folder]);
      const root = (await readdir(folder, { recursive: true })).find((path) =>
        /(?:^|[\\/])test$/.test(path),
      )!;
      const recognize = await loadImageRecognizer(join(FOLDER, "resnet20-cifar10.th"), {
        device: "wasm",
        config: { model_type: "cifar_resnet", depth: 3, num_labels: 10 },
      });
      const asked: string[] = [];
      const truth: string[] = [];
      for (const label of (await readdir(join(folder, root))).sort()) {
        const paths = (await readdir(join(folder, root, label)))
          .sort()
          .map((file) => join(folder, root, label, file));
        await recognize.add({ label, pictures: paths.slice(0, 5) });
        asked.push(...paths.slice(5, 35));
        truth.push(...paths.slice(5, 35).map(() => label));
      }
      const shareOf = async (method: "nearest" | "prototype"): Promise<number> => {
        const answers = await recognize(asked, { method, batchSize: 50 });
        return answers.filter(({ label }, index) => label === truth[index]).length / asked.length;
      };
      // the model knows 79 of 100 with a classifier that learnt from 50,000
      expect(await shareOf("nearest")).toBeGreaterThan(0.65);
      expect(await shareOf("prototype")).toBeGreaterThan(0.65);
      await recognize.dispose();
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
);
