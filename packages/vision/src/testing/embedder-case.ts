import type { TaskCase } from "@ai/layers/testing";
import { type ImageEmbedding, loadImageEmbedder } from "../tasks/image-embedding.js";
import { classifierFiles, wavePicture } from "./classifier-case.js";

/** What the conformance suite needs of the image embedder. */
export async function embedderCase(): Promise<TaskCase<ImageEmbedding>> {
  const files = await classifierFiles();
  return {
    load: (options) => loadImageEmbedder(files, options),
    inputs: [wavePicture(0), wavePicture(1, 33, 9), wavePicture(2), wavePicture(3)],
    badInputs: {
      "a number": 5,
      "pixels of another size": { data: new Uint8Array(5), width: 2, height: 2, channels: 3 },
    },
    badOptions: [{ normalize: 1 }],
  };
}
