import type { AnyModule } from "@ai/layers";
import type { WorkContext } from "@ai/layers/tasks";
import { dispose, InputError, read, type Tensor, tidy } from "@ai/tensor";
import type { ImageModel } from "../models/image-model.js";
import type { ImagePreprocessor } from "../preprocess/image-preprocessor.js";
import type { Picture } from "../preprocess/picture.js";
import { assertFinite } from "./finite-output.js";
import {
  type AttentionFlow,
  type ExplainImageOptions,
  type ImageExplanationMethod,
  pictureRelevance,
} from "./picture-relevance.js";

/**
 * Which parts of a picture speak for a class: what moves the model's number for it, before softmax, after which other
 * classes would count too.
 */
export interface ImageExplanation {
  readonly method: ImageExplanationMethod;
  readonly label: string;
  readonly index: number;
  /** What the classifier answers for the class where nothing is asked otherwise, in [0, 1]. */
  readonly score: number;
  /** Size of the original picture. */
  readonly width: number;
  readonly height: number;
  /** `height · width` numbers, row by row: the largest magnitude is 1, negative ones speak against; 0 where the model did not look. */
  readonly relevance: Float32Array;
}

/** What {@link explainImage} works with. */
export interface ExplainedClassifier {
  readonly model: ImageModel;
  readonly preprocess: ImagePreprocessor;
  readonly labels: readonly string[];
  readonly architecture: string;
  /** Makes scores of the model's numbers, `[batch, classes]`. */
  readonly activate: (raw: Tensor) => Tensor;
}

/** The place of a class among the labels. @throws InputError for one that there is not. */
export function classIndex(operation: string, target: string | number, labels: readonly string[]): number {
  const index = typeof target === "string" ? labels.indexOf(target) : target;
  if (Number.isInteger(index) && index >= 0 && index < labels.length) return index;
  const some = labels.slice(0, 10).join(", ");
  throw new InputError(
    `${operation}: expected a target of ${some}${labels.length > 10 ? " …" : ""} or its place from 0 to ${labels.length - 1}, got ${JSON.stringify(target)}`,
  );
}

/** How attention flows in a classifier whose first tokens are read, one by each classifier. */
export function attentionOf(
  { parts }: ImageModel,
  [, height, width]: readonly number[],
): AttentionFlow | undefined {
  const { attentionLayers, prefixTokens, classifiers, patchSize } = parts;
  if (attentionLayers.length === 0 || patchSize === undefined) return undefined;
  return {
    layers: attentionLayers,
    readers: [],
    places: classifiers.map((_, token) => token),
    prefixTokens,
    grid: [height / patchSize, width / patchSize],
  };
}

/** Explains why a class gets the score that it gets. @throws InputError for a method or option that the model has not. */
export async function explainImage(
  { model, architecture, preprocess, labels, activate }: ExplainedClassifier,
  { picture, index }: { readonly picture: Picture; readonly index: number },
  options: Required<ExplainImageOptions>,
  context: WorkContext,
): Promise<ImageExplanation> {
  const images = preprocess([picture]);
  const x = images.pixelValues;
  try {
    const output = tidy(() => activate(model.call(x))); // [1, classes]
    const scores = (await read(output).finally(() => output.dispose())) as Float32Array;
    assertFinite(context.operation, scores, { what: "scores", architecture });
    context.signal.throwIfAborted();
    const { method, relevance } = await pictureRelevance(
      {
        model: model as unknown as AnyModule,
        x,
        transform: images.transforms[0],
        target: index,
        gradCamLayer: model.parts.gradCamLayer,
        attention: attentionOf(model, x.shape),
      },
      options,
      context,
    );
    const { width, height } = picture;
    return { method, label: labels[index], index, score: scores[index], width, height, relevance };
  } finally {
    dispose([x, ...(images.pixelMask === undefined ? [] : [images.pixelMask])]);
  }
}
