import type { LoadableModel } from "@ai/layers/tasks";
import type { Tensor } from "@ai/tensor";

/** What a reader of text declares of itself. */
export interface TextRecognitionModelParts {
  /** The symbol that stands for "nothing here" (CTC). */
  readonly blank: number;
  /** Path of the module whose output Grad-CAM weighs; undefined for a model without convolutional features. */
  readonly gradCamLayer: string | undefined;
}

/** A model that reads a line of text, trained with CTC. */
export interface TextRecognitionModel extends LoadableModel {
  readonly parts: TextRecognitionModelParts;
  /** Symbols, the blank among them. */
  readonly numClasses: number;
  /**
   * @param images `[batch, height, width, channels]`, preprocessed as the weights want it.
   * @returns scores of the symbols before the softmax `[batch, positions, numClasses]`, left to right
   */
  call(images: Tensor): Tensor;
}
