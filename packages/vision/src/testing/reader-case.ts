import { pretrainedFolder } from "@ai/layers/tasks";
import type { TaskCase } from "@ai/layers/testing";
import { useDevice, writeModelFolder } from "@ai/tensor";
import { TEST_DEVICES } from "@ai/tensor/testing";
import { LPRNet } from "../models/lprnet/lprnet.js";
import { loadTextRecognizer, type TextRecognition } from "../tasks/text-recognition.js";
import { wavePicture } from "./classifier-case.js";

/** A small reader, which nobody trained, as the files of its folder; its preprocessing is the usual one. */
export async function readerFiles(): Promise<Map<string, Uint8Array>> {
  await useDevice("cpu");
  const labels = [..."ABCDEF-"];
  const model = new LPRNet({ numClasses: labels.length, widthFactor: 0.25 }).initialize({ seed: 4 });
  const folder = await pretrainedFolder({
    model,
    config: { model_type: "lprnet", width_factor: 0.25 },
    labels,
  });
  model.dispose();
  return writeModelFolder(folder);
}

/** What the conformance suite needs of the text recognizer. */
export async function readerCase(): Promise<TaskCase<TextRecognition>> {
  const files = await readerFiles();
  return {
    // the contract runs on every device with the classifier, which is smaller
    devices: TEST_DEVICES.filter((name) => name === "wasm"),
    load: (options) => loadTextRecognizer(files, options),
    inputs: [wavePicture(0, 94, 24), wavePicture(3, 50, 10), wavePicture(1, 94, 24)],
    badInputs: { "a number": 5, "a truncated file": Uint8Array.from([0xff, 0xd8, 0xff, 0xe0, 0]) },
    badOptions: [{ beamSize: 0 }, { beamSize: "wide" }],
    explain: { target: 0, badTarget: 99 },
  };
}
