import { InputError } from "@ai/tensor";
import type { Box } from "../preprocess/picture-transform.js";
import { assertBoxes, boxIou } from "./boxes.js";

/** Options of {@link nonMaximumSuppression}. */
export interface NonMaximumSuppressionOptions {
  /** Boxes that overlap a better one by more than this are dropped (hard) or lose score (linear). Default 0.5. */
  readonly iouThreshold?: number;
  /** Class of each box: only boxes of one class compete. Default: all compete. */
  readonly classes?: readonly number[];
  /** Drop what overlaps, or lower its score by `1 − iou` or by `exp(−iou² / sigma)` (soft). Default `"hard"`. */
  readonly method?: "hard" | "linear" | "gaussian";
  /** How fast the Gaussian falls. Default 0.5. */
  readonly sigma?: number;
  /** Boxes below are dropped, at first or after their score was lowered. Default 0; 0.001 for soft methods. */
  readonly scoreThreshold?: number;
  /** Most boxes to keep. Default all. */
  readonly maxDetections?: number;
}

/** A box that was kept. */
export interface KeptBox {
  /** Position in the list. */
  readonly index: number;
  /** Its score, lowered where the method is soft. */
  readonly score: number;
}

const NAMES = ["iouThreshold", "classes", "method", "sigma", "scoreThreshold", "maxDetections"];

/**
 * Keeps the best of boxes that overlap.
 * @param boxes As many as scores. @param scores One a box.
 * @returns the kept ones, best first; of equal scores the first in the list
 * @throws InputError for boxes, scores or options that do not fit.
 * @see Bodla, Singh, Chellappa, Davis (2017), "Soft-NMS", https://arxiv.org/abs/1704.04503
 * @example
 * const kept = nonMaximumSuppression(boxes, scores, { classes, iouThreshold: 0.45 });
 */
export function nonMaximumSuppression(
  boxes: readonly Box[],
  scores: ArrayLike<number>,
  options: NonMaximumSuppressionOptions = {},
): KeptBox[] {
  const { iouThreshold = 0.5, classes, method = "hard", sigma = 0.5 } = options;
  const { scoreThreshold = method === "hard" ? 0 : 0.001, maxDetections = Number.POSITIVE_INFINITY } =
    options;
  assertOptions(boxes, scores, options);
  const weaken = (score: number, iou: number): number => {
    if (method === "gaussian") return score * Math.exp(-(iou * iou) / sigma);
    if (iou <= iouThreshold) return score;
    return method === "hard" ? Number.NEGATIVE_INFINITY : score * (1 - iou);
  };
  let waiting = Array.from(scores, (score, index) => ({ index, score }))
    .filter(({ score }) => score >= scoreThreshold)
    .sort((a, b) => b.score - a.score);
  const kept: KeptBox[] = [];
  while (waiting.length > 0 && kept.length < maxDetections) {
    const [best, ...others] = waiting;
    kept.push(best);
    waiting = others.flatMap(({ index, score }) => {
      if (classes !== undefined && classes[index] !== classes[best.index]) return [{ index, score }];
      const lowered = weaken(score, boxIou(boxes[index], boxes[best.index]));
      return lowered >= scoreThreshold ? [{ index, score: lowered }] : [];
    });
    if (method !== "hard") waiting.sort((a, b) => b.score - a.score);
  }
  return kept;
}

function assertOptions(
  boxes: readonly Box[],
  scores: ArrayLike<number>,
  options: NonMaximumSuppressionOptions,
): void {
  const fail = (expected: string, got: unknown): never => {
    throw new InputError(`nonMaximumSuppression: expected ${expected}, got ${String(got)}`);
  };
  const unknown = Object.keys(options).find((name) => !NAMES.includes(name));
  if (unknown !== undefined) fail(`options ${NAMES.join(", ")}`, unknown);
  assertBoxes("nonMaximumSuppression", boxes);
  const { iouThreshold = 0.5, classes, method = "hard", sigma = 0.5, maxDetections = 1 } = options;
  if (scores.length !== boxes.length) fail(`a score for each of ${boxes.length} boxes`, scores.length);
  if (classes !== undefined && classes.length !== boxes.length)
    fail(`a class for each of ${boxes.length} boxes`, classes.length);
  if (!["hard", "linear", "gaussian"].includes(method)) fail('method "hard", "linear" or "gaussian"', method);
  if (!(iouThreshold >= 0 && iouThreshold <= 1)) fail("an iouThreshold in [0, 1]", iouThreshold);
  if (!(sigma > 0)) fail("a sigma above 0", sigma);
  if (!(maxDetections >= 0)) fail("maxDetections of at least 0", maxDetections);
}
