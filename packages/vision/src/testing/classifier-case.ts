import { pretrainedFolder } from "@ai/layers/tasks";
import type { TaskCase } from "@ai/layers/testing";
import { useDevice, writeModelFolder } from "@ai/tensor";
import { CifarResNet } from "../models/cifar-resnet/cifar-resnet.js";
import type { Picture } from "../preprocess/picture.js";
import { type ImageClassification, loadImageClassifier } from "../tasks/image-classification.js";

/** A picture of two waves. */
export function wavePicture(seed: number, width = 20, height = 14): Picture {
  const data = Uint8Array.from(
    { length: width * height * 3 },
    (_, index) => 127 + 120 * Math.sin(seed * 5 + index * 0.07 * (seed + 1)),
  );
  return { data, width, height, channels: 3 };
}

/** A small classifier as the files of its folder. */
export async function classifierFiles(): Promise<Map<string, Uint8Array>> {
  await useDevice("cpu");
  const model = new CifarResNet({ depth: 1, width: 4, numClasses: 3 }).initialize({ seed: 3 });
  const folder = await pretrainedFolder({
    model,
    config: { model_type: "cifar_resnet", depth: 1, width: 4 },
    labels: ["cat", "dog", "bird"],
    files: {
      "preprocessor_config.json": {
        image_processor_type: "ViTImageProcessor",
        size: { height: 16, width: 16 },
        resample: 2,
        image_mean: [0.5, 0.5, 0.5],
        image_std: [0.25, 0.25, 0.25],
      },
    },
  });
  model.dispose();
  return writeModelFolder(folder);
}

/** What the conformance suite needs of the image classifier. */
export async function classifierCase(): Promise<TaskCase<ImageClassification>> {
  const files = await classifierFiles();
  const truncated = Uint8Array.from([0xff, 0xd8, 0xff, 0xe0, 0, 16, 0x4a, 0x46, 0x49, 0x46, 0]);
  return {
    load: (options) => loadImageClassifier(files, options),
    inputs: [wavePicture(0), wavePicture(1, 33, 9), wavePicture(2), wavePicture(3)],
    badInputs: {
      "a number": 5,
      null: null,
      "a truncated file": truncated,
      "pixels of another size": { data: new Uint8Array(5), width: 2, height: 2, channels: 3 },
    },
    badOptions: [{ topK: 0 }, { threshold: "high" }, { activation: "relu" }],
    explain: { target: "dog", badTarget: "horse" },
  };
}
