import { InputError } from "@ai/tensor";
import type { LabeledBox } from "../augment/sample.js";
import { assertBoxes, type DetectedBox } from "../postprocess/boxes.js";
import {
  type AreaRange,
  bestDetections,
  type MatchedPicture,
  matchDetections,
  overlap,
} from "./match-detections.js";

/** What is in a picture and what was found there, boxes in pixels. */
export interface EvaluatedPicture {
  readonly objects: readonly LabeledBox[];
  readonly detections: readonly DetectedBox[];
}

/** COCO's twelve numbers, each in [0, 1], or −1 where there is nothing to measure; and precision by class. */
export interface CocoMetrics {
  /** Mean over overlaps 0.5, 0.55 … 0.95 and classes. */
  readonly averagePrecision: number;
  /** At an overlap of 0.5. */
  readonly averagePrecision50: number;
  /** At an overlap of 0.75. */
  readonly averagePrecision75: number;
  /** Objects of less than 32² pixels. */
  readonly averagePrecisionSmall: number;
  /** Objects of 32² to 96² pixels. */
  readonly averagePrecisionMedium: number;
  /** Objects of more than 96² pixels. */
  readonly averagePrecisionLarge: number;
  /** With one detection a picture and class. */
  readonly averageRecall1: number;
  /** With ten. */
  readonly averageRecall10: number;
  /** With a hundred. */
  readonly averageRecall100: number;
  readonly averageRecallSmall: number;
  readonly averageRecallMedium: number;
  readonly averageRecallLarge: number;
  /** By class that has objects. */
  readonly classes: readonly {
    readonly label: number;
    readonly averagePrecision: number;
    readonly averagePrecision50: number;
  }[];
}

/** `count` numbers from `start` to `stop`, as numpy spaces them. */
const spaced = (start: number, stop: number, count: number): number[] =>
  Array.from({ length: count }, (_, index) =>
    index === count - 1 ? stop : start + index * ((stop - start) / (count - 1)),
  );

const THRESHOLDS = /* @__PURE__ */ spaced(0.5, 0.95, 10);
const RECALLS = /* @__PURE__ */ spaced(0, 1, 101);
const MOST = 100;
const AREAS: Readonly<Record<"all" | "small" | "medium" | "large", AreaRange>> = {
  all: [0, 1e10],
  small: [0, 32 ** 2],
  medium: [32 ** 2, 96 ** 2],
  large: [96 ** 2, 1e10],
};

/** Precision at 101 recalls and the largest recall, for each threshold; undefined where there are no objects. */
interface Curve {
  readonly precision: readonly Float64Array[];
  readonly recall: readonly number[];
}

/**
 * Mean average precision and recall as COCO defines them; equal to pycocotools' for boxes.
 * @throws InputError for boxes that are none, or scores that are no numbers.
 * @example
 * const { averagePrecision50 } = cocoMetrics([{ objects: [{ box: [0, 0, 9, 9], label: 2 }], detections }]);
 * @see Lin et al. (2014), "Microsoft COCO", https://arxiv.org/abs/1405.0312, and https://cocodataset.org/#detection-eval
 */
