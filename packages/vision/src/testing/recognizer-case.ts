import type { TaskCase } from "@ai/layers/testing";
import { RandomGenerator } from "@ai/tensor";
import type { Picture } from "../preprocess/picture.js";
import { type InstanceRecognition, loadImageRecognizer } from "../tasks/image-recognition.js";
import { classifierFiles, wavePicture } from "./classifier-case.js";

/** One of several pictures of the same thing: two waves under noise. */
export function noisyPicture(thing: number, seed: number): Picture {
  const { data, ...size } = wavePicture(thing);
  const generator = new RandomGenerator(seed);
  return {
    ...size,
    data: Uint8Array.from(data, (value) => Math.min(255, value + generator.integer(0, 12))),
  };
}

/** The bytes of a gallery of three things with three pictures each. */
export async function galleryBytes(files: Map<string, Uint8Array>): Promise<Uint8Array> {
  const recognize = await loadImageRecognizer(files, { device: "cpu" });
  for (const [thing, label] of ["cup", "pen", "key"].entries())
    await recognize.add({ label, pictures: [1, 2, 3].map((seed) => noisyPicture(thing, seed)) });
  await recognize.calibrate();
  const bytes = await recognize.toBytes();
  await recognize.dispose();
  return bytes;
}

/** What the conformance suite needs of the image recognizer. */
export async function recognizerCase(): Promise<TaskCase<InstanceRecognition>> {
  const files = await classifierFiles();
  const gallery = await galleryBytes(files);
  return {
    load: (options) => loadImageRecognizer(files, { gallery, ...options }),
    inputs: [noisyPicture(0, 7), noisyPicture(1, 8), noisyPicture(2, 9), wavePicture(7, 33, 9)],
    badInputs: {
      "a number": 5,
      "pixels of another size": { data: new Uint8Array(5), width: 2, height: 2, channels: 3 },
    },
    explain: { target: "cup", badTarget: "spoon" },
    badOptions: [{ topK: 0 }, { threshold: 2 }, { method: "far" }, { neighbors: 0 }],
  };
}
