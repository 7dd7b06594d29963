import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describeTaskInWorker } from "@ai/layers/testing";
import { expect, it } from "vitest";
import { bundleWorker } from "../../../../tooling/bundle-worker.mjs";
import { yoloDataset } from "../datasets/yolo-dataset.js";
import { cocoMetrics } from "../metrics/coco-metrics.js";
import { COCO_LABELS } from "../postprocess/coco-labels.js";
import { detectorCase } from "../testing/detector-case.js";
import { loadObjectDetector } from "./object-detection.js";

const makeWorker = await bundleWorker(new URL("./tasks.worker.ts", import.meta.url));

describeTaskInWorker("loadObjectDetector", await detectorCase(), makeWorker);

const DATA =
  process.env.AI_SHARED_DATA ?? fileURLToPath(new URL("../../../../../shared/data", import.meta.url));
const FOLDER = join(DATA, "vision");
const absent = existsSync(FOLDER) ? "" : ` (skipped: ${FOLDER} is absent)`;

it.skipIf(absent !== "")(
  `FastestDet has the AP50 over COCO128 that its ONNX file has${absent}`,
  { timeout: 300_000 },
  async () => {
    const detect = await loadObjectDetector(join(FOLDER, "fastestdet-coco.pth"), {
      device: "wasm",
      config: { model_type: "fastest_det" },
      labels: COCO_LABELS,
    });
    const data = await yoloDataset(join(FOLDER, "coco128.tar"), {
      images: "images/train2017",
      labels: "object_detection/labels/train2017",
    });
    const pictures = await Promise.all(Array.from({ length: data.length }, (_, index) => data.get(index)));
    const answers = await detect(
      pictures.map(({ picture }) => picture),
      { threshold: 0.01, maxDetections: 1000, batchSize: 16 },
    );
    const metrics = cocoMetrics(
      pictures.map(({ boxes = [] }, index) => ({
        objects: boxes,
        detections: answers[index].map(({ box, index: label, score }) => ({ box, label, score })),
      })),
    );
    // tooling/fixtures/vision/fastestdet_coco128.py
    expect(Math.abs(metrics.averagePrecision50 - 0.3184567483514994)).toBeLessThan(0.002);
    await detect.dispose();
  },
);
