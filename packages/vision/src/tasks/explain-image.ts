import { type AnyModule, type Explanation, gradCam, integratedGradients, occlusion } from "@ai/layers";
import type { WorkContext } from "@ai/layers/tasks";
import { dispose, InputError } from "@ai/tensor";
import type { ImageModel } from "../models/image-model.js";
import type { ImagePreprocessor } from "../preprocess/image-preprocessor.js";
import type { Picture } from "../preprocess/picture.js";
import type { PictureTransform } from "../preprocess/picture-transform.js";

/** How an answer is explained. */
export type ImageExplanationMethod = "grad-cam" | "integrated-gradients" | "occlusion";

/** Options of an explanation. */
export interface ExplainImageOptions {
  /** Default `grad-cam` for models with convolutional features, `integrated-gradients` for others. */
  readonly method?: ImageExplanationMethod | null;
  /** Of `integrated-gradients`: points on the path from black. Default 32. */
  readonly steps?: number | null;
  /** Of `occlusion`: edge of the square that is hidden, in pixels of what the model sees. Default an eighth of it. */
  readonly windowSize?: number | null;
}

/** Which parts of a picture speak for a class. */
export interface ImageExplanation {
  readonly method: ImageExplanationMethod;
  readonly label: string;
  readonly index: number;
  /** The model's number for the class, before softmax. */
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

/** Explains why a class gets the score that it gets. @throws InputError for a method or option that the model has not. */
export async function explainImage(
  { model, preprocess, labels }: ExplainedClassifier,
  { picture, index }: { readonly picture: Picture; readonly index: number },
  { method: asked, steps, windowSize }: Required<ExplainImageOptions>,
  { operation, signal, progress }: WorkContext,
): Promise<ImageExplanation> {
  const layer = model.parts.gradCamLayer;
  const method = asked ?? (layer === undefined ? "integrated-gradients" : "grad-cam");
  if (steps !== null && method !== "integrated-gradients")
    throw new InputError(`${operation}: expected steps with integrated-gradients, got it with ${method}`);
  if (windowSize !== null && method !== "occlusion")
    throw new InputError(`${operation}: expected windowSize with occlusion, got it with ${method}`);
  const images = preprocess([picture]);
  const x = images.pixelValues;
  const common = {
    target: index,
    signal,
    onProgress: ({ done, total }: { readonly done: number; readonly total: number }) => progress(done, total),
  };
  const module = model as unknown as AnyModule;
  try {
    let explanation: Explanation;
    if (method === "grad-cam") {
      if (layer === undefined)
        throw new InputError(
          `${operation}: expected integrated-gradients or occlusion with this model, got grad-cam; it has no convolutional features`,
        );
      explanation = await gradCam(module, x, { ...common, layer });
    } else if (method === "occlusion") {
      const [, height, width] = x.shape;
      const window = windowSize ?? Math.max(1, Math.floor(Math.min(height, width) / 8));
      explanation = await occlusion(module, x, { ...common, window, stride: Math.ceil(window / 2) });
    } else
      explanation = await integratedGradients(module, x, {
        ...common,
        steps: steps ?? 32,
        perPosition: true,
      });
    return {
      method,
      label: labels[index],
      index,
      score: explanation.scores[0],
      width: picture.width,
      height: picture.height,
      relevance: onPicture(explanation, images.transforms[0]),
    };
  } finally {
    dispose([x, ...(images.pixelMask === undefined ? [] : [images.pixelMask])]);
  }
}

/** A map of what the model saw, laid over the original picture and scaled to a largest magnitude of 1. */
function onPicture({ values, shape }: Explanation, transform: PictureTransform): Float32Array {
  const [, rows, columns] = shape;
  const { width, height, scaleX, scaleY, offsetX, offsetY } = transform;
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const factor = largest > 0 ? 1 / largest : 0;
  const column = Array.from({ length: width }, (_, x) => Math.floor((x + 0.5) * scaleX + offsetX));
  const result = new Float32Array(width * height);
  for (let y = 0; y < height; y++) {
    const row = Math.floor((y + 0.5) * scaleY + offsetY);
    if (row < 0 || row >= rows) continue;
    for (let x = 0; x < width; x++)
      if (column[x] >= 0 && column[x] < columns)
        result[y * width + x] = values[row * columns + column[x]] * factor;
  }
  return result;
}
