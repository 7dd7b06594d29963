import { pretrainedFolder } from "@ai/layers/tasks";
import type { TaskCase } from "@ai/layers/testing";
import { useDevice, writeModelFolder } from "@ai/tensor";
import { TEST_DEVICES } from "@ai/tensor/testing";
import { writePointDetectorConfig } from "../models/point-detector/point-detector.config.js";
import { PointDetector } from "../models/point-detector/point-detector.js";
import { loadObjectDetector, type ObjectDetection } from "../tasks/object-detection.js";
import { wavePicture } from "./classifier-case.js";

const SIZES = {
  backbone: { block: "basic", embeddingSize: 4, hiddenSizes: [4, 8, 8], depths: [1, 1, 1] },
  headChannels: 8,
  headDepth: 1,
} as const;

/** A small detector, which nobody trained, as the files of its folder. */
export async function detectorFiles(): Promise<Map<string, Uint8Array>> {
  await useDevice("cpu");
  const labels = ["red", "blue"];
  const model = new PointDetector({ ...SIZES, numClasses: labels.length }).initialize({ seed: 5 });
  const folder = await pretrainedFolder({
    model,
    config: writePointDetectorConfig(SIZES, labels),
    labels,
    files: {
      "preprocessor_config.json": {
        image_processor_type: "ViTImageProcessor",
        size: { height: 24, width: 32 },
        resample: 2,
        image_mean: [0.5, 0.5, 0.5],
        image_std: [0.25, 0.25, 0.25],
      },
    },
  });
  model.dispose();
  return writeModelFolder(folder);
}

/** What the conformance suite needs of the object detector. */
export async function detectorCase(): Promise<TaskCase<ObjectDetection>> {
  const files = await detectorFiles();
  return {
    // the contract runs on a software GPU with the classifier, which is smaller
    devices: TEST_DEVICES.filter((name) => name !== "webgpu"),
    load: (options) => loadObjectDetector(files, options),
    inputs: [wavePicture(0), wavePicture(1, 33, 9), wavePicture(2)],
    // classes are improbable before training
    options: { threshold: 0.01, maxDetections: 5 },
    explain: { target: 0, badTarget: { label: "green", box: [0, 0, 1, 1] } },
    badInputs: { "a number": 5, "a truncated file": Uint8Array.from([0xff, 0xd8, 0xff, 0xe0, 0]) },
    badOptions: [
      { threshold: 2 },
      { maxDetections: 0 },
      { suppression: "weak" },
      { classes: ["green"] },
      { sigma: 0.5 },
      { suppression: "none", iouThreshold: 0.5 },
    ],
  };
}
