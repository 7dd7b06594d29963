import type { AnyModule } from "@ai/layers";
import type { WorkContext } from "@ai/layers/tasks";
import { dispose, InputError, stridedSlice, tidy } from "@ai/tensor";
import { type BoxCandidate, boxIou } from "../postprocess/boxes.js";
import type { SelectBoxesOptions } from "../postprocess/select-boxes.js";
import type { Picture } from "../preprocess/picture.js";
import { type Box, boxToOriginal } from "../preprocess/picture-transform.js";
import { readerOf } from "./detection-readers.js";
import { type Detector, findCandidates, seenSize, selectDetections } from "./find-boxes.js";
import {
  type ExplainImageOptions,
  type ImageExplanationMethod,
  pictureRelevance,
} from "./picture-relevance.js";

/** The object that an explanation is asked about: an answer of the detector, or the place of one among the best. */
export type DetectionTarget = number | { readonly label: string; readonly box: Box };

/** Which parts of a picture speak for an object. */
export interface DetectionExplanation {
  readonly method: ImageExplanationMethod;
  readonly label: string;
  readonly index: number;
  /** The object's score. */
  readonly score: number;
  /** Edges in pixels of the original picture. */
  readonly box: Box;
  /** Size of the original picture. */
  readonly width: number;
  readonly height: number;
  /** `height · width` numbers, row by row: the largest magnitude is 1, negative ones speak against; 0 where the model did not look. */
  readonly relevance: Float32Array;
}

/** What {@link explainDetection} works with. */
export interface ExplainedDetector extends Detector {
  readonly labels: readonly string[];
  /** How answers are chosen where a target is a place among them. */
  readonly usual: SelectBoxesOptions;
}

/** Boxes below are no answer of any detector. */
const LOWEST_SCORE = 0.001;

/** How much of a box that was answered and one that is seen again have to share. */
const SAME_BOX_IOU = 0.5;

/** @throws InputError unless it says which object is meant. */
function assertTarget(operation: string, target: unknown, labels: readonly string[]): void {
  if (Number.isInteger(target) && (target as number) >= 0) return;
  const { label, box } = (typeof target === "object" && target !== null ? target : {}) as {
    label?: unknown;
    box?: unknown;
  };
  if (
    labels.includes(label as string) &&
    Array.isArray(box) &&
    box.length === 4 &&
    box.every(Number.isFinite)
  )
    return;
  throw new InputError(
    `${operation}: expected a target that the detector answered, { label, box }, or its place from 0, got ${JSON.stringify(target)}`,
  );
}

/** The object that is meant, as it is seen in the picture, its box in pixels of the original. */
async function objectOf(
  { labels, usual, ...detector }: ExplainedDetector,
  { picture, target }: { readonly picture: Picture; readonly target: DetectionTarget },
  operation: string,
): Promise<BoxCandidate> {
  assertTarget(operation, target, labels);
  const [found] = await findCandidates(detector, [picture], { scoreThreshold: LOWEST_SCORE, operation });
  if (typeof target === "number") {
    const all = selectDetections(found, { ...usual, threshold: LOWEST_SCORE });
    if (target < all.length) return all[target];
    throw new InputError(
      `${operation}: expected a target below the ${all.length} objects that are seen, got ${target}`,
    );
  }
  const candidates = found.candidates
    .filter(({ label }) => labels[label] === target.label)
    .map((each) => ({ ...each, box: boxToOriginal(each.box, found.transform) }))
    .map((each) => ({ each, iou: boxIou(each.box, target.box) }))
    .sort((a, b) => b.iou - a.iou || b.each.score - a.each.score);
  const [best] = candidates;
  if (best !== undefined && best.iou >= SAME_BOX_IOU) return best.each;
  throw new InputError(
    `${operation}: expected a target that the detector answered for this picture, got ${target.label} at [${target.box.map(Math.round).join(", ")}], where it sees none`,
  );
}

/** Explains why there is an object. @throws InputError for a target, method or option that the model has not. */
export async function explainDetection(
  detector: ExplainedDetector,
  asked: { readonly picture: Picture; readonly target: DetectionTarget },
  options: Required<ExplainImageOptions>,
  context: WorkContext,
): Promise<DetectionExplanation> {
  const { model, preprocess, labels } = detector;
  const object = await objectOf(detector, asked, context.operation);
  const { picture } = asked;
  context.signal.throwIfAborted();
  const reader = readerOf(model);
  const { parts } = model;
  const { x, transform } = tidy(() => {
    const { pixelValues, transforms } = preprocess([picture]);
    // without padding there are no sizes to tell the model
    const end = [1, ...seenSize(transforms[0]), pixelValues.shape[3] ?? 3];
    return {
      x: parts.takesSizes ? stridedSlice(pixelValues, { end }) : pixelValues,
      transform: transforms[0],
    };
  });
  try {
    const [, height, width] = x.shape;
    const stride = parts.stages[parts.stages.length - 1].stride;
    const { method, score, relevance } = await pictureRelevance(
      {
        model: model as unknown as AnyModule,
        x,
        transform,
        target: (output) => reader.score(output as ReturnType<typeof model.call>, object),
        gradCamLayer: parts.gradCamLayer,
        attention: parts.attentionLayers && {
          layers: parts.attentionLayers.encoder,
          readers: parts.attentionLayers.decoder,
          places: [object.source],
          prefixTokens: 0,
          grid: [Math.ceil(height / stride), Math.ceil(width / stride)],
        },
      },
      options,
      context,
    );
    const { label: index, box } = object;
    const { width: across, height: down } = picture;
    return { method, label: labels[index], index, score, box, width: across, height: down, relevance };
  } finally {
    dispose(x);
  }
}
