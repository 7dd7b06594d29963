import type { LabeledBox } from "../augment/sample.js";
import { boxArea, boxIntersection, type DetectedBox } from "../postprocess/boxes.js";
import type { Box } from "../preprocess/picture-transform.js";

/** Smallest and largest area, both included. */
export type AreaRange = readonly [least: number, most: number];

/** What became of the detections of one class in one picture. */
export interface MatchedPicture {
  /** Best first, at most 100. */
  readonly scores: readonly number[];
  /** For each threshold and detection: whether it found an object. */
  readonly matched: readonly Uint8Array[];
  /** For each threshold and detection: whether it counts neither way. */
  readonly ignored: readonly Uint8Array[];
  /** Objects that should be found. */
  readonly numObjects: number;
}

/** Overlaps: over the union, over the detection's own area for a crowd. */
export function overlap(detection: Box, { box, isCrowd = false }: LabeledBox): number {
  const shared = boxIntersection(detection, box);
  const union = isCrowd ? boxArea(detection) : boxArea(detection) + boxArea(box) - shared;
  return union > 0 ? shared / union : 0;
}

const isOutside = (area: number, [least, most]: AreaRange): boolean => area < least || area > most;

/** The best detections first, as many as COCO looks at. */
export function bestDetections(detections: readonly DetectedBox[], most: number): DetectedBox[] {
  return [...detections].sort((a, b) => b.score - a.score).slice(0, most);
}

/**
 * Gives objects to detections, greedily and best detection first, as pycocotools does.
 * @param detections Of one class, best first. @param overlaps `detections · objects`, row-major.
 */
export function matchDetections(
  detections: readonly DetectedBox[],
  objects: readonly LabeledBox[],
  {
    overlaps,
    thresholds,
    area,
  }: { readonly overlaps: Float64Array; readonly thresholds: readonly number[]; readonly area: AreaRange },
): MatchedPicture {
  const isIgnored = objects.map(
    ({ box, area: own = boxArea(box), isCrowd = false, isDifficult = false }) =>
      isCrowd || isDifficult || isOutside(own, area),
  );
  // objects that count come first: the others are taken only when none of those fits
  const order = objects.map((_, index) => index).sort((a, b) => Number(isIgnored[a]) - Number(isIgnored[b]));
  const matched = thresholds.map(() => new Uint8Array(detections.length));
  const ignored = thresholds.map(() => new Uint8Array(detections.length));
  thresholds.forEach((threshold, row) => {
    const isTaken = new Uint8Array(objects.length);
    detections.forEach((detection, column) => {
      let best = Math.min(threshold, 1 - 1e-10);
      let match = -1;
      for (const index of order) {
        if (isTaken[index] && objects[index].isCrowd !== true) continue;
        if (match >= 0 && !isIgnored[match] && isIgnored[index]) break;
        const found = overlaps[column * objects.length + index];
        if (found < best) continue;
        best = found;
        match = index;
      }
      if (match >= 0) {
        isTaken[match] = 1;
        matched[row][column] = 1;
        ignored[row][column] = Number(isIgnored[match]);
      } else ignored[row][column] = Number(isOutside(boxArea(detection.box), area));
    });
  });
  return {
    scores: detections.map(({ score }) => score),
    matched,
    ignored,
    numObjects: isIgnored.filter((flag) => !flag).length,
  };
}
