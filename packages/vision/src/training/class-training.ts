import { Accuracy, crossEntropyLoss } from "@ai/layers/training";
import { type Tensor, tensor } from "@ai/tensor";
import type { ImagePreprocessor } from "../preprocess/image-preprocessor.js";
import type { ClassSample } from "./picture-set.js";

/** A batch that a classifier learns from. */
export interface ImageBatch {
  /** `[batch, height, width, channels]` */
  readonly images: Tensor;
  /** `[batch]` int32 */
  readonly labels: Tensor;
}

/** How a classifier learns: its batches, its loss, and what is measured. */
export interface ClassTraining {
  readonly collate: (samples: readonly ClassSample[]) => ImageBatch;
  readonly computeLoss: (
    batch: ImageBatch,
    classifier: { call(images: Tensor): Tensor },
  ) => { loss: Tensor; output: Tensor; target: Tensor };
  readonly metrics: { readonly accuracy: Accuracy };
}

/** @returns cross-entropy and accuracy over preprocessed pictures. */
export function classTraining(preprocess: ImagePreprocessor, labelSmoothing: number): ClassTraining {
  return {
    collate: (samples) => ({
      images: preprocess(samples.map(({ picture }) => picture)).pixelValues,
      labels: tensor(Int32Array.from(samples.map(({ label }) => label)), [samples.length], "int32"),
    }),
    computeLoss: ({ images, labels }, classifier) => {
      const output = classifier.call(images); // [batch, classes]
      return { loss: crossEntropyLoss(output, labels, { labelSmoothing }), output, target: labels };
    },
    metrics: { accuracy: new Accuracy() },
  };
}