export function cocoMetrics(pictures: readonly EvaluatedPicture[]): CocoMetrics {
  for (const { objects, detections } of pictures) {
    assertBoxes(
      "cocoMetrics",
      objects.map(({ box }) => box),
    );
    assertBoxes(
      "cocoMetrics",
      detections.map(({ box }) => box),
    );
    const wrong = detections.find(({ score }) => !Number.isFinite(score));
    if (wrong !== undefined) throw new InputError(`cocoMetrics: expected finite scores, got ${wrong.score}`);
  }
  const classes = [...new Set(pictures.flatMap(({ objects }) => objects.map(({ label }) => label)))].sort(
    (a, b) => a - b,
  );
  const byClass = classes.map((label) => curvesOf(pictures, label));
  const ofArea = (area: keyof typeof AREAS): Curve[] => byClass.flatMap((curves) => curves[area] ?? []);
  const precision = (curves: readonly Curve[], thresholds: readonly number[] = THRESHOLDS): number =>
    meanOf(
      curves.flatMap((curve) =>
        thresholds.flatMap((value) => [...curve.precision[THRESHOLDS.indexOf(value)]]),
      ),
    );
  const recall = (curves: readonly Curve[]): number => meanOf(curves.flatMap((curve) => curve.recall));
  return {
    averagePrecision: precision(ofArea("all")),
    averagePrecision50: precision(ofArea("all"), [THRESHOLDS[0]]),
    averagePrecision75: precision(ofArea("all"), [THRESHOLDS[5]]),
    averagePrecisionSmall: precision(ofArea("small")),
    averagePrecisionMedium: precision(ofArea("medium")),
    averagePrecisionLarge: precision(ofArea("large")),
    averageRecall1: recall(byClass.flatMap((curves) => curves.one ?? [])),
    averageRecall10: recall(byClass.flatMap((curves) => curves.ten ?? [])),
    averageRecall100: recall(ofArea("all")),
    averageRecallSmall: recall(ofArea("small")),
    averageRecallMedium: recall(ofArea("medium")),
    averageRecallLarge: recall(ofArea("large")),
    classes: classes.flatMap((label, index) => {
      const { all } = byClass[index];
      if (all === undefined) return [];
      return [
        {
          label,
          averagePrecision: precision([all]),
          averagePrecision50: precision([all], [THRESHOLDS[0]]),
        },
      ];
    }),
  };
}

type Curves = Readonly<Record<keyof typeof AREAS | "one" | "ten", Curve | undefined>>;

function curvesOf(pictures: readonly EvaluatedPicture[], label: number): Curves {
  const parts = pictures.map(({ objects, detections }) => {
    const wanted = objects.filter((object) => object.label === label);
    const found = bestDetections(
      detections.filter((detection) => detection.label === label),
      MOST,
    );
    const overlaps = new Float64Array(found.length * wanted.length);
    found.forEach(({ box }, row) => {
      wanted.forEach((object, column) => {
        overlaps[row * wanted.length + column] = overlap(box, object);
      });
    });
    return { wanted, found, overlaps };
  });
  const match = (area: AreaRange): MatchedPicture[] =>
    parts.map(({ wanted, found, overlaps }) =>
      matchDetections(found, wanted, { overlaps, thresholds: THRESHOLDS, area }),
    );
  const all = match(AREAS.all);
  return {
    all: curveOf(all, MOST),
    small: curveOf(match(AREAS.small), MOST),
    medium: curveOf(match(AREAS.medium), MOST),
    large: curveOf(match(AREAS.large), MOST),
    one: curveOf(all, 1),
    ten: curveOf(all, 10),
  };
}

/** Joins the pictures' detections by score and runs along them. */
function curveOf(pictures: readonly MatchedPicture[], most: number): Curve | undefined {
  const numObjects = pictures.reduce((total, picture) => total + picture.numObjects, 0);
  if (numObjects === 0) return undefined;
  const ranked = pictures
    .flatMap((picture) => picture.scores.slice(0, most).map((score, index) => ({ picture, score, index })))
    .sort((a, b) => b.score - a.score);
  const curves = THRESHOLDS.map((_, row) => {
    let right = 0;
    let wrong = 0;
    const recalls: number[] = [];
    const precisions: number[] = [];
    for (const { picture, index } of ranked) {
      if (!picture.ignored[row][index]) {
        if (picture.matched[row][index]) right++;
        else wrong++;
      }
      recalls.push(right / numObjects);
      precisions.push(right + wrong === 0 ? 0 : right / (right + wrong));
    }
    // what a lower score would reach with higher precision counts from here on
    for (let index = precisions.length - 1; index > 0; index--)
      precisions[index - 1] = Math.max(precisions[index - 1], precisions[index]);
    let place = 0;
    const sampled = Float64Array.from(RECALLS, (recall) => {
      while (place < recalls.length && recalls[place] < recall) place++;
      return precisions[place] ?? 0;
    });
    return { sampled, last: recalls.at(-1) ?? 0 };
  });
  return { precision: curves.map(({ sampled }) => sampled), recall: curves.map(({ last }) => last) };
}

function meanOf(values: readonly number[]): number {
  return values.length === 0 ? -1 : values.reduce((total, value) => total + value, 0) / values.length;
}
