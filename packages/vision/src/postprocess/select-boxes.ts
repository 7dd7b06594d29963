import type { BoxCandidate } from "./boxes.js";
import { nonMaximumSuppression } from "./non-maximum-suppression.js";

/** Which candidates become detections. */
export interface SelectBoxesOptions {
  /** Only scores of at least this, at first and after soft suppression. */
  readonly threshold: number;
  readonly suppression: "hard" | "linear" | "gaussian" | "none";
  readonly iouThreshold: number;
  /** Of `gaussian`. */
  readonly sigma: number;
  /** Whether boxes of different classes suppress each other, too. */
  readonly acrossClasses: boolean;
  readonly maxDetections: number;
  /** Only these classes; all when left out. */
  readonly labels?: ReadonlySet<number>;
}

/** Only so many of the best compete, as in FCOS: suppression takes the square of them. */
const MAX_CANDIDATES = 1000;

/** The detections of one picture, best first. */
export function selectBoxes(
  candidates: readonly BoxCandidate[],
  { threshold, labels, suppression, maxDetections, acrossClasses, ...options }: SelectBoxesOptions,
): BoxCandidate[] {
  const best = candidates
    .filter(({ score, label }) => score >= threshold && (labels?.has(label) ?? true))
    .sort((a, b) => b.score - a.score)
    .slice(0, MAX_CANDIDATES);
  if (suppression === "none") return best.slice(0, maxDetections);
  const kept = nonMaximumSuppression(
    best.map(({ box }) => box),
    best.map(({ score }) => score),
    {
      ...options,
      method: suppression,
      scoreThreshold: threshold,
      maxDetections,
      ...(acrossClasses ? {} : { classes: best.map(({ label }) => label) }),
    },
  );
  return kept.map(({ index, score }) => ({ ...best[index], score }));
}
