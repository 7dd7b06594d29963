import { InputError } from "@ai/tensor";
import { expect, it } from "vitest";
import type { Box } from "../preprocess/picture-transform.js";
import { loadVisionFixture } from "../testing/model-cases.js";
import { cocoMetrics, type EvaluatedPicture } from "./coco-metrics.js";

const fixture = await loadVisionFixture("coco_metrics");

/** Rows of a stored table. */
function rowsOf(name: string): number[][] {
  const { shape, values } = fixture.host(name);
  return Array.from({ length: shape[0] }, (_, row) =>
    Array.from(values.slice(row * shape[1], (row + 1) * shape[1])),
  );
}

function pictures(): EvaluatedPicture[] {
  const objects = rowsOf("objects");
  const detections = rowsOf("detections");
  const boxOf = (row: number[]): Box => [row[2], row[3], row[4], row[5]];
  return Array.from({ length: 12 }, (_, picture) => ({
    objects: objects
      .filter(([image]) => image === picture)
      .map((row) => ({ box: boxOf(row), label: row[1], area: row[6], isCrowd: row[7] === 1 })),
    detections: detections
      .filter(([image]) => image === picture)
      .map((row) => ({ box: boxOf(row), label: row[1], score: row[6] })),
  }));
}

it("gives pycocotools' twelve numbers with crowds, sizes and equal scores", () => {
  const { classes, ...metrics } = cocoMetrics(pictures());
  const expected = fixture.host("statistics").values;
  const actual = Object.values(metrics);
  expect(actual).toHaveLength(12);
  for (const [index, value] of actual.entries())
    expect(Math.abs(value - expected[index]), `number ${index}`).toBeLessThan(1e-6);
  expect(classes.map(({ label }) => label)).toEqual([0, 1, 2, 3]);
  const mean = classes.reduce((total, { averagePrecision }) => total + averagePrecision, 0) / classes.length;
  expect(mean).toBeCloseTo(metrics.averagePrecision, 10);
});

it("says −1 where there is nothing to measure, and refuses what is no box", () => {
  const one = { box: [0, 0, 10, 10], label: 0 } as const;
  const found = cocoMetrics([{ objects: [one], detections: [{ ...one, score: 0.9 }] }]);
  expect(found).toMatchObject({ averagePrecision: 1, averageRecall1: 1, averagePrecisionLarge: -1 });
  expect(cocoMetrics([]).averagePrecision).toBe(-1);
  const upsideDown = [{ objects: [{ ...one, box: [9, 0, 1, 1] as const }], detections: [] }];
  expect(() => cocoMetrics(upsideDown)).toThrow(InputError);
  const difficult = [{ objects: [{ ...one, isDifficult: true }], detections: [{ ...one, score: 0.9 }] }];
  expect(cocoMetrics(difficult).averagePrecision).toBe(-1);
  expect(() => cocoMetrics([{ objects: [], detections: [{ ...one, score: Number.NaN }] }])).toThrow(
    InputError,
  );
});
