import { dispose, read, tidy } from "@ai/tensor";
import type { DetectionModel } from "../models/detection-model.js";
import { type BoxCandidate, boxArea } from "../postprocess/boxes.js";
import { type SelectBoxesOptions, selectBoxes } from "../postprocess/select-boxes.js";
import type { ImagePreprocessor } from "../preprocess/image-preprocessor.js";
import type { Picture } from "../preprocess/picture.js";
import { boxToOriginal, type PictureTransform } from "../preprocess/picture-transform.js";
import { readerOf } from "./detection-readers.js";
import { assertFinite } from "./finite-output.js";

/** A detector and how pictures are made ready for it. */
export interface Detector {
  readonly model: DetectionModel;
  /** Its name in the registry. */
  readonly architecture: string;
  readonly preprocess: ImagePreprocessor;
}

/** Candidates of one picture in pixels of what the model saw, and where that lies in the original. */
export interface PictureCandidates {
  readonly candidates: readonly BoxCandidate[];
  readonly transform: PictureTransform;
}

/** Height and width of a picture as the model sees it, without padding. */
export function seenSize({
  width,
  height,
  scaleX,
  scaleY,
}: PictureTransform): [height: number, width: number] {
  return [Math.round(height * scaleY), Math.round(width * scaleX)];
}

/** All that a model sees with at least a score in pictures of one size. */
export async function findCandidates(
  { model, architecture, preprocess }: Detector,
  pictures: readonly Picture[],
  { scoreThreshold, operation }: { readonly scoreThreshold: number; readonly operation: string },
): Promise<PictureCandidates[]> {
  const reader = readerOf(model);
  const { transforms, tensors, inputSize } = tidy(() => {
    const { pixelValues, pixelMask, transforms } = preprocess(pictures);
    const [, height, width]: readonly number[] = pixelValues.shape;
    const options =
      model.parts.takesSizes && pixelMask !== undefined ? { sizes: transforms.map(seenSize) } : {};
    const output = model.parts.takesSizes ? model.call(pixelValues, options) : model.call(pixelValues);
    return { transforms, tensors: reader.tensors(output), inputSize: [height, width] as const };
  });
  try {
    const values = (await Promise.all(tensors.map((tensor) => read(tensor)))) as Float32Array[];
    for (const part of values) assertFinite(operation, part, { what: "scores and boxes", architecture });
    const strides = model.parts.stages.map(({ stride }) => stride);
    const shapes = tensors.map(({ shape }) => shape.slice(1));
    return transforms.map((transform, index) => {
      const own = values.map((all) => {
        const length = all.length / pictures.length;
        return all.subarray(index * length, (index + 1) * length);
      });
      const size = model.parts.takesSizes ? seenSize(transform) : inputSize;
      const context = { size, inputSize, shapes, strides, scoreThreshold };
      return { candidates: reader.candidates(own, context), transform };
    });
  } finally {
    dispose(tensors);
  }
}

/** Pictures that the model may see at once: their size is one in the end without any padding, which changes the numbers. */
function* batchesOf(
  pictures: readonly Picture[],
  { resize, centerCrop }: ImagePreprocessor["steps"],
): Generator<number[]> {
  const groups = new Map<string, number[]>();
  const isOneSize = centerCrop !== undefined || (resize !== undefined && "height" in resize);
  pictures.forEach(({ width, height }, index) => {
    const key = isOneSize ? "" : `${width} × ${height}`;
    groups.set(key, [...(groups.get(key) ?? []), index]);
  });
  yield* groups.values();
}

/** Candidates as detections: boxes in pixels of the original picture, cut off at its edges. */
export function selectDetections(
  { candidates, transform }: PictureCandidates,
  options: SelectBoxesOptions,
): BoxCandidate[] {
  return selectBoxes(candidates, options)
    .map((found) => ({ ...found, box: boxToOriginal(found.box, transform) }))
    .filter(({ box }) => boxArea(box) > 0);
}

/** The objects in each picture, best first, boxes in its pixels. @throws the reason of `signal` once aborted. */
export async function findBoxes(
  detector: Detector,
  pictures: readonly Picture[],
  {
    operation,
    signal,
    ...options
  }: SelectBoxesOptions & { readonly operation: string; readonly signal?: AbortSignal },
): Promise<BoxCandidate[][]> {
  const results = new Array<BoxCandidate[]>(pictures.length);
  for (const batch of batchesOf(pictures, detector.preprocess.steps)) {
    signal?.throwIfAborted();
    const chosen = batch.map((index) => pictures[index]);
    const found = await findCandidates(detector, chosen, { scoreThreshold: options.threshold, operation });
    found.forEach((picture, place) => {
      results[batch[place]] = selectDetections(picture, options);
    });
  }
  return results;
}
