import { InputError } from "@ai/tensor";
import type { BoxCandidate, DetectedBox } from "./boxes.js";
import { nonMaximumSuppression } from "./non-maximum-suppression.js";
import type { PointGrid } from "./point-grid.js";

/** Options of {@link decodePoints}. */
export interface DecodePointsOptions {
  /** Boxes below are dropped. Default 0.05. */
  readonly scoreThreshold?: number;
  /** Boxes of a class that overlap a better one by more are dropped. Default 0.6. */
  readonly iouThreshold?: number;
  /** Most boxes to keep. Default 300. */
  readonly maxDetections?: number;
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** Values of one picture of a {@link PointDetector}. */
export interface PointValues {
  readonly classes: ArrayLike<number>;
  readonly distances: ArrayLike<number>;
  readonly centerness: ArrayLike<number>;
}

/**
 * Boxes of one picture from what a {@link PointDetector} says: score `√(σ(class) · σ(centerness))`, then suppression for
 * each class.
 * @param output Values of one picture. @param grid Where its points are.
 * @returns best first, boxes in pixels of what the network saw
 * @throws InputError when the values do not fit the grid.
 */
export function decodePoints(
  output: PointValues,
  grid: PointGrid,
  { scoreThreshold = 0.05, iouThreshold = 0.6, maxDetections = 300 }: DecodePointsOptions = {},
): DetectedBox[] {
  const found = pointCandidates(output, grid, { scoreThreshold });
  const kept = nonMaximumSuppression(
    found.map(({ box }) => box),
    found.map(({ score }) => score),
    { iouThreshold, maxDetections, classes: found.map(({ label }) => label) },
  );
  return kept.map(({ index }) => {
    const { box, label, score } = found[index];
    return { box, label, score };
  });
}

/** What each point of {@link decodePoints} speaks for, each class by itself. */
export function pointCandidates(
  { classes, distances, centerness }: PointValues,
  grid: PointGrid,
  { scoreThreshold }: { readonly scoreThreshold: number },
): BoxCandidate[] {
  const { count } = grid;
  const numClasses = classes.length / count;
  if (!Number.isInteger(numClasses) || distances.length !== 4 * count || centerness.length !== count)
    throw new InputError(
      `decodePoints: expected values of ${count} points, got ${classes.length}, ${distances.length} and ${centerness.length}; pass one picture at a time`,
    );
  const found: BoxCandidate[] = [];
  for (let point = 0; point < count; point++) {
    const near = sigmoid(centerness[point]);
    for (let label = 0; label < numClasses; label++) {
      const score = Math.sqrt(sigmoid(classes[point * numClasses + label]) * near);
      if (!(score >= scoreThreshold)) continue;
      const [left, top, right, bottom] = [0, 1, 2, 3].map((side) => distances[4 * point + side]);
      const [x, y] = [grid.x[point], grid.y[point]];
      found.push({ box: [x - left, y - top, x + right, y + bottom], label, score, source: point });
    }
  }
  return found;
}
